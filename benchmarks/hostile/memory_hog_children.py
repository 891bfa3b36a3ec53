# A limit on each process is none on their sum.
import os
import time

for _ in range(5):
    if os.fork() == 0:
        held = bytearray(b"x") * (600 * 2**20)
        time.sleep(60)
        os._exit(0)
time.sleep(60)
