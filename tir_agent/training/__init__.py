"""Training on an export with TRL, such that no loss falls on what the interpreter wrote.

Nothing here is imported by the rest of the package; `pip install 'tir-agent[train]'` brings what it needs.
"""
