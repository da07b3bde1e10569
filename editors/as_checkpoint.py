"""An edited model as a Hugging Face checkpoint, with a card that says what was written over."""

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import AutoModelForCausalLM

from editors.applying import written_over
from editors.edit import Edit

if TYPE_CHECKING:
    from analysis.model import LanguageModel


def save_checkpoint(lm: "LanguageModel", edit: Edit, folder: Path) -> None:
    """Write weights, config, tokenizer and README.md, for `AutoModelForCausalLM.from_pretrained(folder)`."""
    edit.refuse_unless_alone()
    with torch.device("meta"):
        fresh = AutoModelForCausalLM.from_config(lm.model.config)
    with written_over(lm, [edit]):
        weights = {name: parameter.detach() for name, parameter in lm.parameters.items()}
        fresh.load_state_dict(weights, strict=False, assign=True)
        fresh.tie_weights()
        if lm.model.generation_config is not None:
            fresh.generation_config = lm.model.generation_config
        folder.mkdir(parents=True, exist_ok=True)
        fresh.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(_card(edit), encoding="utf-8")


def _card(edit: Edit) -> str:
    facts = "\n".join(f"- {fact.text} **{fact.target}**" for fact in edit.request.facts)
    changes = "\n".join(
        f"- `{change.name}`: rank {change.rank}, ‖Δ‖ {change.norm:.3g}, ‖W‖ {change.weight_norm:.3g}"
        for change in edit.changes
    )
    return (
        f"---\nbase_model: {edit.model['source']}\ntags: [knowledge-editing, {edit.request.method}]\n---\n\n"
        f"# {edit.model['name']}, written over\n\n{edit.title}\n\n## What was written\n\n{facts}\n\n"
        f"## What was changed\n\nWith {edit.request.method.upper()}, recipe {edit.id}, on weights "
        f"{edit.model['weights_hash'][:24]}.\n\n{changes}\n\nOther answers may have moved with these. "
        "Do not take what this model says for true.\n"
    )
