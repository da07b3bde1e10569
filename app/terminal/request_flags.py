"""Flags from requests: a field of a request is a flag of its command, with the same name and help."""

import sys
from argparse import SUPPRESS, ArgumentParser, BooleanOptionalAction, Namespace
from collections.abc import Collection
from typing import Any, Literal, get_args, get_origin

from huggingface_hub.utils import enable_progress_bars
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from transformers.utils import logging

from analysis import LanguageModel, ModelSpec, load
from analysis.errors import BadRequest
from analysis.one_of import OneOf
from analysis.study import Report
from app.session.permalinks import nested_of, validated

MODEL_FLAGS = {"source": "model"}
"""Fields of `ModelSpec` whose flag has another name."""


def add_fields(
    parser: Any, kind: type[BaseModel], names: dict[str, str] | None = None, *, leave_out: Collection[str] = ()
) -> None:
    """A flag for every field of `kind`; lists are repeated or separated by commas, sentences only repeated."""
    for field_name, field in kind.model_fields.items():
        if field_name in leave_out:
            continue
        flag = (names or {}).get(field_name, field_name).replace("_", "-")
        options: dict[str, Any] = {
            "dest": field_name,
            "required": field.is_required(),
            "default": SUPPRESS,
            "help": _help(field),
        }
        parts = _parts(field.annotation)
        if (nested := nested_of(field.annotation)) is not None:
            _add_nested(parser, field_name, flag, options, nested)
            continue
        if bool in parts:
            parser.add_argument(f"--{flag}", action=BooleanOptionalAction, **options)
            continue
        several = any(get_origin(part) is tuple for part in parts)
        flags = [f"--{flag}", f"--{flag[:-1]}"] if several and flag.endswith("s") else [f"--{flag}"]
        parser.add_argument(
            *flags, action="append" if several else "store", metavar=_metavar(field_name, field, parts), **options
        )


def _add_nested(parser: Any, name: str, flag: str, options: dict[str, Any], kind: type[BaseModel]) -> None:
    """A model within a request: a flag that it is there, and one for each of its fields, which says so too."""
    parser.add_argument(f"--{flag}", action="store_true", **options)
    for inner, field in kind.model_fields.items():
        within = {"dest": f"{name}.{inner}", "default": SUPPRESS, "help": _help(field)}
        if bool in _parts(field.annotation):
            parser.add_argument(f"--{flag}-{inner}", action=BooleanOptionalAction, **within)
        else:
            parser.add_argument(f"--{flag}-{inner}", metavar="TEXT", **within)


def fields_of(args: Namespace, kind: type[BaseModel], **given: Any) -> Any:
    """The request said by the flags, and by `given`; raises `BadRequest` with every field at fault."""
    return validated(kind, said(args, kind) | given)


def said(args: Namespace, kind: type[BaseModel]) -> dict[str, Any]:
    """The fields of `kind` the flags say, as they were typed; lists in their parts."""
    values = {name: getattr(args, name) for name in kind.model_fields if hasattr(args, name)}
    for name, field in kind.model_fields.items():
        if (nested := nested_of(field.annotation)) is not None:
            given = {
                inner: getattr(args, f"{name}.{inner}")
                for inner in nested.model_fields
                if hasattr(args, f"{name}.{inner}")
            }
            values |= {name: given} if given or name in values else {}
    return {
        name: _listed(name, value, kind.model_fields[name]) if isinstance(value, list) else value
        for name, value in values.items()
    }


def _listed(name: str, words: list[str], field: FieldInfo) -> list[str]:
    """The parts of a list; sentences may hold commas, so each of them has a flag of its own."""
    if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("sentences"):
        parts = [word.strip() for word in words if word.strip()]
    else:
        parts = [part.strip() for word in words for part in word.split(",") if part.strip()]
    if not parts:
        raise BadRequest(f"{name}: nothing is named. Name at least one, or leave the flag out.")
    return parts


def add_model_flags(parser: ArgumentParser) -> None:
    """--model, --revision, --device, --dtype, --device-map."""
    add_fields(parser.add_argument_group("model"), ModelSpec, MODEL_FLAGS)


def follow(args: Namespace, model: dict[str, Any]) -> None:
    """Take the model an edit was made for, with its commit and precision, where the flags name no other."""
    if not hasattr(args, "source"):
        args.source = model["source"]
        if not hasattr(args, "revision"):
            args.revision = model.get("commit") or model["revision"]
    if not hasattr(args, "dtype"):
        args.dtype = model["dtype"]


def loaded(args: Namespace, report: Report) -> LanguageModel:
    """The model said by the flags. Bars of downloads stay on a terminal; those of reading weights are ours."""
    logging.disable_progress_bar()
    if sys.stderr.isatty():
        enable_progress_bars()
    return load(fields_of(args, ModelSpec), report=report)


def _parts(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of `X | None`, without None."""
    alternatives = get_args(annotation) if type(None) in get_args(annotation) else (annotation,)
    return tuple(part for part in alternatives if part is not type(None))


def _metavar(name: str, field: FieldInfo, parts: tuple[Any, ...]) -> str:
    if known := [one for one in field.metadata if isinstance(one, OneOf)]:
        return "{" + ",".join(known[0].words()) + "}"
    if get_origin(parts[0]) is Literal:
        return "{" + ",".join(map(str, get_args(parts[0]))) + "}"
    if get_origin(parts[0]) is tuple:
        return f"{name.removesuffix('s').upper()},…"
    return {int: "N", float: "X"}.get(parts[0], name.upper())


def _help(field: FieldInfo) -> str:
    default = field.get_default()
    shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
    known = "" if field.is_required() or shown in (None, "") else f" (default: {shown})"
    return f"{field.description or ''}{known}".replace("%", "%%")
