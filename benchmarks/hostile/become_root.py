import os
import shutil

for attempt in (
    lambda: os.setuid(0),
    lambda: os.setresuid(0, 0, 0),
    lambda: os.setgroups([0]),
    lambda: os.chown(".", 0, 0),
    lambda: os.seteuid(0),
):
    try:
        attempt()
        print("allowed")
    except OSError as error:
        print(error)
shutil.copy("/bin/sh", "sh")
os.chmod("sh", 0o6777)
os.system("./sh -p -c id; su -c id; sudo -n id")
