import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
for target in (b"/scratch", b"/tmp", os.getcwd().encode()):
    print(libc.mount(b"none", target, b"tmpfs", 0, None), libc.umount2(target, 2))
for flag in (0x10000000, 0x20000000, 0x40000000, 0x00020000):
    print(libc.unshare(flag))
print(libc.chroot(b"."), libc.reboot(0x1234567), libc.swapoff(b"/x"))
