"""Makes empty files until there can be no more."""

import itertools
import time

end = time.monotonic() + 5
try:
    for number in itertools.count():
        open(f"f{number}", "w").close()
        if time.monotonic() > end:
            print("No space left was not reached")
            break
except OSError as error:
    print(error)
