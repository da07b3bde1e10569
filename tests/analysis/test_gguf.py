"""GGUF files: read as they say, or refused by what is wrong with them."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch
import transformers

from analysis.errors import ModelUnavailable, UnknownArchitecture, WorkbenchError
from analysis.model.gguf_file import _unpackable, forget
from analysis.model.loading import load, plan
from analysis.model.spec import ModelSpec
from tests.kit.families import build, language_model
from tests.kit.saved_models import gguf_file
from tests.kit.traces import PROMPT

IDS = torch.tensor([[5, 9, 2, 31]])
__all__ = ["gguf_file"]


def spoilt(path: Path, file: Path, **changes: Any) -> Path:
    """A copy of a GGUF file with other words in its header: `key=value`, or None to leave the key out."""
    read = gguf.GGUFReader(file)
    new = path / "spoilt.gguf"
    out = gguf.GGUFWriter(new, changes.pop("architecture", "llama"))
    for name, field in read.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture" or name in changes:
            continue
        kind = field.types[0]
        out.add_key_value(name, field.contents(), kind, field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for name, value in changes.items():
        if value is not None:
            out.add_uint16(name, value)
    for tensor in read.tensors:
        out.add_tensor(tensor.name, tensor.data)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return new


def test_a_gguf_file_loads_and_says_what_the_model_said(gguf_file):
    told = plan(ModelSpec(source=str(gguf_file), device="cpu"))
    assert (told.kind, told.name, told.layers) == ("gguf", "tiny", 3)
    lm = load(str(gguf_file), device="cpu")
    assert (lm.logits(IDS) - language_model("llama").logits(IDS)).abs().max() < 1e-5
    assert len(lm.encode(PROMPT)) > 8


def test_what_came_from_gguf_can_be_saved(gguf_file, tmp_path):
    lm = load(str(gguf_file), device="cpu")
    assert getattr(lm.model.config, "quantization_config", None) is None
    lm.model.save_pretrained(tmp_path / "saved", state_dict=dict(lm.parameters))
    lm.tokenizer.save_pretrained(tmp_path / "saved")
    assert torch.equal(load(str(tmp_path / "saved"), device="cpu").logits(IDS), lm.logits(IDS))


def test_a_gguf_file_is_parsed_once_a_load_and_its_words_are_stepped_over(gguf_file, monkeypatch):
    parsed: list[str] = []
    words: list[int] = []
    plain_init, plain_string = gguf.GGUFReader.__init__, gguf.GGUFReader._get_str
    monkeypatch.setattr(gguf.GGUFReader, "__init__", lambda *a, **k: (parsed.append(a[1]), plain_init(*a, **k))[1])
    monkeypatch.setattr(gguf.GGUFReader, "_get_str", lambda *a: (words.append(1), plain_string(*a))[1])
    lm = load(str(gguf_file), device="cpu")
    assert parsed == [str(gguf_file)]
    assert len(words) < len(lm.tokenizer) + len(lm.parameters)
    reader = gguf.GGUFReader
    plan(ModelSpec(source=str(gguf_file), device="cpu"))
    assert gguf.GGUFReader is reader


def test_a_plan_reads_no_weights_and_no_words(gguf_file, monkeypatch):
    monkeypatch.setattr(gguf, "dequantize", lambda data, kind: pytest.fail("unpacks weights") if data.any() else data)
    monkeypatch.setattr("analysis.model.gguf_file.AutoTokenizer.from_pretrained", None)
    told = plan(ModelSpec(source=str(gguf_file), device="cpu"))
    assert told.parameters == sum(weight.numel() for weight in build("llama").parameters())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_are_those_transformers_reads_from_the_file(gguf_file, dtype):
    lm = load(str(gguf_file), device="cpu", dtype=dtype)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        str(gguf_file.parent), gguf_file=gguf_file.name, dtype=getattr(torch, dtype)
    ).state_dict()
    assert theirs.keys() == lm.model.state_dict().keys() or set(theirs) == set(lm.parameters)
    assert all(torch.equal(theirs[name], parameter) for name, parameter in lm.parameters.items())


def test_a_file_that_is_not_gguf_is_refused(tmp_path):
    for content in (b"nothing of the kind", b"", b"GG"):
        (tmp_path / "x.gguf").write_bytes(content)
        with pytest.raises(ModelUnavailable, match="not a GGUF file"):
            load(str(tmp_path / "x.gguf"))


def test_a_file_cut_short_or_damaged_anywhere_is_refused(gguf_file, tmp_path):
    whole, place = gguf_file.read_bytes(), tmp_path / "part.gguf"
    for length in (4, 8, 20, 30, 100, 500, 2000, len(whole) // 2, len(whole) - 5):
        place.write_bytes(whole[:length])
        with pytest.raises(ModelUnavailable, match=r"cut short|not one of a whole model"):
            load(str(place))
    for at in range(4, 400, 7):
        place.write_bytes(whole[:at] + b"\xff" * 8 + whole[at + 8 :])
        with suppress(WorkbenchError):
            load(str(place))


def test_one_part_of_several_is_refused(gguf_file, tmp_path):
    named = tmp_path / "model-00001-of-00003.gguf"
    shutil.copy(gguf_file, named)
    for part in (named, spoilt(tmp_path, gguf_file, **{"split.count": 3})):
        with pytest.raises(ModelUnavailable, match=r"one part of (3|several).*merge"):
            plan(ModelSpec(source=str(part)))


@pytest.mark.parametrize("name", ["rwkv7", "lfm2", "clip"])
def test_architectures_nobody_reads_are_refused_by_name(gguf_file, tmp_path, name):
    with pytest.raises(UnknownArchitecture, match=f"architecture “{name}”.*llama.*qwen3"):
        plan(ModelSpec(source=str(spoilt(tmp_path, gguf_file, architecture=name))))


def test_a_file_without_a_tokenizer_or_without_a_size_is_refused(gguf_file, tmp_path):
    with pytest.raises(ModelUnavailable, match="brings no tokenizer"):
        plan(ModelSpec(source=str(spoilt(tmp_path, gguf_file, **{"tokenizer.ggml.tokens": None}))))
    with pytest.raises(ModelUnavailable, match=r"tokenizer .*cannot be used"):
        load(str(spoilt(tmp_path, gguf_file, **{"tokenizer.ggml.model": None})), device="cpu")


def test_weights_that_cannot_be_unpacked_are_refused_by_their_type(gguf_file, monkeypatch):
    monkeypatch.setattr("analysis.model.gguf_file._unpackable", lambda kind: False)
    forget()
    with pytest.raises(ModelUnavailable, match="weights of type F32, which cannot be unpacked"):
        plan(ModelSpec(source=str(gguf_file)))


def test_types_that_gguf_cannot_unpack_are_known():
    types = gguf.GGMLQuantizationType
    assert all(map(_unpackable, (types.F32, types.F16, types.BF16, types.Q4_K, types.Q5_0, types.Q8_0, types.IQ4_XS)))
    assert not any(map(_unpackable, (types.I32, types.F64, types.Q8_K)))


# Memory
