"""Where the project’s own files lie: facts, chains, questions, texts, stored results."""

from pathlib import Path

ASSETS = Path(__file__).resolve().parent.parent / "assets"
