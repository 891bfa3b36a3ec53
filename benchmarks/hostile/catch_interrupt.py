import time

while True:
    try:
        time.sleep(0.01)
    except BaseException:
        pass
