"""The command line about models and the server: fetched, checked, told of, served."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analysis import ModelSpec
from analysis.model.capabilities import CAPABILITIES
from analysis.model.embedded import embedded_place
from app.bench.models.tiny_families import tiny_config
from app.cli import main, models, serve
from tests.app.test_cli import TRACE
from tests.kit.commands import refused
from tests.kit.families import build, word_tokenizer
from tests.kit.places import ROOT


@pytest.fixture
def folder(tmp_path) -> Path:
    """A tiny model as a local folder."""
    place = tmp_path / "tiny-model"
    build("llama").save_pretrained(place)
    word_tokenizer().save_pretrained(place)
    return place


def test_model_info(folder, capsys):
    assert main(["model", "info", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "tiny-model: " in out
    assert "3 layers" in out
    assert "It fits." in out


REFUSED = {
    "mamba": "no attention heads",
    "rwkv": "no attention heads",
    "xlstm": "no attention heads",
    "bert": "is an encoder, such as BERT",
    "roberta": "is an encoder, such as BERT",
    "bart, encoder and decoder": "an encoder with a decoder",
    "t5, encoder and decoder": "an encoder with a decoder",
    "whisper": "an encoder with a decoder",
    "ctrl": "a CTRLLMHeadModel, of which TransformerLens has no map",
    "xlnet": "a XLNetLMHeadModel, of which TransformerLens has no map",
    "musicgen": "musicgen",
}


@pytest.mark.parametrize("family", REFUSED)
def test_model_info_of_what_is_no_such_model_says_why(family, tmp_path, capsys):
    tiny_config(family).save_pretrained(tmp_path / "mine")
    assert main(["model", "info", str(tmp_path / "mine")]) == 2
    err = capsys.readouterr().err
    assert REFUSED[family] in err
    assert "Traceback" not in err


@pytest.mark.parametrize("family", ["falcon, new decoder", "jamba", "gemma3", "llama4", "qwen3_5", "olmo2"])
def test_model_info_of_decoders_is_their_price(family, tmp_path, capsys):
    tiny_config(family).save_pretrained(tmp_path / "mine")
    assert main(["model", "info", str(tmp_path / "mine")]) == 0
    assert "million parameters" in capsys.readouterr().out


def test_model_check(folder, capsys):
    assert main(["model", "check", str(folder), "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert "largest logit difference" in out
    assert all(words in out for words in CAPABILITIES.values())
    assert out.count("exact (largest difference") == len(CAPABILITIES)
    assert err == ""


def test_a_command_on_a_folder_from_beginning_to_end(folder, tmp_path):
    file = tmp_path / "out.json"
    command = [sys.executable, "-m", "app.cli", *TRACE, "--model", str(folder), "--json", str(file), "--device", "cpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(file.read_text())["model"]["source"] == str(folder)


def test_model_list(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(models, "scan_cache_dir", lambda: (_ for _ in ()).throw(models.CacheNotFound("none", tmp_path)))
    assert main(["model", "list"]) == 0
    assert "not fetched yet" in capsys.readouterr().out


def test_model_pull(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(models, "embedded_folder", lambda report, verify: asked.append(verify) or embedded_place())
    monkeypatch.setattr(models, "snapshot_download", lambda *args, **options: asked.append((args, options)) or "/there")
    assert main(["model", "pull"]) == 0
    assert main(["model", "pull", "--verify"]) == 0
    assert main(["model", "pull", "owner/name", "--revision", "v1"]) == 0
    assert asked[:2] == [False, True]
    (source,), options = asked[2]
    assert (source, options["revision"]) == ("owner/name", "v1")
    assert not any("bin" in pattern or pattern == "*" or ".py" in pattern for pattern in options["allow_patterns"])
    assert "/there" in capsys.readouterr().out


def test_model_pull_without_a_network(monkeypatch, capsys):
    def fail(*_: Any, **__: Any) -> str:
        raise OSError("the network is away")

    monkeypatch.setattr(models, "snapshot_download", fail)
    assert "owner/name" in refused(capsys, "model", "pull", "owner/name")


@pytest.fixture
def served(monkeypatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *args: calls.append(args))
    monkeypatch.setattr(serve, "_seen_free", lambda address, port: None)
    monkeypatch.delenv("PORT", raising=False)
    for name in ("PALIMPSEST_PUBLIC", "PALIMPSEST_MODEL", "PALIMPSEST_ALLOW"):
        monkeypatch.delenv(name, raising=False)
    return calls


def test_serve(served, capsys):
    main(["serve"])
    program, command, settings = served[0]
    assert program == sys.executable
    assert Path(command[4]) == ROOT / "app" / "asgi.py"
    assert command[command.index("--server.port") + 1] == "8501"
    assert command[command.index("--server.address") + 1] == "127.0.0.1"
    assert not {"PALIMPSEST_PUBLIC", "PALIMPSEST_MODEL", "PALIMPSEST_ALLOW"} & settings.keys()
    assert capsys.readouterr().out == "Palimpsest is on http://localhost:8501\n"


def test_serve_in_public(served, monkeypatch):
    monkeypatch.setenv("PORT", "8080")
    main(["serve", "--public", "--address", "0.0.0.0", "--model", "one/a", "--model", "two/b", "--dtype", "bfloat16"])
    _, command, settings = served[0]
    pairs = dict(zip(command[5::2], command[6::2], strict=True))
    assert pairs["--server.port"] == "8080"
    assert pairs["--server.headless"] == "true"
    assert pairs["--client.showErrorDetails"] == "none"
    assert pairs["--server.maxUploadSize"] == "5"
    assert settings["PALIMPSEST_PUBLIC"] == "1"
    assert ModelSpec.model_validate_json(settings["PALIMPSEST_MODEL"]) == ModelSpec(source="one/a", dtype="bfloat16")
    assert settings["PALIMPSEST_ALLOW"] == "two/b"


def test_serve_on_a_port_that_is_none(served, monkeypatch, capsys):
    monkeypatch.setenv("PORT", "http")
    assert "$PORT" in refused(capsys, "serve")


def test_serve_on_a_port_in_use(capsys):
    with serve.socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert "in use" in refused(capsys, "serve", "--port", str(other.getsockname()[1]))
