# A different end each time.
import os
import random
import signal

chosen = random.SystemRandom().choice(sorted(signal.valid_signals()))
os.kill(os.getpid(), chosen)
