import sys

while True:
    sys.stderr.write("\x1b[31m\x00\r" * 1000)
