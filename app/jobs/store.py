"""Results on disk, by content hash of request and weights.

A result is a folder of plain JSON and an npz without pickles, written under another name and
renamed, so a reader sees all of it or nothing. Results shipped with the app lie in a second,
read-only place. A stopped result is kept apart from the finished one it may become.
"""

import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from analysis.assets import ASSETS
from analysis.cache_home import cache_home
from analysis.study import Study, pack, unpack

SHIPPED = ASSETS / "results"
LEFT_OVER_SECONDS = 3600
FORM = 1
"""Raise when a result's fields change: older folders are then computed anew."""


def shipped_index() -> dict[str, Any]:
    """What lies beside the app: the `model` its results were made with, and the plates of its `gallery`."""
    path = SHIPPED / "index.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"model": None, "gallery": []}


class ResultStore:
    """Finished and stopped results under `root`, then under the read-only `shipped` place."""

    def __init__(self, root: Path | None = None, shipped: Path = SHIPPED):
        self.root = root or cache_home() / "results"
        self.shipped = shipped

    def save(self, study: Study, key: str, result: Any, *, stopped: bool = False) -> None:
        """Write a result whole or not at all; a finished one takes the stopped one's place."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._sweep()
        data, arrays = pack(result)
        new = Path(tempfile.mkdtemp(dir=self.root, prefix=".new-"))
        try:
            (new / "result.json").write_text(
                json.dumps({"form": FORM, "study": study.name, "result": data}, ensure_ascii=False), encoding="utf-8"
            )
            np.savez_compressed(new / "arrays.npz", **arrays)  # type: ignore[arg-type]
            place = self._place(key, stopped)
            old = place.with_name(f".old-{place.name}-{os.getpid()}")
            if place.exists():
                place.rename(old)
            new.rename(place)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        if not stopped:
            shutil.rmtree(self._place(key, True), ignore_errors=True)

    def load(self, study: Study, key: str, *, stopped: bool = False) -> Any | None:
        """The result with this key, or None when there is none that can be read."""
        places: Iterable[Path] = [self._place(key, stopped)] + ([] if stopped else [self.shipped / key])
        for place in places:
            try:
                saved = json.loads((place / "result.json").read_text(encoding="utf-8"))
                if saved["form"] != FORM or saved["study"] != study.name:
                    continue
                with np.load(place / "arrays.npz", allow_pickle=False) as arrays:
                    return unpack(study.result, saved["result"], dict(arrays))
            except FileNotFoundError:
                continue
            except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile, zlib.error):
                shutil.rmtree(place, ignore_errors=True) if place.parent == self.root else None
        return None

    def stopped(self, key: str) -> bool:
        """Whether what there is of a result is a stopped one."""
        return self._place(key, True).exists() and not self._place(key, False).exists()

    def discard(self, key: str) -> None:
        """Forget the stopped result."""
        shutil.rmtree(self._place(key, True), ignore_errors=True)

    def _sweep(self) -> None:
        """Clear away what processes that were killed while writing have left."""
        for left_over in (*self.root.glob(".new-*"), *self.root.glob(".old-*")):
            with suppress(OSError):
                if time.time() - left_over.stat().st_mtime > LEFT_OVER_SECONDS:
                    shutil.rmtree(left_over, ignore_errors=True)

    def _place(self, key: str, stopped: bool) -> Path:
        return self.root / (f"{key}.stopped" if stopped else key)
