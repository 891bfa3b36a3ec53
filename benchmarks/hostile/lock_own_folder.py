import os

os.mkdir("inner")
open("inner/file", "w").close()
os.chmod("inner", 0)
os.chmod(".", 0)
