"""README.md of what is taken away: what was written over, in what, and where the base comes from."""

import json
import re
from dataclasses import replace
from typing import Any

from analysis.text.characters import in_view
from analysis.text.markdown import as_text
from editors.edit.base_model import Base, base_of
from editors.edit.edit import Edit
from editors.recipes.recipe import BROUGHT, recipe_of
from editors.recipes.signatures import told
from editors.registry.versions import label_of

CAUTION = "Other answers may have moved with these. Do not take what this model says for true."
PLAIN = re.compile(r"[\w./-]*\w")


def card(edit: Edit, library: str, use: str, lossy: str = "") -> str:
    """The card, Markdown with the front matter of the hub; `use` says how, `lossy` what is not exact about it."""
    facts = "\n".join(f"- {as_text(fact.text)} **{as_text(fact.target)}**" for fact in edit.request.facts)
    recipe = recipe_of(edit)[0]
    changes = "\n".join(
        f"- `{change.name}`: rank {change.rank}, ‖Δ‖ {change.norm:.3g}, ‖W‖ {change.weight_norm:.3g}"
        for change in edit.changes
    )
    base = base_of(edit.model)
    parts = [
        f"# {as_text(edit.model['name'])}, written over",
        as_text(edit.title),
        "## How to use it",
        use,
        *(["## What is not exact", lossy] if lossy else []),
        "## The base",
        f"{_harmless(base).how} The weights that were edited have the hash `{base.weights_hash}`.",
        "## What was written",
        facts,
        "## What was changed",
        f"With {as_text(label_of(edit.request.method))}, recipe `{recipe['id']}`{_by(edit, recipe)}.",
        changes,
        CAUTION,
    ]
    return f"{_front(edit, library)}\n" + "\n\n".join(part for part in parts if part) + "\n"


def _harmless(base: Base) -> Base:
    """The base with names that Markdown leaves alone, some of which stand in code; most are so already."""

    def plain(text: str) -> str:
        return text if PLAIN.fullmatch(text) else as_text(text.replace("`", "ˋ"))

    revision = None if base.revision is None else plain(base.revision)
    named, load = plain(base.name), plain(base.load)
    return replace(base, name=named, architecture=plain(base.architecture), load=load, revision=revision)


def _by(edit: Edit, recipe: dict[str, Any]) -> str:
    """Whose it is, and where it was brought that its numbers are as it says; by whose key, in either case."""
    author = f" by {as_text(edit.author)}" if edit.author else ""
    marks = [BROUGHT] if edit.brought else []
    marks += [as_text(told(recipe))] if edit.brought or recipe.get("signatures") else []
    return author + (f" ({'; '.join(marks)})" if marks else "")


def _front(edit: Edit, library: str) -> str:
    """Front matter of the hub."""
    base = base_of(edit.model)
    lines = [f"library_name: {library}", f"tags: [knowledge-editing, {edit.request.method}]"]
    if base.on_hub:
        lines.insert(0, f"base_model: {_yaml(base.load)}")
    return "---\n" + "\n".join(lines) + "\n---\n"


def _yaml(text: str) -> str:
    """Text in double quotes as YAML reads it: as JSON, but characters beyond ASCII by their whole number."""
    quoted = json.dumps(in_view(text), ensure_ascii=False)
    return re.sub(r"[^\x00-\x7f]", lambda found: f"\\U{ord(found[0]):08x}", quoted)
