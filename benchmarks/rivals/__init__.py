"""What a user would pick instead of tir-agent's kernel, each behind the one interface of `base.py`."""
