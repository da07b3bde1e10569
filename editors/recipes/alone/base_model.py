"""The model an edit was made for: found, loaded, and checked to be that one.

Needs torch, transformers and safetensors (gguf too, for a .gguf file); edit.json beside this file says which model.
"""

import hashlib
import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, NoReturn

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).resolve().parent
REBUILT = "base"
"""Folder beside this file that rebuild_base.py fills."""


def described() -> dict[str, Any]:
    """What is written in edit.json: prompt, base, changes."""
    return json.loads((HERE / "edit.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def arguments(about: str, edit: dict[str, Any]) -> Namespace:
    """The flags every one of these programs has."""
    parser = ArgumentParser(description=about.replace("%", "%%"))
    parser.add_argument("prompt", nargs="?", default=edit["prompt"], help="text to go on from")
    parser.add_argument("--model", help="folder, .gguf file or Hugging Face id to use as the base")
    parser.add_argument("--revision", help="branch, tag or commit of a Hugging Face id")
    parser.add_argument("--tokens", type=int, default=20, help="longest continuation (default: 20)")
    parser.add_argument("--anyway", action="store_true", help="go on with a base of other weights, knowing that it is")
    return parser.parse_args()


def loaded(edit: dict[str, Any], args: Namespace) -> tuple[Any, Any]:
    """Model and tokenizer of the base; ends the program with 2 where it cannot be had or is another."""
    base = edit["base"]
    pinned = base["revision"] if args.model == base["load"] else None
    where = _where(args.model, args.revision or pinned) if args.model else _default(base)
    try:
        tokenizer = AutoTokenizer.from_pretrained(**where)
        model = AutoModelForCausalLM.from_pretrained(
            **where,
            dtype=getattr(torch, base["dtype"]),
            attn_implementation="eager",
            **({} if "gguf_file" in where else {"use_safetensors": True}),
        ).eval()
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        end(f"The base {where['pretrained_model_name_or_path']} could not be loaded: {reason}\n{base['how']}")
    if (found := weights_hash(model)) != base["weights_hash"]:
        _another(model, found, edit, args)
    return model, tokenizer


def _default(base: dict[str, Any]) -> dict[str, Any]:
    """Where the base lies when no model is named; it is rebuilt first where edit.json says that it can be."""
    if not base["rebuilt"]:
        return _where(base["load"], base["revision"])
    folder = HERE / REBUILT
    if not folder.exists():
        sys.path.insert(0, str(HERE))
        from rebuild_base import rebuild  # type: ignore[import-not-found]

        rebuild(folder)
    return _where(str(folder), None)


def _where(model: str, revision: str | None) -> dict[str, Any]:
    """Arguments that lead `from_pretrained` to the files."""
    path = Path(model).expanduser()
    if path.is_file() or path.suffix == ".gguf":
        return {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    if path.is_absolute() or path.exists():
        return {"pretrained_model_name_or_path": str(path)}
    return {"pretrained_model_name_or_path": model, "revision": revision or "main"}


def weights_hash(model: torch.nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of all parameters, in the order of their names."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        digest.update(f"{name}|{parameter.dtype}|{tuple(parameter.shape)}|".encode())
        digest.update(_bytes(parameter))
    return digest.hexdigest()


def tensor_hash(tensor: torch.Tensor) -> str:
    """SHA-256 over type, shape and bytes of one matrix, 24 digits."""
    digest = hashlib.sha256(f"{tensor.dtype}|{tuple(tensor.shape)}|".encode())
    digest.update(_bytes(tensor))
    return digest.hexdigest()[:24]


def _bytes(tensor: torch.Tensor) -> Any:
    return tensor.detach().contiguous().cpu().view(torch.uint8).numpy().data


def _another(model: torch.nn.Module, found: str, edit: dict[str, Any], args: Namespace) -> None:
    """Say that the weights are not those that were edited; end the program unless that was asked for."""
    base, changes = edit["base"], edit["changes"]
    there = dict(model.named_parameters())
    same = sum(one["name"] in there and tensor_hash(there[one["name"]]) == one["base_hash"] for one in changes)
    said = (
        f"These are other weights than those that were edited: their hash is {found[:24]}, not "
        f"{base['weights_hash'][:24]}. Of the {len(changes)} matrices the edit changes, {same} are the same byte for "
        f"byte. What the edit does to this model was not measured.\n{base['how']}"
    )
    if not args.anyway:
        end(f"{said}\nTo go on with these weights, knowing that, add --anyway.")
    print(said, file=sys.stderr)


def end(said: str) -> NoReturn:
    """Say why and end with 2."""
    print(said, file=sys.stderr)
    raise SystemExit(2)


def goes_on(model: Any, tokenizer: Any, prompt: str, tokens: int) -> str:
    """The prompt and what the model says after it, greedily."""
    ids = tokenizer(prompt, return_tensors="pt").to(model.device)
    said = model.generate(**ids, max_new_tokens=tokens, do_sample=False)
    return str(tokenizer.decode(said[0], skip_special_tokens=True))
