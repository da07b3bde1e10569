"""A GGUF file read once: configuration, tokenizer and weights from one pass over its header.

The readers at hand make an array for every word of the vocabulary, each time they are asked: twenty seconds for 262
thousand words, four times a load. Here lists of words are stepped over; what is made of the rest is transformers' and
gguf's own knowledge. Weights are unpacked one tensor at a time, straight into what the model keeps.
"""

import mmap
import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gguf
import numpy as np
import torch
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer, modeling_gguf_pytorch_utils
from transformers.integrations.gguf import GGUF_CONFIG_ARCHS

from analysis.errors import ModelUnavailable, UnknownArchitecture
from analysis.study import Report, silent

SHORT = 4096
"""Longest list of numbers read item by item: one for each layer, never one for each word."""
CHUNK = 1 << 18
"""Numbers unpacked together: what is in between stays in the processor's cache."""
WORDS = "tokenizer.ggml.tokens"
ADVICE = "Fetch it again, or choose another model."
NO_GGUF = (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError, struct.error, OSError)
"""What parsing raises on bytes that are no GGUF file, or half of one."""
_one_at_a_time = threading.RLock()


class _Reader(gguf.GGUFReader):
    """gguf's reader of the header, with lists of words stepped over; `lengths` says how long lists are."""

    def __init__(self, path: str):
        self.lengths: dict[str, int] = {}
        self._list_length = 0
        super().__init__(path)
        if WORDS in self.lengths and "general.architecture" in self.fields:
            size = f"{self.fields['general.architecture'].contents()}.vocab_size"  # else counted from the words
            words = np.array([self.lengths[WORDS]], np.uint32)
            self.fields.setdefault(
                size, gguf.gguf_reader.ReaderField(0, size, [words], [0], [gguf.GGUFValueType.UINT32])
            )

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
        if raw_type != gguf.GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        kind, length = self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)
        self._list_length = count = int(length[0])
        item = self.gguf_scalar_to_np.get(int(kind[0]))  # type: ignore[call-overload]
        if item is not None and count <= SHORT:
            return super()._get_field_parts(orig_offs, raw_type)
        end = orig_offs + 12
        if item is not None:
            end += count * np.dtype(item).itemsize
        elif kind[0] == gguf.GGUFValueType.STRING:
            unpack = struct.Struct(">Q" if self.byte_order == "S" else "<Q").unpack_from
            for _ in range(count):
                end += 8 + unpack(self.data, end)[0]
        else:
            return super()._get_field_parts(orig_offs, raw_type)
        return end - orig_offs, [kind, length], [], [gguf.GGUFValueType.ARRAY, gguf.GGUFValueType(int(kind[0]))]

    def _push_field(self, field: Any, skip_sum: bool = False) -> int:
        if field.types[:1] == [gguf.GGUFValueType.ARRAY]:
            self.lengths[field.name] = self._list_length
        return super()._push_field(field, skip_sum)


