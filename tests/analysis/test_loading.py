"""From a name to a model: kinds of sources, prices told first, and refusals that say what to do."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from analysis.errors import BadRequest, ModelTooLarge, ModelUnavailable, UnknownArchitecture
from analysis.model.loading import free_bytes, load, pick_device, plan
from analysis.model.spec import ModelSpec, kind_of
from app.bench.loading import measured_apart
from app.bench.models.loading_models import make
from tests.kit.families import VOCABULARY, build, language_model
from tests.kit.saved_models import gguf_file, saved
from tests.kit.traces import REQUEST, same, trace, traced

IDS = torch.tensor([[5, 9, 2, 31]])
__all__ = ["gguf_file", "saved"]


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
