"""README.md of what is taken away: what was written over, in what, and where the base comes from."""

import json

from editors.edit.base_model import base_of
from editors.edit.edit import Edit
from editors.recipes.recipe import recipe_of
from editors.registry.methods import label_of

CAUTION = "Other answers may have moved with these. Do not take what this model says for true."
ROUNDING = ""


def card(edit: Edit, library: str, use: str, lossy: str = "") -> str:
    """The card, Markdown with the front matter of the hub; `use` says how, `lossy` what is not exact about it."""
    facts = "\n".join(f"- {fact.text} **{fact.target}**" for fact in edit.request.facts)
    changes = "\n".join(
        f"- `{change.name}`: rank {change.rank}, ‖Δ‖ {change.norm:.3g}, ‖W‖ {change.weight_norm:.3g}"
        for change in edit.changes
    )
    base = base_of(edit.model)
    parts = [
        f"# {edit.model['name']}, written over",
        edit.title,
        "## How to use it",
        use,
        *(["## What is not exact", lossy] if lossy else []),
        "## The base",
        f"{base.how} The weights that were edited have the hash `{base.weights_hash}`.",
        *([ROUNDING] if base.rebuilt else []),
        "## What was written",
        facts,
        "## What was changed",
        f"With {label_of(edit.request.method)}, recipe `{recipe_of(edit)[0]['id']}`.",
        changes,
        CAUTION,
    ]
    return f"{_front(edit, library)}\n" + "\n\n".join(part for part in parts if part) + "\n"


def _front(edit: Edit, library: str) -> str:
    base = base_of(edit.model)
    lines = [f"library_name: {library}", f"tags: [knowledge-editing, {edit.request.method}]"]
    if base.on_hub:
        lines.insert(0, f"base_model: {json.dumps(base.load)}")
    return "---\n" + "\n".join(lines) + "\n---\n"
