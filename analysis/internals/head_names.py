"""A head’s name, written and read in one place."""

from analysis.errors import BadRequest


def head_name(head: tuple[int, int]) -> str:
    """A head as people write it: layer.head."""
    return f"{head[0]}.{head[1]}"


def head_shown(head: tuple[int, int]) -> str:
    """A head as pages show it: layer·head, which no one takes for a number."""
    return f"{head[0]}·{head[1]}"


def parse_head(text: str) -> tuple[int, int]:
    """Layer and head of “23.4”; `BadRequest` for what is no head."""
    layer, point, head = text.strip().replace("·", ".").partition(".")
    if not point or not layer.isdecimal() or not head.isdecimal():
        raise BadRequest(f"“{text}” is no head. Write layer and head with a point between, such as 23.4.")
    return int(layer), int(head)
