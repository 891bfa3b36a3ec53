# The network, the machine's own services, and every socket that lies about.
import os
import socket

for family, address in [
    (socket.AF_INET, ("1.1.1.1", 53)),
    (socket.AF_INET, ("169.254.169.254", 80)),
    (socket.AF_INET6, ("2606:4700:4700::1111", 53)),
    (socket.AF_UNIX, "/var/run/docker.sock"),
    (socket.AF_UNIX, "/run/tir/control.sock"),
]:
    try:
        with socket.socket(family) as tried:
            tried.settimeout(0.3)
            tried.connect(address)
            print("connected", address)
    except OSError as error:
        print(address, error)
held = [socket.socket(socket.AF_UNIX) for _ in range(20)]
for number, listening in enumerate(held):
    listening.bind(f"\0left-{os.getpid()}-{number}")
    listening.listen()
held[0].getsockname()
