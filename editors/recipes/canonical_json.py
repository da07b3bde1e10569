"""One spelling for JSON, so that a hash of it is the same on every machine."""

import hashlib
import json
from typing import Any


def canonical(data: Any) -> str:
    """JSON with one spelling: keys in order, no spaces, no NaN."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(data: Any) -> str:
    """SHA-256 of the canonical JSON, 24 hexadecimal digits; `ValueError` or `TypeError` for what is no strict JSON."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()[:24]
