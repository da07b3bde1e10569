"""A study as the Python that runs it again, and cells of Python as a Jupyter notebook.

The Python says only what was given, so it reads like the request. It brings the edits a result was made under from
their recipes, which lie beside the notebook.
"""

import json
from typing import Any

from analysis import ModelSpec
from analysis.study import Request
from analysis.text.markdown import as_text
from app.exports.heading import edits_of, heading, study_of
from app.registry.studies import ENTRIES, STUDIES

CHECKED = """same = result.model["weights_hash"] == WEIGHTS
print("The same weights and edits." if same else "Other weights or edits than those of the result taken away.")
"""
SHOWN = """from app.exports.tables import table

table(result)
"""


def notebook(study_name: str, request: Request, spec: ModelSpec | None = None, edits: tuple[str, ...] = ()) -> str:
    """Python that runs `request`, on top of the edits with these ids, and leaves its result in `result`."""
    study = STUDIES[study_name]
    run, kind = study.run.__name__, type(request).__name__
    fields = "".join(f"    {name}={_literal(value)},\n" for name, value in request.given().items())
    call = f"{kind}(\n{fields})" if fields else f"{kind}()"
    floor = study.run.__module__
    over = bool(edits) and not study.on_edits  # the study does not apply edits itself
    needed: dict[str, list[str]] = {floor: [run]}
    needed.setdefault(ENTRIES[study_name].request.partition(":")[0], []).append(kind)
    needed.setdefault("analysis", []).append("load")
    if over:
        needed.setdefault("editors", []).append("written_over")
    if edits:
        needed["app.exports.recipes_here"] = ["recipes_here"]
    imports = "".join(_import(place, needed[place]) for place in sorted(needed))
    stack = f"stack = recipes_here({', '.join(map(_literal, edits))})\n" if edits else ""
    asked = f"result = {run}(lm, request{', stack=stack' if edits and study.on_edits else ''})\n"
    asked = f"with written_over(lm, stack):\n    {asked}" if over else asked
    return f"{imports}\nlm = load({_model(spec)})\nrequest = {call}\n{stack}{asked}"


def result_code(result: Any) -> str:
    """Python that computes a result again, on the model and under the edits it was made with."""
    return notebook(study_of(result), result.request, spec_of(result.model), tuple(edits_of(result)))


def result_notebook(result: Any) -> str:
    """The same as a Jupyter notebook, a JSON string: what it is of, how to bring its edits, code, check and table."""
    over, edits = heading(result), edits_of(result)
    title = (
        f"# {as_text(over.question)}\n\n{as_text(over.asked)}\n\n{as_text(over.model)}. {as_text(over.made)}, "
        f"`{over.name}`.\n\nRun it in an environment where Palimpsest is installed (`pip install palimpsest`). The "
        "numbers are the same on the same machine; elsewhere they may differ in their last digits."
    )
    if edits:
        named = "\n".join(f"- edit `{one}`" for one in edits)
        title += (
            "\n\nThe result was made with edits on, lowest first:\n\n"
            f"{named}\n\nTake each away as a recipe (Edit page, Take it away) and put its .zip beside this notebook."
        )
    return cells_file(
        title, result_code(result), CHECKED.replace("WEIGHTS", _literal(result.model["weights_hash"])), SHOWN
    )


def spec_of(model: dict[str, Any]) -> ModelSpec:
    """How to load the model of a result."""
    return ModelSpec(source=model["source"], revision=model["revision"], dtype=model["dtype"])


def _import(place: str, names: list[str]) -> str:
    return f"from {place} import {', '.join(sorted(set(names), key=lambda name: (name.islower(), name)))}\n"


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
