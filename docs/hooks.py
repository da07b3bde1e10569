"""What of these pages is produced from the program when they are built, so that nothing is copied by hand.

A page says `<!-- defaults: trace -->` where a table is to stand; `PRODUCERS` has every such word. The functions need no
mkdocs, and tests/app/test_docs.py runs them without it. Below them is what mkdocs calls.
"""

import json
import re
from argparse import SUPPRESS, Action, ArgumentParser, _SubParsersAction
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

from app.cli import parser_for
from app.registry.studies import ENTRIES, STUDIES
from app.registry.studies import commands as all_commands
from editors.cases.files import FORMS
from editors.edit.request import EditRequest, MethodName, Rewrite
from editors.evaluation.gates import DEFAULT
from editors.evaluation.result import PROTOCOLS, SHORT
from editors.methods.defaults import settled

MARKER = re.compile(r"<!-- (\w+)(?:: ([\w-]+))? -->")
STATIC = Path(__file__).resolve().parent.parent / "app" / "static"
FIGURES = Path(__file__).resolve().parent / "figures"
FONTS = (
    "commissioner-latin-wght-normal.woff2",
    "commissioner-latin-ext-wght-normal.woff2",
    "eb-garamond-latin-wght-normal.woff2",
    "eb-garamond-latin-wght-italic.woff2",
    "ibm-plex-mono-latin-400-normal.woff2",
    "ibm-plex-mono-latin-600-normal.woff2",
    "icon.svg",
)
FETCHED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//", re.IGNORECASE)
FRAMING = ("boundary", "chat")
"""Fields that every study has; the page about chats tells of them."""


def table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def defaults(study: str) -> str:
    """The fields of a study's request, their defaults, what they mean."""

    def rows() -> Iterator[tuple[str, ...]]:
        for name, field in STUDIES[study].request.model_fields.items():
            if name not in FRAMING:
                value = "needed" if field.is_required() else _shown(field.get_default())
                yield f"`{name}`", value, field.description or ""

    return table(("field", "default", "meaning"), rows())


def _shown(value: Any) -> str:
    if value is None:
        return "left out"
    if isinstance(value, tuple):
        return ", ".join(f"`{part}`" for part in value) or "none"
    return "`yes`" if value is True else "`no`" if value is False else f"`{value}`"


def filled(_: str) -> str:
    """What each editor fills in for a model of 30 layers with rotary positions, as the embedded one is."""
    model = SimpleNamespace(n_layers=30, name="", bridge=SimpleNamespace())
    fact = Rewrite(prompt="{} is", subject="a", target="b", two_hop="c")

    def rows() -> Iterator[tuple[str, ...]]:
        for method in get_args(MethodName):
            if method == "prune":
                continue
            given: dict[str, Any] = {"layers": (20,), "shallow": (0,)} if method == "ace" else {}
            full = settled(model, EditRequest(facts=(fact,), method=method, **given))  # type: ignore[arg-type]
            layers = ", ".join(map(str, full.layers or ()))
            if method == "ifmet":
                layers = f"{', '.join(map(str, full.shallow or ()))}, then {layers}"
            yield (
                f"`{method}`",
                "by their scores" if method == "ace" else layers,
                str(full.steps),
                f"{full.rate:g}",
                f"{full.norm:g} a weight" if full.norm else f"{full.clamp:g}",
            )

    return table(("`--method`", "layers", "steps", "rate", "bound"), rows())


def protocols(_: str) -> str:
    """Every protocol of an evaluation."""
    return table(("protocol", "says"), ((f"`{name}`", text) for name, text in PROTOCOLS.items()))


def kinds(_: str) -> str:
    """The field's short names of the likelihood protocol."""
    return table(("prompts", "the field's name"), ((f"`{kind}`", name) for kind, name in SHORT.items()))


def forms(_: str) -> str:
    """Files of cases that are read, and the fields they are told by."""
    known = ((name, ", ".join(f"`{field}`" for field in sorted(fields))) for name, (_, fields) in FORMS.items())
    return table(("form", "told by these fields"), known)


def gate(_: str) -> str:
    """The default gate."""
    rows = (
        (f"`{one.protocol}`", one.kind, f"{one.measure} {one.direction} {one.value:g}", one.source)
        for one in DEFAULT.thresholds
    )
    return table(("protocol", "prompts", "must be", "where from"), rows)


SHARES = {
    "ES": "the fact (ES)",
    "PS": "other wordings (PS)",
    "NS": "neighbours (NS)",
    "DNS": "behind the new fact (DNS)",
    "RS": "the subject's others (RS)",
}
EDITORS = {
    "none": "no edit",
    "rome": "ROME",
    "memit": "MEMIT",
    "emmet": "EMMET",
    "pmet": "PMET",
    "alphaedit": "AlphaEdit",
    "rome_sadr": "ROME + SADR",
    "ace": "ACE",
    "ft": "FT-L, at its published bound",
}


def evaluated(_: str) -> str:
    """What `palimpsest bench evaluate` last printed of our own facts, from docs/figures/evaluate.json."""
    stored = json.loads((FIGURES / "evaluate.json").read_text(encoding="utf-8"))
    values = {figure["name"]: figure for figure in stored["figures"]}

    def share(figure: dict[str, Any]) -> str:
        mean, low, high = (round(figure[bound] or 0) for bound in ("value", "low", "high"))
        low, high = max(0, low), min(100, high)
        return str(mean) if low == high else f"{mean} [{low}, {high}]"

    def rows() -> Iterator[tuple[str, ...]]:
        for method, name in EDITORS.items():
            shares = [share(values[f"own.{method}.{short}"]) for short in SHARES]
            yield name, *shares, f"{values[f'own.{method}.S']['value']:.1f}"

    return table(("", *SHARES.values(), "S"), rows())


def studies(_: str) -> str:
    """Every study and what its command says of it."""
    return table(("study", "what it does"), ((f"`{name}`", entry.does) for name, entry in ENTRIES.items()))


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


PRODUCERS: dict[str, Callable[[str], str]] = {
    "evaluated": evaluated,
    "defaults": defaults,
    "filled": filled,
    "protocols": protocols,
    "kinds": kinds,
    "forms": forms,
    "gate": gate,
    "studies": studies,
    "commands": commands,
}


def produced(markdown: str) -> str:
    """A page with every marker replaced; `KeyError` for a marker or a study there is none of."""
    return MARKER.sub(lambda found: PRODUCERS[found[1]](found[2] or ""), markdown)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs with each page."""
    return produced(markdown)


def on_files(files: Any, config: Any) -> Any:
    """Called by mkdocs with all files: the app's own fonts and sign go with the pages."""
    from mkdocs.structure.files import File

    for name in FONTS:
        files.append(File.generated(config, f"style/{name}", abs_src_path=str(STATIC / name)))
    return files


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Called by mkdocs with each finished page: nothing may be fetched from elsewhere when it is read."""
    if found := FETCHED.search(output):
        from mkdocs.exceptions import PluginError

        raise PluginError(f"{page.file.src_uri} would fetch something from elsewhere: {found[0]}")
    return output
