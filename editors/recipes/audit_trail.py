"""The audit trail of a recipe: who did what with it, and when; events are added, never changed.

Each event holds the hash of the one before it, the first the recipe's id. So none can be altered, left out, moved or
carried over to another recipe unnoticed. The trail lies beside the recipe under “audit” and is no part of what the
recipe's id is a hash of, else every event would make another recipe of it; recipes without one are as good as before.

What a chain cannot show is that its end was cut off, or that all of it was written anew by someone else. Whoever must
know notes the head, the last event's hash, elsewhere: a trail that grew from it holds it still.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from analysis.errors import BadRequest
from editors.recipes.canonical_json import content_hash

What = Literal["written", "evaluated", "admitted", "held", "rejected", "exported", "applied", "note"]
FIELDS = ("number", "at", "what", "who", "detail", "previous", "hash")
Event = dict[str, Any]


def appended(
    trail: Sequence[Event],
    what: What,
    who: str,
    detail: dict[str, Any] | None = None,
    *,
    recipe: str,
    at: str | None = None,
) -> list[Event]:
    """The trail with one event more; `at` is ISO 8601 in UTC, now when left out.

    `BadRequest` for a trail that does not hold, and for an event that could not be kept.
    """
    if problems := faults(trail, recipe):
        raise BadRequest(f"{problems[0]} Nothing was added.")
    if what not in get_args(What):
        raise BadRequest(f"There is no event “{what}”. Take one of {', '.join(get_args(What))}.")
    if not who.strip():
        raise BadRequest("An event has no name of who did it. Say who.")
    event: Event = {
        "number": len(trail) + 1,
        "at": at or datetime.now(UTC).isoformat(timespec="seconds"),
        "what": what,
        "who": who.strip(),
        "detail": detail or {},
        "previous": head(trail, recipe),
    }
    try:
        event["hash"] = event_hash(event)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadRequest(f"The event cannot be kept as strict JSON ({error}). Nothing was added.") from error
    return [*trail, event]


def head(trail: Sequence[Event], recipe: str) -> str:
    """Hash of the last event; the recipe's id where there is none yet."""
    return trail[-1]["hash"] if trail else recipe


def event_hash(event: Event) -> str:
    """Hash of everything an event says but its hash."""
    return content_hash({name: value for name, value in event.items() if name != "hash"})


def faults(trail: Any, recipe: str, noted: str = "") -> list[str]:
    """What is wrong with a trail: the first event that is, and whether the head `noted` elsewhere is missing."""
    if not isinstance(trail, list | tuple):
        return ["The audit trail is not a list of events."]
    found: list[str] = []
    previous = recipe
    for place, event in enumerate(trail, start=1):
        if fault := _fault(trail, place, event, previous):
            found.append(fault)
            break
        previous = event["hash"]
    if noted and noted != recipe and not any(isinstance(one, dict) and one.get("hash") == noted for one in trail):
        found.append(f"The audit trail does not reach the event {noted}: its end was cut off, or it is another trail.")
    return found


def _fault(trail: Sequence[Any], place: int, event: Any, previous: str) -> str | None:
    if not isinstance(event, dict) or event.keys() != set(FIELDS) or not _readable(event):
        return f"Event {place} of the audit trail is not an event: it has {', '.join(FIELDS)}."
    try:
        own = event_hash(event)
    except (ValueError, TypeError, RecursionError):
        own = ""
    if event["hash"] != own:
        return f"Event {place} of the audit trail was altered."
    if event["number"] != place:
        later = any(isinstance(one, dict) and one.get("number") == place for one in trail[place:])
        became = "stands in another place" if later else "is missing"
        return f"Event {place} of the audit trail {became}; event {event['number']} is where it should be."
    if event["previous"] != previous:
        if place == 1:
            return f"The audit trail is that of another recipe, {event['previous']}."
        return f"Event {place} of the audit trail does not follow from the one before it: one of the two was replaced."
    return None


def _readable(event: Event) -> bool:
    texts = ("at", "what", "who", "previous", "hash")
    return (
        all(isinstance(event[name], str) for name in texts)
        and event["what"] in get_args(What)
        and isinstance(event["detail"], dict)
        and type(event["number"]) is int
    )
