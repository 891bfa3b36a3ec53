# Every part of a message in every shape that JSON has.
kernel = get_ipython().kernel
session = kernel.session
parent = session.pack(kernel.get_parent("shell")["header"])
for kind in ("stream", "execute_result", "display_data", "error", "status", "execute_reply"):
    for shape in (b"[1]", b"null", b'"text"', b"1e999", b"{}", b'{"data":[],"name":{},"text":[]}'):
        for place in range(4):
            parts = [session.pack(session.msg_header(kind)), parent, session.pack({}), session.pack({})]
            parts[place] = shape
            kernel.iopub_socket.send_multipart([b"x", b"<IDS|MSG>", session.sign(parts), *parts])
