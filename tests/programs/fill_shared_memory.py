"""Fills the memory that sessions of a jail share, and stays."""

import os
import time

try:
    with open(f"/dev/shm/{os.getpid()}", "wb", buffering=0) as file:
        while True:
            file.write(bytes(2**20))
except OSError as error:
    print(error)
for number in range(200):
    try:
        open(f"/dev/shm/{os.getpid()}.{number}", "wb", buffering=0).write(bytes(2**21))
    except OSError:
        pass
time.sleep(60)
