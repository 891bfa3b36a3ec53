# Messages that are signed with another key than the host's.
kernel = get_ipython().kernel
session = kernel.session
parts = [session.pack(session.msg_header("stream")), session.pack({}), session.pack({})]
parts.append(session.pack({"name": "stdout", "text": "forged"}))
for _ in range(100):
    kernel.iopub_socket.send_multipart([b"stream", b"<IDS|MSG>", b"0" * 64, *parts])
    kernel.iopub_socket.send_multipart([b"stream", b"no delimiter"])
    kernel.iopub_socket.send_multipart([b""])
