"""Signatures of a recipe: whose key says that this is the recipe, with these factors and this trail (Ed25519).

They lie beside the recipe under “signatures” and are no part of what its id is a hash of. Each covers the canonical
JSON, the hash of the factors, and the events of the audit trail up to the one it names: later events are not covered,
and an earlier one cannot be taken away. The name in a signature is what the signer calls themself. Only the key proves
anything, so its fingerprint is always shown with the name; whoever must know compares it with one they were given.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from analysis.errors import BadFile, BadRequest
from analysis.text.characters import unfit
from editors.recipes.audit_trail import head
from editors.recipes.canonical_json import canonical
from editors.recipes.recipe import content_of

SCHEMA = "palimpsest-signature/1"
MOST = 16
LONGEST_NAME = 100
LARGEST_KEY = 1 << 16
"""Bytes of a key's file."""


@dataclass(frozen=True)
class Standing:
    """One signature of a recipe as it stands now."""

    who: str
    key: str
    holds: bool
    later: int
    """Events of the trail that came after it."""

    @property
    def sentence(self) -> str:
        """In words."""
        if not self.holds:
            return f"the signature in the name “{self.who}” does not hold: something was altered since, or it is forged"
        after = f", before the last {self.later} events" if self.later > 1 else ", before the last event"
        return f"signed by “{self.who}”, key {fingerprint(self.key)}{after if self.later else ''}"


def new_key() -> bytes:
    """A new private key as PEM (PKCS #8, not encrypted)."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_key(place: Path) -> Ed25519PrivateKey:
    """The private key of a PEM file; `BadFile` where it holds none of Ed25519."""
    try:
        if place.stat().st_size > LARGEST_KEY:
            raise BadFile(f"{place} is too large for a key.")
        key = load_pem_private_key(place.read_bytes(), password=None)
    except OSError as error:
        raise BadFile(
            f"{place} cannot be read ({error.strerror or error}). Make a key with palimpsest recipe key new."
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadFile(f"{place} holds no private key that can be read: PEM, not encrypted.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadFile(f"{place} holds a key of another kind. Recipes are signed with Ed25519.")
    return key


def public_of(key: Ed25519PrivateKey) -> str:
    """The public half, 64 hexadecimal digits."""
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def fingerprint(public: str) -> str:
    """What people compare of a public key: 20 digits of its SHA-256, in fives."""
    digits = hashlib.sha256(bytes.fromhex(public)).hexdigest()[:20]
    return "-".join(digits[at : at + 5] for at in range(0, 20, 5))


def signed(recipe: dict[str, Any], key: Ed25519PrivateKey, who: str, at: str | None = None) -> dict[str, Any]:
    """The recipe, which has no faults, with a signature of this key in the place of an earlier one of the same key.

    `BadRequest` for a name that is none, and where there are `MOST` signatures of other keys.
    """
    name = who.strip()
    if not name or len(name) > LONGEST_NAME or unfit(name) or len(name.splitlines()) > 1:
        raise BadRequest(
            f"A signature has a name of 1 to {LONGEST_NAME} characters in a line. Say whose it is: --who NAME."
        )
    trail = recipe.get("audit", [])
    one = {
        "who": name,
        "at": at or datetime.now(UTC).isoformat(timespec="seconds"),
        "key": public_of(key),
        "events": len(trail),
        "head": head(trail, recipe["id"]),
    }
    one["signature"] = key.sign(_message(recipe, one)).hex()
    others = [other for other in recipe.get("signatures") or [] if other["key"] != one["key"]]
    if len(others) >= MOST:
        raise BadRequest(f"The recipe has {len(others)} signatures, and at most {MOST} are kept. Nothing was added.")
    return recipe | {"signatures": [*others, one]}


def standings(recipe: dict[str, Any]) -> list[Standing]:
    """How the signatures of a recipe without faults stand, in their order."""
    trail = recipe.get("audit") or []
    return [
        Standing(one["who"], one["key"], _holds(recipe, one), max(0, len(trail) - one["events"]))
        for one in recipe.get("signatures") or []
    ]


def told(recipe: dict[str, Any]) -> str:
    """All of it in a line: by whom, whose does not hold, or that nobody signed."""
    return "; ".join(one.sentence for one in standings(recipe)) or "not signed"


def _message(recipe: dict[str, Any], one: dict[str, Any]) -> bytes:
    """What is signed."""
    said = {
        "schema": SCHEMA,
        "recipe": hashlib.sha256(canonical(content_of(recipe)).encode()).hexdigest(),
        "factors": recipe["artefact"]["sha256"],
        **{name: one[name] for name in ("who", "at", "key", "events", "head")},
    }
    return canonical(said).encode()


def _holds(recipe: dict[str, Any], one: dict[str, Any]) -> bool:
    trail: Sequence[dict[str, Any]] = recipe.get("audit") or []
    if one["events"] > len(trail) or head(trail[: one["events"]], recipe["id"]) != one["head"]:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(one["key"])).verify(
            bytes.fromhex(one["signature"]), _message(recipe, one)
        )
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True
