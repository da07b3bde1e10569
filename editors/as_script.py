"""An edit as a Python script that needs transformers and safetensors only."""

import shutil
from pathlib import Path

from editors.edit import Edit
from editors.recipe import payload_place, write_recipe

SCRIPT = '''"""{title}

Loads {named}, adds the change to its weights and goes on from a prompt.
Needs: pip install torch transformers safetensors
Usage: python edited.py [--model MODEL] "A prompt"
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

BASE = {base!r}
CHANGES = {changes!r}


def edited(model):
    """The model with the change added to its weights, in place."""
    factors = load_file(Path(__file__).with_name("edit.safetensors"))
    with torch.no_grad():
        for change in CHANGES:
            weight = model.get_parameter(change["name"])
            left, right = (factors[change["name"] + side].to(weight.device) for side in (".left", ".right"))
            delta = left @ right
            weight.copy_((weight.float() + (delta.T if change["transposed"] else delta)).to(weight.dtype))
    return model


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("prompt", nargs="?", default={prompt!r})
    parser.add_argument("--model", default=BASE, help="folder or Hugging Face id of the model that was edited")
    parser.add_argument("--tokens", type=int, default=20)
    args = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = edited(AutoModelForCausalLM.from_pretrained(args.model, dtype={dtype!r}))
    ids = tokenizer(args.prompt, return_tensors="pt")
    said = model.generate(**ids, max_new_tokens=args.tokens, do_sample=False)
    print(tokenizer.decode(said[0], skip_special_tokens=True))
'''


def save_script(edit: Edit, folder: Path) -> None:
    """Write edited.py and edit.safetensors, and the recipe they come from."""
    edit.refuse_unless_alone()
    folder.mkdir(parents=True, exist_ok=True)
    write_recipe(edit, folder / "recipe.json")
    shutil.copyfile(payload_place(folder / "recipe.json"), folder / "edit.safetensors")
    changes = [{"name": change.name, "transposed": change.transposed} for change in edit.changes]
    text = SCRIPT.format(
        title=_quoted(edit.title),
        named=_quoted(edit.model["source"]),
        base=edit.model["source"],
        changes=changes,
        prompt=edit.request.facts[0].text,
        dtype=edit.model["dtype"],
    )
    (folder / "edited.py").write_text(text, encoding="utf-8")


def _quoted(text: str) -> str:
    """A text that cannot end the docstring it stands in."""
    return text.replace("\\", "/").replace('"', "'")
