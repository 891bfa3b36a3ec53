# Bytes that are no UTF-8, lone surrogates, control characters and directions.
import os
import sys

os.write(1, bytes(range(256)) * 100)
os.system("printf '\\377\\376\\355\\240\\200'")
print("\ud800\udfff\u202e\u0000\x1b]0;title\x07\x1b[2J")
sys.stdout.buffer.write(b"\xff")
"\udcff"
