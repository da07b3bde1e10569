"""How long nobody came back for a file, in days on which the server was used: whatever its clock says.

A clock may be years off when a machine starts, or jump while it runs; what is cleared away by age would then be lost.
So days are counted as they are met, in a list beside the files: a wrong date is one more day, as any other. A file
lasts until so many days have been met since the one it was last touched on.
"""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from analysis.whole_files import replacing

LIST = "days"
DAY = 24 * 3600
APART = DAY / 2
"""Seconds between two days that one process counts, by a clock that cannot be set."""
_counted: dict[Path, float] = {}


def clear_away(folder: Path, pattern: str, days: int) -> None:
    """Count today, once; take away files that were not touched on any of the last `days` days that were met.

    Nothing is taken away where the system does not keep the list, or does not say when a file was touched.
    """
    now = time.monotonic()
    if folder in _counted and now - _counted[folder] < APART:
        return
    with suppress(OSError):
        met, today = _met(folder), int(time.time() // DAY)
        if today not in met:
            met = [*met, today][-2 * days :]
            with replacing(folder / LIST) as fresh:
                fresh.write_text(json.dumps(met), encoding="utf-8")
        _counted[folder] = now
        for file in folder.glob(pattern):
            with suppress(OSError):
                day = int(file.stat().st_mtime // DAY)
                if day not in met:  # touched under a date that was not counted: as if today
                    os.utime(file, (met[-1] * DAY, met[-1] * DAY))
                elif len(met) - 1 - met.index(day) >= days:
                    file.unlink()


def touch(file: Path) -> None:
    """Somebody came back for a file."""
    with suppress(OSError):
        os.utime(file)


def _met(folder: Path) -> list[int]:
    """Days in the order they were met; none of a list that is at fault."""
    try:
        found = json.loads((folder / LIST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return []
    return found if isinstance(found, list) and all(type(day) is int for day in found) else []
