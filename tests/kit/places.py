"""Where things lie: the project, its app, and the public records beside it, where there are any."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAIN = ROOT / "app" / "main.py"
DATA = ROOT.parent / "shared" / "data"


def records(name: str) -> Path:
    """A file of public records; the test is skipped where they do not lie beside the project."""
    if not (DATA / name).exists():
        pytest.skip(f"{name} does not lie beside this checkout")
    return DATA / name
