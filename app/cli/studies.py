"""`palimpsest studies`: what there is, what each study is asked, and the same as JSON Schema for programs."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from textwrap import fill
from typing import Any

from pydantic.fields import FieldInfo

from analysis.errors import BadRequest, WorkbenchError
from analysis.study import Request
from analysis.units import numbers_of, units_of
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
            schemas[entry.name] = {"question": entry.question, "does": entry.does, **_schemas(entry)}
        except WorkbenchError as error:
            faults.append(str(error))
    write_outputs(args, {"json": lambda: json.dumps(schemas, ensure_ascii=False, indent=1) + "\n"})
    if not printed(args):
        print("\n\n".join(texts + faults))
    elif faults:
        raise BadRequest("\n".join(faults))
    return int(bool(faults))


def _schemas(entry: Entry) -> dict[str, Any]:
    """JSON Schema of the request, by which a program can check one before it asks; units of all numbers."""
    kind = entry.study.request
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **kind.model_json_schema()}
    for name, unit in units_of(kind).items():
        schema["properties"][name]["unit"] = unit
    return {"request": schema, "result": {"numbers": dict(numbers_of(entry.study.result))}}


def _text(entry: Entry) -> str:
    head = [f"{entry.name}: {entry.question}", f"  palimpsest {entry.name}: {entry.does}."]
    return "\n".join([*head, *_asked(entry.study.request), *_given(entry.study.result)])


def _asked(kind: type[Request]) -> Iterable[str]:
    units = units_of(kind)
    for name, field in kind.model_fields.items():
        unit = f"; {units[name]}" if name in units else ""
        default = "needed" if field.is_required() else f"default {_default(field)}"
        yield _filled(f"{name}: {field.description or '–'} ({default}{unit})")


def _given(result: type) -> Iterable[str]:
    said = [f"{name} ({unit or 'number'})" for name, unit in numbers_of(result)]
    if said:
        yield _filled(f"gives {', '.join(said)}")


def _filled(text: str) -> str:
    return fill(text, WIDTH, initial_indent="    ", subsequent_indent="      ")


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    return "none" if value is None else json.dumps(value, ensure_ascii=False, default=str)
