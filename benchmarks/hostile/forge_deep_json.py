# Signed as it should be, but the reader's parser recurses.
kernel = get_ipython().kernel
session = kernel.session
deep = b"[" * 10**5 + b"]" * 10**5
parts = [session.pack(session.msg_header("stream")), session.pack(kernel.get_parent("shell")["header"])]
parts += [session.pack({}), deep]
kernel.iopub_socket.send_multipart([b"stream", b"<IDS|MSG>", session.sign(parts), *parts])
