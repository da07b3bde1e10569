"""What a visited server has stored, read from its home by whoever started it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.jobs.store import ResultStore
from app.registry.studies import STUDIES


def results(home: Path, study: str) -> Iterator[Any]:
    """Every finished result of a study."""
    store = ResultStore(home / "results")
    for place in sorted(store.root.glob("*/result.json")):
        if json.loads(place.read_text(encoding="utf-8"))["study"] != study:
            continue
        found = store.load(STUDIES[study], place.parent.name)
        if found is not None:
            yield found
