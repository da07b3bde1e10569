"""Where this workbench keeps what it can make again: converted models, results, the run history."""

import os
from pathlib import Path

import platformdirs


def cache_home() -> Path:
    """`PALIMPSEST_HOME` if that is set, else the system's cache folder for this user. Not created here."""
    chosen = os.environ.get("PALIMPSEST_HOME")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("palimpsest")
