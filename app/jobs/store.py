"""Results on disk, by content hash of request and weights.

A result is a folder of plain JSON and an npz without pickles. The JSON names its npz and is put there last, by
renaming, so a reader sees all of a result or nothing, however many write it and whenever they are killed. Only
writing takes a result away: what cannot be read stays as it is. Results shipped with the app lie in a second,
read-only place. A stopped result is kept apart from the finished one it may become.
"""

import json
import logging
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from filelock import FileLock

from analysis.assets import ASSETS
from analysis.cache_home import cache_home
from analysis.errors import Unreadable
from analysis.study import Study, pack, unpack
from analysis.whole_files import left_over, mark, settle, there
from app.jobs.disk import Disk, reason

log = logging.getLogger(__name__)
SHIPPED = ASSETS / "results"
FORM = 1
"""Raise when a result's fields change: older folders are then computed anew."""
WORDS = "result.json"
HELD = 64
"""Results kept in memory while the disk takes none, the latest."""
LOCK, PATIENCE = ".saving.lock", 10.0
"""Held while files get their names; how many seconds another process may hold it."""
TURNS = 8
"""How often another process may clear the place away before a save gives up."""


Held = tuple[Study, str, Any, bool]
"""A result in memory alone: its study, key, itself, and whether it is a stopped one."""


class _Broken(Exception):
    """What lies at a place is no result, and no passing fault of the system."""


def shipped_index() -> dict[str, Any]:
    """What lies beside the app: the `model` its results were made with, and the plates of its `gallery`."""
    path = SHIPPED / "index.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"model": None, "gallery": []}


class ResultStore:
    """Finished and stopped results under `root`, then under the read-only `shipped` place."""

    def __init__(self, root: Path | None = None, shipped: Path = SHIPPED, disk: Disk | None = None):
        self.root = root or cache_home() / "results"
        self.shipped = shipped
        self.disk = disk or Disk(self.root)
        self._held: dict[str, Held] = {}
        self._broken: set[str] = set()

    def save(self, study: Study, key: str, result: Any, *, stopped: bool = False) -> None:
        """Write a result whole or not at all; a finished one takes the stopped one's place.

        Raises `OSError` where the disk does not take it; what was there before is there then.
        """
        for turn in range(TURNS):
            try:
                self._put(study, self._place(key, stopped), result)
                break
            except FileNotFoundError:  # somebody cleared the draft or the folder away under our hands
                if turn == TURNS - 1:
                    raise
        self._held.pop(self._place(key, stopped).name, None)
        if not stopped:
            self.discard(key)

    def keep(self, study: Study, key: str, result: Any, *, stopped: bool = False) -> None:
        """Save a result, or where the disk does not take it, hold it in memory until it does."""
        try:
            self.save(study, key, result, stopped=stopped)
            self.disk.fine("results")
        except OSError as error:
            self.disk.failed("results", error)
            self.hold([(study, key, result, stopped)])

    def hold(self, results: Iterable[Held]) -> None:
        """Have results in memory, until the disk takes them."""
        for study, key, result, stopped in results:
            name = self._place(key, stopped).name
            self._held.pop(name, None)
            self._held[name] = study, key, result, stopped
        for oldest in list(self._held)[:-HELD]:
            self._held.pop(oldest, None)

    def all_held(self) -> list[Held]:
        """The results that are in memory alone, the oldest first."""
        return list(self._held.values())

    def held(self, key: str) -> bool:
        """Whether a result is in memory alone."""
        return key in self._held or self._place(key, True).name in self._held

    def settle(self) -> None:
        """Write what is held; `OSError` where the disk still does not take it."""
        for study, key, result, stopped in self.all_held():
            self.save(study, key, result, stopped=stopped)
        self.disk.fine("results")

    def load(self, study: Study, key: str, *, stopped: bool = False) -> Any | None:
        """The result with this key, or None when there is none that can be read now."""
        try:
            return self.read(study, key, stopped=stopped)
        except Unreadable:
            return None if stopped else self._shipped(study, key)

    def read(self, study: Study, key: str, *, stopped: bool = False) -> Any | None:
        """The result with this key, None where there is none or what lies there is none; `Unreadable` where the system
        does not let it be read."""
        place = self._place(key, stopped)
        if (held := self._held.get(place.name)) and held[0].name == study.name:
            return held[2]
        found = None
        try:
            found = _read(study, place)
            self.disk.fine("reading")
        except _Broken as error:
            self._say_broken(place, error)
        except OSError as error:
            self.disk.failed("reading", error)
            raise Unreadable(
                f"The result stored in {place} cannot be read now: it {reason(error)}. It was left as it is."
            ) from error
        return found if found is not None or stopped else self._shipped(study, key)

    def _shipped(self, study: Study, key: str) -> Any | None:
        with suppress(OSError, _Broken):
            return _read(study, self.shipped / key)
        return None

    def _say_broken(self, place: Path, error: _Broken) -> None:
        if place.name not in self._broken:
            self._broken.add(place.name)
            log.warning(
                "What is stored in %s is no whole result (%s); it is computed anew when asked for.", place, error
            )

    def stopped(self, key: str) -> bool:
        """Whether what there is of a result is a stopped one."""
        begun, whole = self._place(key, True), self._place(key, False)
        return _is_there(begun, self._held) and not _is_there(whole, self._held)

    def discard(self, key: str) -> None:
        """Forget the stopped result."""
        place = self._place(key, True)
        self._held.pop(place.name, None)
        with suppress(OSError):
            if there(place):
                with FileLock(self.root / LOCK, timeout=PATIENCE):
                    (place / WORDS).unlink(missing_ok=True)  # first: what is left without it is no result
                    shutil.rmtree(place)

    def _put(self, study: Study, place: Path, result: Any) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self._sweep()
        data, arrays = pack(result)
        new = Path(tempfile.mkdtemp(dir=self.root, prefix=f".new{mark()}"))
        try:
            packed, named = new / "arrays.npz", f"arrays-{uuid4().hex[:12]}.npz"
            np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
            text = json.dumps(data, ensure_ascii=False)
            saved = {"form": FORM, "study": study.name, "arrays": named, "hash": _hash(text, packed.read_bytes())}
            words = new / WORDS
            words.write_text(f'{json.dumps(saved)[:-1]}, "result": {text}}}', encoding="utf-8")
            settle(packed)
            settle(words)
            _in_place(packed, words, place, named)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _sweep(self) -> None:
        """Clear away what processes that were killed while writing have left."""
        for draft in (*self.root.glob(".new-*"), *self.root.glob(".old-*")):
            if left_over(draft):
                shutil.rmtree(draft, ignore_errors=True)

    def _place(self, key: str, stopped: bool) -> Path:
        return self.root / (f"{key}.stopped" if stopped else key)


