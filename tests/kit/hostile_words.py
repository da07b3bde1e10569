"""Commands with every flag set to what no flag can be: the words, in process, with no model behind them."""

import os
import random
from argparse import Action, ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

from app.cli import parser_for

PROMPT = ["--prompt", "the old tower of Aldra stands in a city"]
FACT = ["--prompt", "{} stands in a city", "--subject", "the old tower", "--target", "river"]
BASE: dict[str, list[str]] = {
    "serve": [],
    "model info": [],
    "model pull": [],
    "model check": [],
    "studies": [],
    "trace": [*PROMPT, "--subject", "tower"],
    "average": [],
    "lens": PROMPT,
    "drift": [*PROMPT, "--subject", "tower", "--recipe", "RECIPE"],
    "patch": [*PROMPT, "--subject", "tower", "--head", "1.1", "--recipe", "RECIPE"],
    "drifts": ["--recipe", "RECIPE"],
    "moved": ["--recipe", "RECIPE"],
    "heads": [*PROMPT, "--subject", "tower", "--context", "river"],
    "conflict": [],
    "knockout": [],
    "transfer": [],
    "neurons": PROMPT,
    "hops": [],
    "reach": [],
    "edit": FACT,
    "apply": ["RECIPE"],
    "recipe verify": ["RECIPE"],
    "stats": [],
    "prune": ["--head", "1.1"],
    "layers": FACT,
    "evaluate": [],
    "lm-eval": ["--tasks", "piqa"],
    "lifelong": [],
    "quiz": [],
    "abilities": [],
    "generate": PROMPT,
    "facts": [],
    "sweep lens": [],
    "report": ["FILE"],
    "data check": ["CASES"],
    "bench tracing": [],
}
"""Words with which a command goes on to its work."""


def places(folder: Path) -> dict[str, str]:
    """Files of every wrong kind, by what is wrong with them."""
    (folder / "empty").write_bytes(b"")
    (folder / "binary").write_bytes(bytes(range(256)) * 20)
    (folder / "head.csv").write_text("prompt,subject,target\n", encoding="utf-8")
    (folder / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    (folder / "list.json").write_text("[]", encoding="utf-8")
    (folder / "null.json").write_text("null", encoding="utf-8")
    names = {
        name: str(folder / name) for name in ("empty", "binary", "head.csv", "deep.json", "list.json", "null.json")
    }
    return names | {"folder": str(folder), "missing": str(folder / "none"), "in a file": str(folder / "empty" / "x"),
                    "endless name": "a" * 5000}  # fmt: skip


VALUES = {
    "empty": "", "space": " ", "negative": "-1", "zero": "0", "huge": "9" * 30, "far": "1e400", "nan": "nan",
    "inf": "inf",    "word": "abc", "not UTF-8": os.fsdecode(b"\xff\xfea"), "comma": ",", "long": "a" * 20_000,
    "bidi": "\u202ea", "braces": "{}", "markup": "[x](http://evil.example)",
}  # fmt: skip


def actions(command: str) -> list[Action]:
    """What a command can be told."""
    parser: ArgumentParser = parser_for(command.split())
    for word in command.split():
        listed = [one for one in parser._actions if isinstance(one, _SubParsersAction)]
        if listed:
            parser = listed[0].choices[word]
    return [one for one in parser._actions if one.nargs != 0 and not isinstance(one, _SubParsersAction)]


def cases(command: str, wrong: dict[str, str], some: int | None = None) -> Iterator[tuple[str, list[str]]]:
    """A command's words with one thing in them that is not right, and what that is; with `some` so many of a flag."""
    for action in actions(command):
        chance = random.Random(f"{command} {action.dest}")
        for what, value in chance.sample(list(wrong.items()), some or len(wrong)):
            flag = action.option_strings[0] if action.option_strings else action.dest
            words = [f"{flag}={value}"] if action.option_strings else [value]
            yield f"{flag} {what}", [*command.split(), *(BASE[command] if action.option_strings else []), *words]
