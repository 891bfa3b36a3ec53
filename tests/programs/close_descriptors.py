"""Closes every file descriptor of the kernel's process."""

import os

os.closerange(0, 4096)
