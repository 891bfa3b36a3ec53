import os
import shutil

home = os.getcwd()
open("file", "w").close()
shutil.rmtree(home, ignore_errors=True)
try:
    os.rmdir(home)
except OSError as error:
    print(error)
try:
    os.symlink("/etc", home)
except OSError as error:
    print(error)
