"""Writes files until there is no room."""

import itertools

try:
    for number in itertools.count():
        with open(f"f{number}", "wb") as file:
            file.write(bytes(2**21))
except OSError as error:
    print(error)
