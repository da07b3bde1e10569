"""How much one session may have uploaded: files stay in memory for as long as their session does.

Streamlit bounds each file, not how many; what came in too many parts is refused before it is read.
"""

from collections import defaultdict

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime import Runtime

from app.doors.answer import refuse

PLACE = "/_stcore/upload_file/"
MOST_FILES = 16
MOST, MOST_PUBLIC = 256 << 20, 20 << 20
"""Bytes of all files of a session, on one's own machine and on a server for others."""


class Uploads:
    """Lets a file pass while its session has room for it."""

    def __init__(self, app: ASGIApp, public: bool) -> None:
        self.app, self.most = app, MOST_PUBLIC if public else MOST
        self._coming: dict[str, list[int]] = defaultdict(list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer."""
        if scope["type"] == "http" and scope["method"] == "PUT" and PLACE in scope["path"]:
            session = scope["path"].partition(PLACE)[2].partition("/")[0]
            coming = self._coming[session]
            sizes = [*held(session), *coming]
            said = Headers(scope=scope).get("content-length", "")
            if not said.isdigit():
                await refuse(scope, send, 411, "A file says how long it is.")
                return
            if len(sizes) >= MOST_FILES or sum(sizes) + int(said) > self.most:
                await refuse(
                    scope, send, 413,
                    f"A session may hold {MOST_FILES} files of {self.most >> 20} MB in all. Take some away first.",
                )  # fmt: skip
                return
            coming.append(int(said))
            try:
                await self.app(scope, receive, send)
            finally:
                coming.remove(int(said))
                if not coming:
                    self._coming.pop(session, None)
            return
        await self.app(scope, receive, send)


def held(session: str) -> list[int]:
    """Bytes of each file of a session."""
    files = getattr(Runtime.instance().uploaded_file_mgr, "file_storage", {}) if Runtime.exists() else {}
    return [len(file.data) for file in list(files.get(session, {}).values())]
