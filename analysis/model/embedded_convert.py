"""Turn the embedded model's GGUF file into a folder of safetensors: `embedded_convert.py GGUF FOLDER PROGRESS`.

Run by `embedded_build` as a script in a process of its own, so it imports nothing of this package and may quieten
and patch libraries as it likes. PROGRESS is a file it rewrites with a share of 1 and a note.
"""

import functools
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gguf
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, modeling_gguf_pytorch_utils
from transformers.utils import logging as transformers_logging


def convert(source: Path, folder: Path, progress: Path) -> None:
    """Write the model in float32 and its tokenizer to `folder`, in the form `from_pretrained` reads at once."""

    def report(share: float, note: str) -> None:
        draft = progress.with_suffix(".draft")
        draft.write_text(json.dumps([share, note]), "utf-8")
        os.replace(draft, progress)

    def reported(tensors: Sequence[Any], **_: Any) -> Iterator[Any]:
        for index, tensor in enumerate(tensors):
            report(0.5 + 0.3 * index / len(tensors), f"Reading weights: {index + 1} of {len(tensors)} tensors")
            yield tensor

    # transformers parses the file three times, and makes the same name map for every one of 397 modules.
    gguf.GGUFReader = functools.cache(gguf.GGUFReader)
    gguf.get_tensor_name_map = functools.cache(gguf.get_tensor_name_map)
    modeling_gguf_pytorch_utils.tqdm = reported
    transformers_logging.disable_progress_bar()

    where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    report(0.0, "Reading the tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(**where)
    report(0.3, "Reading the configuration")
    read = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)

    # What came from a GGUF file refuses save_pretrained; a fresh model around the same weights does not.
    report(0.8, "Writing safetensors")
    settings = read.config.to_dict()
    for key in ("quantization_config", "_name_or_path", "architectures", "transformers_version", "dtype"):
        settings.pop(key, None)
    config = LlamaConfig(**settings)
    config.architectures = ["LlamaForCausalLM"]
    with torch.device("meta"):
        model = LlamaForCausalLM(config)
    model.load_state_dict(read.state_dict(), assign=True)
    model.tie_weights()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    report(1.0, "Written")


if __name__ == "__main__":
    convert(*map(Path, sys.argv[1:4]))
