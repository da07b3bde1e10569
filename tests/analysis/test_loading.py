"""From a name to a model: kinds of sources, prices told first, and refusals that say what to do."""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gguf
import pytest
import torch
import transformers
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from analysis.errors import BadRequest, ModelTooLarge, ModelUnavailable, UnknownArchitecture, WorkbenchError
from analysis.model.gguf_file import _unpackable, forget
from analysis.model.loading import free_bytes, load, pick_device, plan
from analysis.model.spec import ModelSpec, kind_of
from app.bench.loading import measured_apart
from app.bench.models.loading_models import make
from tests.kit.families import TEXT, VOCABULARY, build, language_model, word_tokenizer
from tests.kit.traces import PROMPT, REQUEST, same, trace, traced

IDS = torch.tensor([[5, 9, 2, 31]])


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    build("llama").save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def mine(saved, tmp_path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(saved, tmp_path / "mine"))


def test_kinds_of_sources(saved, monkeypatch):
    assert kind_of("embedded") == "embedded"
    assert kind_of("gpt2") == kind_of("owner/name") == "hub"
    assert kind_of(str(saved)) == "folder"
    assert kind_of(str(saved / "config.json")) == "gguf"
    monkeypatch.chdir(saved.parent)
    assert kind_of("./tiny") == kind_of("tiny") == "folder"


@pytest.mark.parametrize("source", ["", "  ", "a/b/c"])
def test_names_of_nothing_are_refused(source):
    with pytest.raises(BadRequest, match="Hugging Face id"):
        kind_of(source)


@pytest.mark.parametrize("source", ["/no/such/place", "./nowhere", "~/nowhere-at-all", "model.gguf"])
def test_paths_of_nothing_are_refused(source):
    with pytest.raises(ModelUnavailable, match="no file or folder"):
        load(source)


def test_a_plan_counts_without_reading_weights(saved, mine):
    (mine / "model.safetensors").unlink()
    for dtype, size in (("float32", 4), ("bfloat16", 2)):
        told = plan(ModelSpec(source=str(mine), device="cpu", dtype=dtype))
        assert told.parameters == sum(p.numel() for p in build("llama").parameters())
        assert told.parameters * size < told.bytes_needed == told.bytes_on_host
        assert (told.name, told.kind, told.layers, told.heads) == ("mine", "folder", 3, 4)
        assert told.architecture == "LlamaForCausalLM" and told.device == "cpu" and told.fits
    assert "3 layers" in told.sentence() and "bfloat16 on cpu" in told.sentence()


