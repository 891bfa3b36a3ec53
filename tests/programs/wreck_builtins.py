"""Takes away what everything in the process needs."""

import builtins

builtins.isinstance = None
builtins.len = None
