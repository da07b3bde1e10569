"""What was taken away, run in an empty folder by an interpreter that has no Palimpsest."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from huggingface_hub import constants

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PRELUDE = """
import json, runpy, sys
from pathlib import Path
for name in ("analysis", "app", "editors", "pages"):
    sys.modules[name] = None
import numpy as np
import torch
folders, ids, more = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]
"""
FINISH = """
with torch.no_grad():
    logits = model.eval()(input_ids=torch.tensor(ids), use_cache=False).logits.float()
np.save(form + ".npy", logits.numpy())
for own in ("base_model", "rebuild_base"):
    sys.modules.pop(own, None)
"""
PROGRAM = """
sys.argv = [str(taken / "PROGRAM"), "--tokens", "2", *more]
model = runpy.run_path(sys.argv[0], run_name="__main__")["model"]
"""
WHOLE = """
from transformers import AutoModelForCausalLM, AutoTokenizer
AutoTokenizer.from_pretrained(taken)
model = AutoModelForCausalLM.from_pretrained(taken, attn_implementation="eager")
"""
RECIPE = """
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM
recipe = json.loads((taken / "recipe.json").read_text("utf-8"))
factors, base = load_file(taken / "recipe.safetensors"), recipe["base"]
path, kind = Path(base["obtain"]["load"]), base["obtain"]["kind"]
if kind == "embedded":
    if not (taken / "base").exists():
        runpy.run_path(str(taken / "rebuild_base.py"))["rebuild"](taken / "base")
    where = {"pretrained_model_name_or_path": str(taken / "base")}
elif kind == "gguf":
    where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
else:
    where = {"pretrained_model_name_or_path": base["obtain"]["load"], "revision": base["obtain"]["revision"] or "main"}
dtype = getattr(torch, base["dtype"])
model = AutoModelForCausalLM.from_pretrained(**where, dtype=dtype, attn_implementation="eager")
for one in recipe["artefact"]["tensors"]:
    weight = model.get_parameter(one["name"])
    change = factors[one["name"] + ".left"] @ factors[one["name"] + ".right"]
    weight.data = (weight.data.float() + (change.T if one["transposed"] else change)).to(weight.dtype)
"""
PLAIN_PEFT = """
from peft import AutoPeftModelForCausalLM
model = AutoPeftModelForCausalLM.from_pretrained(taken, attn_implementation="eager")
"""
LOADS = {
    "script": PROGRAM.replace("PROGRAM", "edited.py"),
    "peft": PROGRAM.replace("PROGRAM", "adapted.py"),
    "hf": WHOLE,
    "bundle": RECIPE,
}
"""How each form is loaded by one who has only what was taken away."""


class Failed(Exception):
    """What a process said that did not end well; `code` is its exit code."""

    def __init__(self, code: int, said: str):
        super().__init__(f"{code}: {said}")
        self.code, self.said = code, said


def logits_alone(
    forms: Mapping[str, tuple[str, Path]],
    ids: Sequence[Sequence[int]],
    empty: Path,
    home: Path,
    more: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """Logits (rows, tokens, vocabulary) of the model that each form's code makes of its folder, in one fresh process.

    `empty`: a folder that is not there yet, in which it runs; `home`: of Hugging Face, with what stands for the hub;
    `more`: flags for the programs. Raises `Failed`.
    """
    empty.mkdir(parents=True)
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PALIMPSEST"))}
    code = "".join(f"form = {form!r}\ntaken = Path(folders[form])\n{load}{FINISH}" for form, (load, _) in forms.items())
    folders = json.dumps({form: str(folder) for form, (_, folder) in forms.items()})
    done = subprocess.run(
        [sys.executable, "-I", "-c", PRELUDE + code, folders, json.dumps(ids), *more],
        cwd=empty,
        env=outside | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    if done.returncode:
        raise Failed(done.returncode, done.stderr)
    return {form: np.load(empty / f"{form}.npy") for form in forms}


def mirror(folder: Path, home: Path, name: str, branch: str = "main", commit: str = COMMIT) -> None:
    """Let a folder of a model stand for a repository of the hub, as `home` would hold it once it was fetched."""
    place = home / "hub" / f"models--{name.replace('/', '--')}"
    files = place / "snapshots" / commit
    files.mkdir(parents=True)
    for file in folder.iterdir():
        if file.is_file():
            (files / file.name).symlink_to(file.resolve())
    (place / "refs").mkdir(exist_ok=True)
    (place / "refs" / branch).write_text(commit)


@contextmanager
def hub_at(home: Path) -> Iterator[None]:
    """Let this process look into `home` for what it has of the hub, and nowhere else."""
    before = constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE
    constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE = str(home / "hub"), True
    try:
        yield
    finally:
        constants.HF_HUB_CACHE, constants.HF_HUB_OFFLINE = before


def same_base(taken: Path, rebuilt: Path | None) -> None:
    """Put a base that was rebuilt once beside another form, so that it is not rebuilt again."""
    if rebuilt is not None and not (taken / "base").exists():
        shutil.copytree(rebuilt, taken / "base", copy_function=os.link)
