# A path so deep that naive removal recurses to its death, and folders that nobody may enter.
import os

for _ in range(3000):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
for mode in (0o000, 0o100, 0o400):
    os.mkdir(f"m{mode}", mode)
