"""Every command with every flag, as its parser has them."""

import re
from argparse import SUPPRESS, Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator

from app.chapters.tables import table
from app.cli import parser_for
from app.registry.studies import commands as all_commands


def commands(_: str) -> str:
    """Every command with every flag, as its parser has them."""
    return "\n\n".join(f"## {one.name}\n\n{_of_command(one.name)}" for one in all_commands())


def _of_command(name: str) -> str:
    top = parser_for([name])
    own = next(action for action in top._actions if isinstance(action, _SubParsersAction)).choices[name]
    return "\n\n".join(_of_parser(own, 3))


def _of_parser(parser: ArgumentParser, level: int) -> Iterator[str]:
    yield (parser.description or "").strip()
    usage = re.sub(r"\s+", " ", parser.format_usage().removeprefix("usage: ").strip())
    yield f"```text\n{usage}\n```"
    below = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    rows = [_of_flag(action) for action in parser._actions if action.help != SUPPRESS and action not in below]
    flags = [row for row in rows if row[0] != "`-h`, `--help`"]
    if flags:
        yield table(("flag", "meaning"), iter(flags))
    for action in below:
        said = {one.dest: one.help or "" for one in action._choices_actions}
        for inner, sub in action.choices.items():
            yield f"{'#' * level} {parser.prog.removeprefix('palimpsest ')} {inner}"
            yield f"{said.get(inner, '')}."
            yield from (part for part in _of_parser(sub, level + 1) if part)


def _of_flag(action: Action) -> tuple[str, str]:
    names = ", ".join(f"`{name}`" for name in action.option_strings) or f"`{action.metavar or action.dest}`"
    choices = " ".join(map(str, action.choices or ()))
    takes = bool(action.option_strings) and action.nargs != 0
    values = f" {choices or action.metavar or action.dest.upper()}" if takes else ""
    needed = " (needed)" if action.option_strings and action.required else ""
    return (names + values).replace("<", "&lt;"), ((action.help or "").replace("%%", "%") + needed).replace("<", "&lt;")
