# Empty files cost no bytes, but there is an end to their number.
import os

os.mkdir("many")
number = 0
while True:
    os.close(os.open(f"many/{number}", os.O_CREAT | os.O_WRONLY))
    number += 1
