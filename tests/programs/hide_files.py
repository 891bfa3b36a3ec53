"""Leaves files that resist being removed, and a process that writes more."""

import os
import subprocess

os.makedirs("a/b/c")
open("a/b/c/f", "w").write("x")
deep = os.getcwd()
for _ in range(300):
    os.mkdir("d" * 50)
    os.chdir("d" * 50)
os.chdir(deep)
os.chmod("a/b", 0)
os.chmod("a", 0)
subprocess.Popen(
    ["sh", "-c", "while true; do echo x > f$$; done"], start_new_session=True, env={}, cwd=deep
)
