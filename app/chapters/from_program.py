"""What chapters say of requests, methods, protocols and forms, read from the program itself."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from app.chapters.tables import table
from app.registry.studies import ENTRIES, STUDIES
from editors.cases.files import FORMS
from editors.edit.request import EditRequest, Rewrite
from editors.evaluation.gates import DEFAULT
from editors.evaluation.result import PROTOCOLS, SHORT
from editors.registry.methods import METHODS, writing

FRAMING = ("boundary", "chat")
"""Fields that every study has; the chapter about prompts tells of them."""


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
    from editors.methods.defaults import settled  # it reads torch, for which no page waits

    model = SimpleNamespace(n_layers=30, name="", bridge=SimpleNamespace())
    fact = Rewrite(prompt="{} is", subject="a", target="b", two_hop="c")

    def rows() -> Iterator[tuple[str, ...]]:
        for method in writing():
            chosen = bool(METHODS[method].chosen_with)
            given: dict[str, Any] = {"layers": (20,), "shallow": (0,)} if chosen else {}
            full = settled(model, EditRequest(facts=(fact,), method=method, **given))  # type: ignore[arg-type]
            groups = [", ".join(map(str, group)) for group in (full.shallow, full.layers) if group]
            yield (
                f"`{method}`",
                "by their scores" if chosen else ", then ".join(groups),
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


def studies(folder: str) -> str:
    """Every study, its chapter in a folder, and what its command says of it."""
    where = f"{folder}/" if folder else ""
    rows = ((f"[`{name}`]({where}{entry.chapter})", entry.does) for name, entry in ENTRIES.items() if entry.chapter)
    return table(("study", "what it does"), rows)
