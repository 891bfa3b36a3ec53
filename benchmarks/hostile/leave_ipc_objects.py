# Objects that outlive their makers: System V's, and the message queues of POSIX.
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
made = 0
for number in range(50):
    made += libc.shmget(0, 4096, 0o1600) >= 0
    made += libc.semget(0, 4, 0o1600) >= 0
    made += libc.msgget(0, 0o1600) >= 0
    made += libc.mq_open(f"/left{os.getpid()}-{number}".encode(), os.O_CREAT | os.O_RDWR, 0o600, None) >= 0
made
