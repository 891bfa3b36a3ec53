# Fills the disk, many files in, and keeps them open and unnamed as well.
import os

held = []
for number in range(64):
    file = open(f"fill{number}", "wb", buffering=0)
    held.append(file)
    if number % 2:
        os.unlink(file.name)
    for _ in range(60):
        file.write(bytes(2**20))
