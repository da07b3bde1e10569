"""A study as the Python that runs it again, and cells of Python as a Jupyter notebook.

The Python says only what was given, so it reads like the request.
"""

import json
from typing import Any

from analysis import ModelSpec
from analysis.study import Request
from app.studies import STUDIES


def notebook(study_name: str, request: Request, spec: ModelSpec | None = None, recipes: tuple[str, ...] = ()) -> str:
    """Python that runs `request`, on top of the edits in `recipes`, and leaves its result in `result`."""
    study = STUDIES[study_name]
    run, kind = study.run.__name__, type(request).__name__
    fields = "".join(f"    {name}={_literal(value)},\n" for name, value in request.given().items())
    call = f"{kind}(\n{fields})" if fields else f"{kind}()"
    floor = study.run.__module__
    more = [*(["load"] if floor == "analysis" else []), *(["read_recipe"] if recipes else [])]
    names = ", ".join(sorted((kind, run, *more), key=lambda n: (n.islower(), n)))
    loads = "" if floor == "analysis" else "from analysis import load\n"
    stack = f"stack = [{', '.join(f'read_recipe({_literal(place)})' for place in recipes)}]\n" if recipes else ""
    return (
        f"{loads}from {floor} import {names}\n\nlm = load({_model(spec)})\nrequest = {call}\n{stack}"
        f"result = {run}(lm, request{', stack=stack' if recipes else ''})\n"
    )


def cells_file(title: str, *code: str) -> str:
    """A Jupyter notebook (nbformat 4.5) of a text and some cells of Python, a JSON string."""
    empty: dict[str, Any] = {"execution_count": None, "outputs": []}
    cells = [
        {"cell_type": "code", "id": f"code-{number}", "metadata": {}, **empty, "source": source.rstrip("\n")}
        for number, source in enumerate(code, start=1)
    ]
    return json.dumps(
        {
            "cells": [{"cell_type": "markdown", "id": "title", "metadata": {}, "source": title}, *cells],
            "metadata": {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        },
        ensure_ascii=False,
        indent=1,
    )


def _model(spec: ModelSpec | None) -> str:
    given = spec.model_dump(exclude_defaults=True) if spec else {}
    source = [_literal(given.pop("source"))] if "source" in given else []
    return ", ".join(source + [f"{name}={_literal(value)}" for name, value in given.items()])


def _literal(value: Any) -> str:
    """Python for plain JSON data, text in double quotes, lists as tuples."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(name)}: {_literal(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "(" + "".join(f"{_literal(item)}, " for item in value).rstrip(" " if len(value) == 1 else ", ") + ")"
    return repr(value)
