# Past Python's streams, from this process and from a child's.
import os
import subprocess

subprocess.Popen(["yes", "flood"])
while True:
    os.write(1, b"y" * 65536)
    os.write(2, b"z" * 65536)
