# Without Python's own limit the stack of the process ends it.
import sys

sys.setrecursionlimit(2**31 - 1)


class Deep:
    def __repr__(self):
        return repr(self)


Deep()
