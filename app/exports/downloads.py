"""Folders too large for memory, given away as a zip that is written while it is sent.

Streamlit's own button holds the whole file in memory. Here the server reads the folder piece by piece, stores it as it
is (weights hardly pack), and keeps no second copy on disk. Who has the address may have the folder, and nothing else.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

PIECE = 1 << 20
"""Bytes read at a time."""
_offers: dict[str, tuple[Path, str]] = {}
_lock = Lock()
_served = False


class _Sink:
    """What a zip is written into, and taken out of again."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep what is written."""
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        """All that was written since it was last taken."""
        whole, self._parts = b"".join(self._parts), []
        return whole


def zip_pieces(folder: Path) -> Iterator[bytes]:
    """A zip of the files of a folder, piece by piece; never more than a piece of it is held."""
    sink = _Sink()
    with ZipFile(sink, "w", ZIP_STORED) as archive:  # type: ignore[call-overload]
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            info = ZipInfo.from_file(path, str(path.relative_to(folder)), strict_timestamps=False)
            with path.open("rb") as file, archive.open(info, "w", force_zip64=True) as out:
                while piece := file.read(PIECE):
                    out.write(piece)
                    yield sink.taken()
    yield sink.taken()


def offer(folder: Path, name: str) -> str:
    """Where a browser finds the folder as NAME.zip, relative to a page; an address nobody can guess."""
    with _lock:
        for token, offered in _offers.items():
            if offered == (folder, name):
                return f"take/{token}"
        token = secrets.token_urlsafe(24)
        _offers[token] = (folder, name)
        return f"take/{token}"


def served() -> bool:
    """Whether this process gives such files away: a server begun without our routes does not."""
    return _served


def routes() -> list[Route]:
    """The route by which they are had."""
    global _served
    _served = True
    return [Route("/take/{token}", _take)]


async def _take(request: Request) -> Response:
    folder, name = _offers.get(request.path_params["token"], (None, ""))
    if folder is None or not folder.is_dir():
        return PlainTextResponse("This file is not here any more. Open the page again.", 404)
    told = {
        "Content-Disposition": f'attachment; filename="{name}.zip"',
        "Content-Encoding": "identity",  # nothing is gained by packing it once more
        "Cache-Control": "no-store",
    }
    return StreamingResponse(zip_pieces(folder), media_type="application/zip", headers=told)
