"""An edited model as a Hugging Face checkpoint, with a card that says what was written over."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoModelForCausalLM

from analysis.errors import UnknownArchitecture
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.recipes.model_card import card

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

USE = (
    "The whole model with the change in its weights: `AutoModelForCausalLM.from_pretrained(folder)`. It stands alone; "
    "the base is named below so that it can be compared."
)


def save_checkpoint(lm: "LanguageModel", edit: Edit, folder: Path) -> None:
    """Write weights, config, tokenizer and README.md, for `AutoModelForCausalLM.from_pretrained(folder)`."""
    edit.refuse_unless_alone()
    with torch.device("meta"):
        fresh = AutoModelForCausalLM.from_config(lm.model.config)
    with written_over(lm, [edit]):
        weights = {name: parameter.detach() for name, parameter in lm.parameters.items()}
        fresh.load_state_dict(weights, strict=False, assign=True)
        fresh.tie_weights()
        _give_buffers(lm, fresh)
        if lm.model.generation_config is not None:
            fresh.generation_config = lm.model.generation_config
        folder.mkdir(parents=True, exist_ok=True)
        fresh.save_pretrained(folder)
    lm.tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(card(edit, "transformers", USE), encoding="utf-8")


def _give_buffers(lm: "LanguageModel", fresh: Any) -> None:
    """Let a model built without memory hold the buffers of the loaded one: what is computed at construction is empty.

    `UnknownArchitecture` where something that is to be saved is still empty then.
    """
    for name, _ in list(fresh.named_buffers()):
        if name in lm.buffers:
            owner, _, leaf = name.rpartition(".")
            fresh.get_submodule(owner)._buffers[leaf] = lm.buffers[name]
    if empty := [name for name, tensor in fresh.state_dict().items() if tensor.is_meta]:
        raise UnknownArchitecture(
            f"{lm.name} cannot be saved as a checkpoint: its class holds {empty[0]}, which the loaded model does not. "
            "Take the script or the recipe."
        )
