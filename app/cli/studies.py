"""`palimpsest studies`: what there is, what each study is asked, and the same as JSON Schema for programs."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from textwrap import fill
from typing import Any

from pydantic.fields import FieldInfo

from analysis.errors import BadRequest, WorkbenchError
from app.registry.entry import Entry
from app.registry.studies import ENTRIES
from app.terminal.files import add_outputs, check_outputs, printed, write_outputs

WIDTH = 100


def configure(parser: ArgumentParser, _: str) -> None:
    """Give the command its flags."""
    parser.add_argument("names", nargs="*", metavar="STUDY", help="only these (default: all)")
    add_outputs(parser, "json", bare=True)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Show them; 1 where the fields of one cannot be read."""
    check_outputs(args)
    if unknown := [name for name in args.names if name not in ENTRIES]:
        raise BadRequest(f"There is no study “{unknown[0]}”. There are: {', '.join(ENTRIES)}.")
    asked = [ENTRIES[name] for name in args.names] or list(ENTRIES.values())
    texts, schemas, faults = [], {}, []
    for entry in asked:
        try:
            texts.append(_text(entry))
            schemas[entry.name] = {"question": entry.question, "does": entry.does, "request": _schema(entry)}
        except WorkbenchError as error:
            faults.append(str(error))
    write_outputs(args, {"json": lambda: json.dumps(schemas, ensure_ascii=False, indent=1) + "\n"})
    if not printed(args):
        print("\n\n".join(texts + faults))
    elif faults:
        raise BadRequest("\n".join(faults))
    return int(bool(faults))


def _schema(entry: Entry) -> dict[str, Any]:
    """JSON Schema of the request, by which a program can check one before it asks."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **entry.study.request.model_json_schema()}


def _text(entry: Entry) -> str:
    fields = entry.study.request.model_fields
    return "\n".join([f"{entry.name}: {entry.question}", f"  palimpsest {entry.name}: {entry.does}.", *_lines(fields)])


def _lines(fields: dict[str, FieldInfo]) -> Iterable[str]:
    for name, field in fields.items():
        said = field.description or "–"
        default = "needed" if field.is_required() else f"default {_default(field)}"
        yield fill(f"{name}: {said} ({default})", WIDTH, initial_indent="    ", subsequent_indent="      ")


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    return "none" if value is None else json.dumps(value, ensure_ascii=False, default=str)
