"""Where things lie: the project, its app, and the public records beside it, where there are any."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAIN = ROOT / "app" / "main.py"
DATA = ROOT.parent / "shared" / "data"
