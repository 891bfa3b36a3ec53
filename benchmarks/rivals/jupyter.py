"""The client's half of the Jupyter protocol that the rivals share: what a cell printed."""

from __future__ import annotations

from typing import Any

from rivals.base import NotMeasured

__all__ = ["CellOutput"]


class CellOutput:
    """Collects a cell's messages. It has ended with the reply on shell *and* idle on iopub."""

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id
        self._printed: list[str] = []
        self.idle = False
        self.replied = False

    def add(self, message: dict[str, Any]) -> None:
        """Raises NotMeasured if the cell failed."""
        if message["parent_header"].get("msg_id") != self._message_id:
            return
        content = message["content"]
        match message["msg_type"]:
            case "stream" if content["name"] == "stdout":
                self._printed.append(content["text"])
            case "status" if content["execution_state"] == "idle":
                self.idle = True
            case "execute_reply":
                self.replied = True
                if content["status"] != "ok":
                    raise NotMeasured(f"a cell failed: {content.get('evalue')}")

    @property
    def text(self) -> str:
        return "".join(self._printed)
