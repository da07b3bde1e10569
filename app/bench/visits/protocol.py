"""A visitor without a browser: speaks what Streamlit's own page speaks, so that thirty cost this machine little."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from analysis.errors import WorkbenchError

LARGEST = 2**28
"""Bytes of a message that is taken."""
PATIENCE = 120.0
"""Seconds until a page that does not answer is given up."""


class Visit:
    """One session: a page that is asked for, pressed on, and read."""

    def __init__(self, socket: Any):
        self._socket = socket
        self._page, self._query = "", ""
        self.elements: dict[tuple[int, ...], Any] = {}
        self.bar: list[tuple[str, str]] = []  # titles and addresses of the pages there are

    def open(self, page: str, query: Mapping[str, str] | None = None) -> float:
        """Follow a link to a page; seconds until all of it has come."""
        self._page, self._query = page, urlencode(query or {})
        return self._ask()

    def again(self) -> float:
        """Have the page drawn once more; seconds until all of it has come."""
        return self._ask()

    def press(self, key: str) -> float:
        """Press the button with this key; seconds until the page has been drawn."""
        names = [one.button.id for one in self.elements.values() if one.HasField("button")]
        found = next((name for name in names if name.endswith(f"-{key}")), None)
        if found is None:
            raise WorkbenchError(f"The page {self._page} has no button {key}.")
        return self._ask(found)

    def has(self, key: str) -> bool:
        """Whether there is a button with this key."""
        return any(one.button.id.endswith(f"-{key}") for one in self.elements.values() if one.HasField("button"))

    def text(self) -> str:
        """All words on the page."""
        parts = []
        for one in self.elements.values():
            kind = one.WhichOneof("type")
            held = getattr(one, kind) if kind else None
            parts.append(str(getattr(held, "body", "") or getattr(held, "text", "")))
        return "\n".join(parts)

    def _ask(self, pressed: str = "") -> float:
        asked = BackMsg()
        asked.rerun_script.query_string = self._query
        asked.rerun_script.page_name = self._page
        if pressed:
            state = asked.rerun_script.widget_states.widgets.add()
            state.id, state.trigger_value = pressed, True
        began = time.perf_counter()
        self._socket.send(asked.SerializeToString())
        self._read(began + PATIENCE)
        return time.perf_counter() - began

    def _read(self, end: float) -> None:
        """Take what comes until the page is whole; one that draws itself once more is waited for."""
        while True:
            message = ForwardMsg()
            message.ParseFromString(self._socket.recv(timeout=max(0.0, end - time.perf_counter())))
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.elements = {}
            elif kind == "delta" and message.delta.HasField("new_element"):
                self.elements[tuple(message.metadata.delta_path)] = message.delta.new_element
            elif kind == "navigation":
                self.bar = [(page.page_name, page.url_pathname) for page in message.navigation.app_pages]
            elif kind == "script_finished" and message.script_finished in FINISHED:
                return


FINISHED = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_WITH_COMPILE_ERROR)


@contextmanager
def visiting(url: str, cookie: str = "") -> Iterator[Visit]:
    """A session of its own at a server, gone when the context closes; `cookie` is what its browser brings along."""
    from websockets.sync.client import connect

    address = url.replace("http", "ws", 1) + "/_stcore/stream"
    headers = {"Cookie": cookie} if cookie else {}
    with connect(address, subprotocols=["streamlit"], additional_headers=headers, max_size=LARGEST) as socket:  # type: ignore[list-item]
        yield Visit(socket)
