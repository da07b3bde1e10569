"""An edit as a PEFT LoRA adapter: a change of rank n *is* a LoRA of rank n, its scale 1."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from editors.edit import Edit


def save_lora(edit: Edit, folder: Path) -> None:
    """Write adapter_config.json and adapter_model.safetensors, for `PeftModel.from_pretrained(model, folder)`."""
    edit.refuse_unless_alone()
    rank = max(change.rank for change in edit.changes)
    folder.mkdir(parents=True, exist_ok=True)
    factors = {}
    for change in edit.changes:
        module = change.name.removesuffix(".weight")
        left = np.zeros((len(change.left), rank), dtype=np.float32)
        right = np.zeros((rank, change.right.shape[1]), dtype=np.float32)
        left[:, : change.rank], right[: change.rank] = change.left, change.right
        factors[f"base_model.model.{module}.lora_A.weight"] = right
        factors[f"base_model.model.{module}.lora_B.weight"] = left
    save_file(factors, folder / "adapter_model.safetensors", {"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": edit.model["source"],
        "revision": edit.model["revision"],
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": edit.changes[0].transposed,
        "inference_mode": True,
        "init_lora_weights": True,
        "target_modules": [change.name.removesuffix(".weight") for change in edit.changes],
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
