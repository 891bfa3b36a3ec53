"""Many processes, none of which is too large by itself."""

import os
import time

for _ in range(12):
    time.sleep(0.1)
    if os.fork() == 0:
        block = bytearray(120 * 2**20)
        for place in range(0, len(block), 4096):
            block[place] = 1
        time.sleep(60)
        os._exit(0)
time.sleep(60)
