# What the kernel itself calls is the user's to replace.
import builtins
import json
import sys
import threading


def nothing(*_, **__):
    raise SystemExit


json.dumps = json.dump = nothing
sys.stdout = sys.stderr = sys.stdin = None
threading.Thread.start = nothing
get_ipython().user_ns["_"] = nothing
builtins.print = builtins.open = builtins.repr = builtins.str = nothing