class GgufFile:
    """A GGUF file whose header is known to be whole and readable. Open it with `gguf_file`."""

    def __init__(self, path: Path):
        self.path = path
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelUnavailable(
                    f"“{path}” is not a GGUF file. Give a .gguf file, or a folder with config.json and safetensors."
                )
        try:
            self.reader = _Reader(str(path))
        except NO_GGUF as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelUnavailable(
                f"“{path}” ({path.stat().st_size / 1e6:,.1f} MB) could not be read as GGUF: {reason}. It may be cut "
                f"short or damaged. {ADVICE}"
            ) from error
        self._refuse()

    def value(self, key: str) -> Any:
        """A scalar or text of the header; None where it is not there."""
        field = self.reader.fields.get(key)
        return None if field is None else field.contents()

    def _refuse(self) -> None:
        """Raise for what is a sound file and yet no model that can be read here."""
        name = self.path.name
        if (parts := self.value("split.count") or 1) > 1 or re.search(r"-\d{5}-of-\d{5}\.gguf$", name):
            raise ModelUnavailable(
                f"“{name}” is one part of {parts if parts > 1 else 'several'}. Join them first "
                "(llama-gguf-split --merge FIRST_PART WHOLE.gguf) and give the whole file."
            )
        known = set(modeling_gguf_pytorch_utils.GGUF_SUPPORTED_ARCHITECTURES) - {"general", "tokenizer"}
        said = self.value("general.architecture")
        renamed = {"qwen2moe": "qwen2_moe", "qwen3moe": "qwen3_moe", "gpt-oss": "gpt_oss", "minimax-m2": "minimax_m2"}
        if said in GGUF_CONFIG_ARCHS or said is None or renamed.get(said, said) not in known:
            raise UnknownArchitecture(
                f"“{name}” is of architecture “{said or '?'}”, which cannot be read from GGUF. Readable: "
                f"{', '.join(sorted(known - GGUF_CONFIG_ARCHS.keys()))}. Give the same model as safetensors, by its "
                "Hugging Face id or as a folder."
            )
        for kind in {tensor.tensor_type for tensor in self.reader.tensors}:
            if not _unpackable(kind):
                raise ModelUnavailable(
                    f"“{name}” holds weights of type {kind.name}, which cannot be unpacked. Give another quantisation "
                    "of the same model (Q8_0, Q4_K_M, F16 …), or its safetensors."
                )
        if not self.reader.tensors:
            raise ModelUnavailable(f"“{name}” holds no weights, only words. {ADVICE}")
        if not self.reader.lengths.get(WORDS):
            raise ModelUnavailable(f"“{name}” brings no tokenizer, so no prompt could be read with it. {ADVICE}")

    @cached_property
    def config(self) -> Any:
        """The configuration transformers makes of the header, with eager attention."""
        try:
            with _with(self.reader):
                said = modeling_gguf_pytorch_utils.load_gguf_checkpoint(str(self.path))["config"]
            said["vocab_size"] = said.get("vocab_size") or self.reader.lengths[WORDS]
            config = AutoConfig.for_model(**said)
        except (*NO_GGUF, AttributeError, NotImplementedError) as error:
            raise ModelUnavailable(
                f"The header of “{self.path.name}” is not one of a whole model ({type(error).__name__}: {error}). "
                f"{ADVICE}"
            ) from error
        config._attn_implementation = "eager"
        return config

    def tokenizer(self) -> Any:
        """The tokenizer the header describes."""
        try:
            with _with(self.reader):
                return AutoTokenizer.from_pretrained(
                    str(self.path.parent), gguf_file=self.path.name, trust_remote_code=False
                )
        except (*NO_GGUF, AttributeError, NotImplementedError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelUnavailable(
                f"The tokenizer in “{self.path.name}” cannot be used ({reason}). {ADVICE}"
            ) from error

    def weights(self, shell: Any, dtype: torch.dtype, report: Report = silent) -> dict[str, Tensor]:
        """All tensors by their names in `shell`, a model on the meta device made of `config`.

        They are owned, not mapped: memory grows by one tensor at a time.
        """
        architecture = self.value("general.architecture")
        kinds = modeling_gguf_pytorch_utils.TENSOR_PROCESSORS
        processor = kinds.get(architecture, modeling_gguf_pytorch_utils.TensorProcessor)(config=self.config.to_dict())
        with _with(self.reader):
            names = modeling_gguf_pytorch_utils.get_gguf_hf_weights_map(shell, processor)
        found: dict[str, Tensor] = {}
        for number, tensor in enumerate(self.reader.tensors):
            report(number, len(self.reader.tensors), f"unpacking {self.path.name}")
            made = processor.process(
                weights=_unpacked(tensor), name=tensor.name, tensor_key_mapping=names,
                parsed_parameters={"tensors": found},
            )  # fmt: skip
            if made.name in names:
                found[names[made.name]] = torch.from_numpy(np.ascontiguousarray(made.weights)).to(dtype)
            if hasattr(mmap, "MADV_DONTNEED"):  # the pages behind what was unpacked are not needed again
                self.reader.data._mmap.madvise(mmap.MADV_DONTNEED)
        return {name: tensor.to(dtype) for name, tensor in found.items()}


def gguf_file(path: Path) -> GgufFile:
    """The file at `path`, its header parsed once for as long as it stays the same.

    Raises `ModelUnavailable` or `UnknownArchitecture` where it cannot become a model, and says why.
    """
    try:
        state = path.stat()
        return _opened(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise ModelUnavailable(f"“{path}” could not be read ({error.strerror or error}).") from error


@lru_cache(maxsize=1)
def _opened(path: Path, size: int, time: int) -> GgufFile:
    return GgufFile(path)


def forget() -> None:
    """Let go of the last file, and of the pages of it that are mapped."""
    _opened.cache_clear()


def _unpackable(kind: Any) -> bool:
    if kind == gguf.GGMLQuantizationType.F64:
        return False
    _, size = gguf.GGML_QUANT_SIZES[kind]
    with suppress(NotImplementedError):
        gguf.dequantize(np.zeros((1, size), np.uint8), kind)
        return True
    return False


def _unpacked(tensor: Any) -> np.ndarray:
    """A tensor's numbers in float32, in memory of their own."""
    shape = tuple(reversed(tensor.shape.tolist()))
    rows = tensor.data.reshape(-1, tensor.data.shape[-1])
    whole = np.empty((len(rows), shape[-1]), np.float32)
    step = max(1, CHUNK // max(1, shape[-1]))
    for begin in range(0, len(rows), step):
        whole[begin : begin + step] = gguf.dequantize(rows[begin : begin + step], tensor.tensor_type)
    return whole.reshape(shape)


@contextmanager
def _with(reader: _Reader) -> Iterator[None]:
    """Let transformers' own functions, in this thread alone, find the header that was read already."""
    thread, plain = threading.get_ident(), gguf.GGUFReader

    def read(path: Any, *args: Any) -> Any:
        return reader if threading.get_ident() == thread else plain(path, *args)

    with (
        _one_at_a_time,
        patch.object(gguf, "GGUFReader", read),
        patch.object(gguf, "get_tensor_name_map", cache(gguf.get_tensor_name_map)),
    ):
        yield