def _is_there(place: Path, held: dict[str, Any]) -> bool:
    return place.name in held or there(place / WORDS)


def _hash(text: str, arrays: bytes) -> str:
    return sha256(text.encode() + b"\0" + arrays).hexdigest()


def _in_place(packed: Path, words: Path, place: Path, named: str) -> None:
    """Put arrays, then the words that name them, and take away arrays that nothing names any more."""
    with FileLock(place.parent / LOCK, timeout=PATIENCE):
        if place.exists() and not place.is_dir():
            place.unlink()  # no result of ours
        place.mkdir(exist_ok=True)
        try:
            packed.replace(place / named)
            words.replace(place / WORDS)
        except OSError:
            with suppress(OSError):
                (place / named).unlink(missing_ok=True)
                place.rmdir()
            raise
        for older in place.glob("arrays*.npz"):
            if older.name != named:
                with suppress(OSError):
                    older.unlink()
    settle(place)


def _named(words: bytes) -> str:
    """The file of arrays that a result's words name; the first form of stored results named none."""
    with suppress(Exception):
        name = json.loads(words)["arrays"]
        if isinstance(name, str) and name == Path(name).name:
            return name
    return "arrays.npz"


def _read(study: Study, place: Path) -> Any | None:
    """A result as it lies there, None where there is none of the study's; `_Broken`, or the system's `OSError`."""
    seen = b""
    while True:
        try:
            words = (place / WORDS).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return _unpacked(study, words, (place / _named(words)).read_bytes())
        except (FileNotFoundError, IsADirectoryError) as error:
            if words == seen:
                raise _Broken("its arrays are missing") from error
            seen = words  # a later save has taken them away, and put its own words there before


def _unpacked(study: Study, words: bytes, arrays: bytes) -> Any | None:
    try:
        saved = json.loads(words)
        if saved["form"] != FORM or saved["study"] != study.name:
            return None
        if saved.get("hash") not in (None, _hash(json.dumps(saved["result"], ensure_ascii=False), arrays)):
            raise ValueError("it is not what was written")
        with np.load(BytesIO(arrays), allow_pickle=False) as packed:
            return unpack(study.result, saved["result"], dict(packed))
    except Exception as error:  # content can make its reader raise anything; the system's errors came before
        raise _Broken(f"{type(error).__name__}: {error}"[:200]) from error
