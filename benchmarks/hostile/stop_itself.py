# A stopped process hears no interrupt.
import os
import signal

os.kill(os.getpid(), signal.SIGSTOP)
