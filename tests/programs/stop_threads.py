"""Stops the thread that sends what the kernel writes."""

k = get_ipython().kernel
k.iopub_thread.stop()
