# Every process forks as long as it can, and then stays.
import os
import time

try:
    while True:
        os.fork()
except OSError:
    time.sleep(60)
