# Output past the kernel's own cap, for as long as the cell lasts.
kernel = get_ipython().kernel
parent = kernel.get_parent("shell")
while True:
    content = {"name": "stdout", "text": "x" * 100_000}
    kernel.session.send(kernel.iopub_socket, "stream", content, parent=parent)
