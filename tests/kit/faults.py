"""A disk that misbehaves: errors of the system where files are read or written, and content that is at fault."""

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

PASSING = (errno.EMFILE, errno.EIO, errno.EACCES)
"""Errors of the system while reading what is whole."""
WRITING = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EMFILE)
"""Errors of the system while writing."""


def _flipped(whole: bytes) -> bytes:
    middle = len(whole) // 2
    return whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]


AT_FAULT: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda whole: b"",
    "cut": lambda whole: whole[: len(whole) // 2],
    "a bit flipped": _flipped,
    "zeros": lambda whole: bytes(len(whole)),
    "deep": lambda whole: b"[" * 100_000 + b"]" * 100_000,
    "huge": lambda whole: b'{"form": ' + b"9" * 100_000 + b"}",
    "no text": lambda whole: b"\xff\xfe\x00" + whole,
    "a list": lambda whole: b"[1, 2]",
    "null": lambda whole: b"null",
}
"""What may stand in the place of a file's bytes."""


def fault(number: int, path: Any = "") -> OSError:
    return OSError(number, os.strerror(number), str(path))


def _under(path: Any, root: Path) -> bool:
    return isinstance(path, str | bytes | os.PathLike) and Path(os.fsdecode(path)).is_relative_to(root)


@contextmanager
def disk_fails(root: Path, number: int, *, reading: bool = True, writing: bool = True) -> Iterator[None]:
    """Opening a file under `root`, making, renaming and removing one end in this error of the system."""

    def failing(real: Callable[..., Any], wanted: Callable[..., bool]) -> Callable[..., Any]:
        def called(path: Any, *args: Any, **kwargs: Any) -> Any:
            if _under(path, root) and wanted(*args, **kwargs):
                raise fault(number, path)
            return real(path, *args, **kwargs)

        return called

    def opens(mode: Any = "r", *_: Any, **__: Any) -> bool:
        return writing if set(str(mode)) & set("wax+") else reading

    def opens_low(flags: int, *_: Any, **__: Any) -> bool:
        return writing if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) else reading

    def changes(*_: Any, **__: Any) -> bool:
        return writing

    opened = failing(builtins.open, opens)
    with ExitStack() as stack:
        stack.enter_context(patch.object(builtins, "open", opened))
        stack.enter_context(patch.object(io, "open", opened))
        stack.enter_context(patch.object(os, "open", failing(os.open, opens_low)))
        for name in ("mkdir", "rename", "replace", "unlink", "rmdir"):
            stack.enter_context(patch.object(os, name, failing(getattr(os, name), changes)))
        yield