def test_a_model_that_cannot_fit_is_refused_with_the_numbers(saved, mine, monkeypatch):
    config = json.loads((mine / "config.json").read_text())
    (mine / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    told = plan(ModelSpec(source=str(mine), device="cpu"))
    monkeypatch.setattr("analysis.model.loading.free_bytes", lambda *_, **__: told.bytes_needed - 1)
    monkeypatch.setattr("analysis.model.loading.AutoModelForCausalLM.from_pretrained", None)
    refused = r"mine does not fit\. It needs .* GB in float32 on cpu while it is loaded; .*bfloat16.*fits"
    with pytest.raises(ModelTooLarge, match=refused):
        load(str(mine), device="cpu")
    with pytest.raises(ModelTooLarge, match="smaller model") as refusal:
        monkeypatch.setattr("analysis.model.loading.free_bytes", lambda *_, **__: 10)
        load(str(saved), device="cpu", dtype="bfloat16")
    assert "0.0 GB are free" in str(refusal.value)


def test_what_is_free_is_less_than_what_there_is():
    total = 1024 * int(Path("/proc/meminfo").read_text().split()[1]) if Path("/proc/meminfo").exists() else 1 << 50
    assert 0 < free_bytes(torch.device("cpu")) <= total


def test_a_folder_loads_and_says_what_the_saved_model_said(saved):
    heard: list[tuple[int, int]] = []
    lm = load(str(saved), device="cpu", report=lambda done, total, *_: heard.append((done, total)))
    original = language_model("llama")
    assert torch.equal(lm.logits(IDS), original.logits(IDS))
    assert lm.weights_hash == original.weights_hash == load(ModelSpec(source=str(saved), device="cpu")).weights_hash
    assert (lm.name, lm.source, lm.dtype) == ("tiny", str(saved), torch.float32)
    assert (heard[0], heard[-1]) == ((0, 1), (1, 1))
    assert same(trace(lm, REQUEST), traced(original), within=1e-5)
    assert lm.model.config._attn_implementation == "eager"


def test_dtype_and_device_map_are_followed(saved):
    assert load(str(saved), device="cpu", dtype="bfloat16").dtype is torch.bfloat16
    spread = load(str(saved), device_map="auto")
    assert not any(parameter.is_meta for parameter in spread.parameters.values())
    if not torch.cuda.is_available():
        assert same(trace(spread, REQUEST), traced(language_model("llama")), within=1e-5)


def test_pickled_weights_are_not_read(mine):
    (mine / "model.safetensors").unlink()
    torch.save(build("llama").state_dict(), mine / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match="safetensors"):
        load(str(mine), device="cpu")


def test_code_beside_the_weights_is_not_run(mine):
    config = json.loads((mine / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"}}
    (mine / "config.json").write_text(json.dumps(config))
    (mine / "code.py").write_text("raise SystemExit('this ran')")
    with pytest.raises(ModelUnavailable):
        load(str(mine), device="cpu")


def test_half_a_file_is_refused(mine):
    weights = (mine / "model.safetensors").read_bytes()
    (mine / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelUnavailable, match="could not be read"):
        load(str(mine), device="cpu")


def test_absent_weights_are_refused_and_never_made_up(mine):
    weights = load_file(mine / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    save_file({key: w for key, w in weights.items() if key != name}, mine / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelUnavailable, match=f"lacks 1 of its model's weights, {name}"):
        load(str(mine), device="cpu")


def test_weights_of_another_shape_are_refused(mine):
    weights = load_file(mine / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    save_file(weights | {name: weights[name][:3].clone()}, mine / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelUnavailable):
        load(str(mine), device="cpu")


@pytest.mark.parametrize("spoil", ["config.json", "tokenizer.json"])
def test_broken_files_are_refused(mine, spoil):
    (mine / spoil).write_text("{")
    with pytest.raises(ModelUnavailable, match="mine"):
        load(str(mine), device="cpu")
    (mine / spoil).unlink()
    if spoil == "config.json":
        with pytest.raises(ModelUnavailable, match="mine"):
            plan(ModelSpec(source=str(mine)))


def test_other_kinds_of_models_are_refused_before_their_weights_are_read(tmp_path):
    transformers.T5Config(vocab_size=VOCABULARY, d_model=32, num_layers=1).save_pretrained(tmp_path / "t5")
    with pytest.raises(UnknownArchitecture, match="is an encoder with a decoder"):
        plan(ModelSpec(source=str(tmp_path / "t5"), device="cpu"))


@pytest.mark.parametrize("answer", [None, 503])
def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch, answer):
    asked: list[tuple[str, float]] = []

    def head(address: str, *, timeout: float, **_: Any) -> Any:
        asked.append((address, timeout))
        if answer is None:
            raise ConnectionError("Name or service not known")
        return SimpleNamespace(status_code=answer)

    monkeypatch.setattr("analysis.model.hub_reach.get_session", lambda: SimpleNamespace(head=head))
    monkeypatch.setattr("analysis.model.loading.AutoConfig.from_pretrained", None)  # never got to
    with pytest.raises(ModelUnavailable, match=r"“nobody/no-such-model” is not on this machine.*cannot be reached.*or"):
        load("nobody/no-such-model")
    assert len(asked) == 1
    assert asked[0][1] <= 5


@pytest.mark.parametrize("name", ["bad id", "a..b", "x/", "a/b--c", "Ünï/cöde", "x" * 200])
def test_what_is_no_hub_id_is_refused_without_asking(monkeypatch, name):
    monkeypatch.setattr("analysis.model.hub_reach.get_session", None)
    with pytest.raises(ModelUnavailable, match=r"could not be read: .*Check the name"):
        load(name)


@pytest.mark.parametrize("device", ["toaster", "cuda:99", "cpu:3", "xla", ""])
def test_devices_that_are_not_here_are_refused(device):
    with pytest.raises(BadRequest, match=r"device.*auto"):
        pick_device(device)


def test_a_spec_is_checked():
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(ValidationError, match="colour"):
        load("embedded", colour="red")
    with pytest.raises(ValidationError, match="dtype"):
        ModelSpec(dtype="int8")


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory) -> Path:
    """The tiny Llama, written as llama.cpp would read it: heads of query and key interleaved."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    model = build("llama")
    config, out = model.config, gguf.GGUFWriter(path, "llama")
    out.add_block_count(config.num_hidden_layers)
    out.add_context_length(config.max_position_embeddings)
    out.add_embedding_length(config.hidden_size)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_head_count(config.num_attention_heads)
    out.add_head_count_kv(config.num_key_value_heads)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    out.add_rope_freq_base(10_000.0)
    out.add_vocab_size(config.vocab_size)
    out.add_file_type(gguf.LlamaFileType.ALL_F32)
    words = [*TEXT.replace("<s>", "").split()]
    letters = sorted({*"".join(words), "Ġ"})
    merges, pieces = [], ["<s>", *letters]
    for word in (f"Ġ{word}" for word in words):
        for end in range(2, len(word) + 1):
            if word[:end] not in pieces and len(pieces) < config.vocab_size:
                pieces.append(word[:end])
                merges.append(f"{word[: end - 1]} {word[end - 1]}")
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("gpt-2")
    out.add_token_list(pieces)
    out.add_token_types([gguf.TokenType.CONTROL] + [gguf.TokenType.NORMAL] * (len(pieces) - 1))
    out.add_token_merges(merges)
    for mark in (out.add_bos_token_id, out.add_eos_token_id, out.add_unk_token_id, out.add_pad_token_id):
        mark(0)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, weight in model.state_dict().items():
        for part, heads in (("q_proj", config.num_attention_heads), ("k_proj", config.num_key_value_heads)):
            if part in name:
                weight = weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).reshape(weight.shape)
        out.add_tensor(names.get_name(name, try_suffixes=(".weight",)), weight.contiguous().numpy())
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return path


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


def groups(folder: Path, monkeypatch: Any, said: str, files: dict[str, str]) -> None:
    """A machine with 8 GB free whose control groups say this."""
    for name, text in {"proc/meminfo": "MemAvailable: 8000000 kB\n", "proc/self/cgroup": said, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr("analysis.free_memory.PROC", folder / "proc")
    monkeypatch.setattr("analysis.free_memory.GROUPS", folder / "groups")


@pytest.mark.parametrize(
    ("said", "files", "free"),
    [
        ("0::/\n", {}, 8_192_000_000),
        ("0::/\n", {"memory.max": "max", "memory.current": "5"}, 8_192_000_000),
        ("0::/\n", {"memory.max": "3000000000", "memory.current": "1000000000"}, 2_000_000_000),
        (
            "0::/a/b\n",
            {"a/memory.max": "2000", "a/memory.current": "900", "a/memory.stat": "anon 1\ninactive_file 400"},
            1500,
        ),
        ("0::/a/b\n", {"a/b/memory.max": "2000", "a/b/memory.current": "2100"}, 0),
        (
            "5:cpu:/x\n4:memory:/job\n",
            {"memory/job/memory.limit_in_bytes": "7000", "memory/job/memory.usage_in_bytes": "3000"},
            4000,
        ),
        (
            "4:memory:/job\n",
            {"memory/memory.limit_in_bytes": str(2**63 - 4096), "memory/memory.usage_in_bytes": "3000"},
            8_192_000_000,
        ),
    ],
)
def test_what_is_free_is_what_the_control_groups_allow(tmp_path, monkeypatch, said, files, free):
    groups(tmp_path, monkeypatch, said, {f"groups/{name}": text for name, text in files.items()})
    assert free_bytes(torch.device("cpu")) == free


def test_the_price_counts_what_is_made_on_the_way(saved, gguf_file, mine):
    weights = 4 * plan(ModelSpec(source=str(saved), device="cpu")).parameters
    plain = plan(ModelSpec(source=str(saved), device="cpu")).bytes_needed - weights
    packed = plan(ModelSpec(source=str(gguf_file), device="cpu")).bytes_needed
    assert packed == weights + plain
    config = json.loads((mine / "config.json").read_text())
    (mine / "config.json").write_text(json.dumps(config | {"dtype": "bfloat16"}))
    assert plan(ModelSpec(source=str(mine), device="cpu")).bytes_needed == weights + plain + weights // 2


@pytest.mark.parametrize("source", ["safetensors", "gguf"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_price_is_what_loading_takes(tmp_path, source, dtype):
    """Within 15 %, of a model large enough for its weights to count, in a process of its own."""
    found = measured_apart(make("small", source, tmp_path), dtype)
    assert 0.85 < max(found["load.peak"], found["hash.peak"]) / found["said"] < 1.15


@pytest.mark.parametrize("asked", [None, "main", "v2"])
def test_all_of_a_hub_id_is_read_at_one_revision(saved, monkeypatch, asked):
    """A branch that moves between two reads would mix two models."""
    seen: list[tuple[str, str | None]] = []
    commit = "0123456789abcdef0123456789abcdef01234567"

    def reading(name: str, kind: Any) -> Any:
        plain = kind.from_pretrained

        def read(where: str, **options: Any) -> Any:
            if where != "owner/name":
                return plain(where, **options)
            seen.append((name, options.pop("revision", None)))
            found = plain(str(saved), **options)
            if name == "config":
                found._commit_hash = commit
            return found

        monkeypatch.setattr(f"analysis.model.loading.{kind.__name__}.from_pretrained", read)

    monkeypatch.setattr("analysis.model.loading.refuse_unreached", lambda *_: None)
    reading("config", transformers.AutoConfig)
    reading("tokenizer", transformers.AutoTokenizer)
    reading("weights", transformers.AutoModelForCausalLM)
    lm = load("owner/name", revision=asked, device="cpu")
    assert {revision for name, revision in seen if name == "config"} == {asked}
    assert [revision for name, revision in seen if name != "config"] == [commit, commit]
    assert lm.revision == asked
