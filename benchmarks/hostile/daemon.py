# Children that left the session's process group and hide where they come from.
import os

for _ in range(8):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 1024)
            os.execve("/bin/sleep", ["sleep", "3600"], {})
        os._exit(0)
