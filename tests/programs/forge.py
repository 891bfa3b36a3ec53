"""Writes messages of its own to the kernel's sockets; the key that signs them is in the same process."""

import datetime
import hashlib
import hmac
import json
import uuid

k = get_ipython().kernel
parent = json.dumps(k.get_parent()["header"], default=str).encode()
big = json.dumps({"name": "stdout", "text": "x" * 1_000_000}).encode()


def raw(parent, content, kind="stream", sign=True):
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "username": "u",
        "session": "s",
        "date": datetime.datetime.now(datetime.UTC).isoformat(),
        "version": "5.3",
    }
    # A function of an earlier cell: the present cell is the kernel's present parent.
    if parent.startswith(b"{"):
        parent = json.dumps(k.get_parent()["header"], default=str).encode()
    frames = [json.dumps(header).encode(), parent, b"{}", content]
    mac = hmac.HMAC(k.session.key, digestmod=hashlib.sha256)
    for frame in frames:
        mac.update(frame)
    signature = mac.hexdigest().encode() if sign else b"0" * 64
    k.iopub_thread.send_multipart([b"stream", b"<IDS|MSG>", signature, *frames])
