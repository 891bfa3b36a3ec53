"""Starts threads until there can be no more, and keeps them."""

import threading
import time

while True:
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
