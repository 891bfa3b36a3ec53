# Threads count as processes, and they outlive the cell.
import threading
import time

while True:
    threading.Thread(target=time.sleep, args=(3600,), daemon=False).start()
