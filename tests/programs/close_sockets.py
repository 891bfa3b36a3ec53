"""Closes the kernel's own sockets."""

k = get_ipython().kernel
k.iopub_thread.socket.close()
k.shell_stream.close()
