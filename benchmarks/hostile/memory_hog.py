# Takes memory page by page, so that all of it is really used, and holds on to it.
import time

held = []
try:
    while True:
        held.append(bytearray(b"x") * (16 * 2**20))
except MemoryError:
    time.sleep(60)
