"""An edit as a PEFT LoRA adapter: a change of rank n *is* a LoRA of rank n, its scale 1.

What cannot be one is refused: a weight PEFT has no module for, or one that several modules share. What is not exact
about one is said in its card: a rank that was cut, weights that round.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import save_file

from analysis.errors import BadRequest
from editors.edit.base_model import base_of
from editors.edit.edit import Edit, LayerChange
from editors.recipes.model_card import card
from editors.recipes.programs import put_program
from editors.recipes.truncation import ENGINE_DEFAULT, ENGINE_RANKS, Lost, rank_of, truncated

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

OTHERS = "Take the script or the full model; they change the weights themselves."
USE = (
    'Needs `pip install torch transformers safetensors peft`; then `python adapted.py "A prompt"`. It loads the base, '
    "compares the hash of its weights with that of the model that was edited and puts the adapter on it. With another "
    "base it ends with 2 and says so; `--anyway` goes on knowingly. In a program of your own, which compares nothing: "
    "`PeftModel.from_pretrained(model, folder)`."
)


def save_lora(edit: Edit, folder: Path, rank: int | None = None, lm: "LanguageModel | None" = None) -> list[str]:
    """Write adapter_config.json and adapter_model.safetensors, and adapted.py, which loads and checks the base.

    `rank`: cut the change to it; with the model at hand it is measured what that does to the logits.
    Returns what is not exact about it, a sentence each; `BadRequest` for what no adapter can be made of.
    """
    edit.refuse_unless_alone()
    refuse_unless_lora(edit, lm)
    changes, lost = truncated(edit, rank, lm) if rank is not None else (edit.changes, None)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_factors(changes), folder / "adapter_model.safetensors", {"format": "pt"})
    text = json.dumps(_config(edit, changes), indent=1) + "\n"
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
    put_program(edit, folder, "adapted.py", {"truncated": lost.plain()} if lost else {})
    notes = inexact(edit, lost)
    (folder / "README.md").write_text(card(edit, "peft", USE, "\n\n".join(notes)), encoding="utf-8")
    return notes


def refuse_unless_lora(edit: Edit, lm: "LanguageModel | None" = None) -> None:
    """`BadRequest` for an edit that cannot be an adapter, with the reason and the forms it can take."""
    for change in edit.changes:
        if not change.name.endswith(".weight"):
            raise BadRequest(
                f"“{edit.title}” changes {change.name}, which is no module’s weight, and LoRA adds to modules. {OTHERS}"
            )
        if lm is not None:
            _refuse_module(edit, change, lm)
    if len({change.transposed for change in edit.changes}) > 1:
        raise BadRequest(f"“{edit.title}” changes matrices of both orientations, and LoRA names one for all. {OTHERS}")


def _refuse_module(edit: Edit, change: LayerChange, lm: "LanguageModel") -> None:
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    weight = lm.parameters.get(change.name)
    kinds = (nn.Linear, Conv1D, nn.Embedding)
    holders = [module for module in lm.model.modules() if isinstance(module, kinds) and module.weight is weight]
    what = f"“{edit.title}” changes {change.name}, "
    if not any(isinstance(module, nn.Linear | Conv1D) for module in holders):
        raise BadRequest(f"{what}which is the weight of no Linear or Conv1D, and LoRA knows no others. {OTHERS}")
    if len(holders) > 1:
        raise BadRequest(f"{what}which {len(holders)} modules share; LoRA would add to one of them. {OTHERS}")


def inexact(edit: Edit, lost: Lost | None = None) -> list[str]:
    """What is not the same with the adapter as with the edited weights, and what engines ask for."""
    rank = rank_of(edit) if lost is None else lost.rank
    said = [lost.sentence()] if lost else []
    if edit.model["dtype"] != "float32":
        said.append(
            f"The edited weights are rounded to {edit.model['dtype']}; an adapter is added to what the unrounded base "
            "gives, so the last digits differ until it is merged."
        )
    if rank > ENGINE_RANKS[-1]:
        said.append(
            f"Its rank is {rank}. PEFT takes that; serving engines do not (vLLM at most {ENGINE_RANKS[-1]}): cut it "
            "with `palimpsest apply --format peft --rank N`."
        )
    elif rank > ENGINE_DEFAULT:
        room = next(one for one in ENGINE_RANKS if one >= rank)
        said.append(f"Its rank is {rank}; vLLM needs `--max-lora-rank {room}` (without it, {ENGINE_DEFAULT}).")
    return said


def _factors(changes: list[LayerChange]) -> dict[str, np.ndarray]:
    """The factors under PEFT's names, all filled up with zeros to one rank."""
    rank = max(change.rank for change in changes)
    factors = {}
    for change in changes:
        module = change.name.removesuffix(".weight")
        left = np.zeros((len(change.left), rank), dtype=np.float32)
        right = np.zeros((rank, change.right.shape[1]), dtype=np.float32)
        left[:, : change.rank], right[: change.rank] = change.left, change.right
        factors[f"base_model.model.{module}.lora_A.weight"] = right
        factors[f"base_model.model.{module}.lora_B.weight"] = left
    return factors


def _config(edit: Edit, changes: list[LayerChange]) -> dict[str, object]:
    base, rank = base_of(edit.model), max(change.rank for change in changes)
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.load,
        "revision": base.revision,
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": changes[0].transposed,
        "inference_mode": True,
        "init_lora_weights": True,
        "target_modules": [change.name.removesuffix(".weight") for change in changes],
    }
