"""Sandboxed Jupyter kernels: code in, execution out."""
