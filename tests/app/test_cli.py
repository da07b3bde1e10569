"""The command line: flags from requests, exit codes, one sentence for a fault, files whole or absent."""

import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis import ModelSpec, TraceRequest, trace
from analysis.errors import ModelTooLarge
from app.cli import bench as bench_command
from app.cli import main
from app.jobs import compute as computing
from app.jobs.store import ResultStore
from app.registry.studies import STUDIES, commands
from app.session.permalinks import link
from app.studies.edit.commands.protect_flag import FIELDS
from app.terminal import request_flags
from app.terminal import text as terminal
from tests.kit.commands import refused
from tests.kit.places import ROOT

PROMPT, SUBJECT = "the old tower of Aldra stands in a city", "old tower"
TRACE = ["trace", "--prompt", PROMPT, "--subject", SUBJECT, "--samples", "2", "--sigma", "0.5"]


def test_trace_writes_what_it_promises(specs, tiny, tmp_path, capsys):
    file = tmp_path / "out.json"
    assert main([*TRACE, "--json", str(file)]) == 0
    data = json.loads(file.read_text(encoding="utf-8"))
    wanted = {"model", "request", "tokens", "subject", "answer", "high", "low", "scores", "provenance"}
    assert wanted <= data.keys()
    assert data["subject"] == [1, 3]
    request = TraceRequest(prompt=PROMPT, subject=SUBJECT, samples=2, sigma=0.5)
    assert TraceRequest.model_validate(data["request"]) == request
    assert np.array_equal(data["scores"], trace(tiny, request).scores("state"))
    out, err = capsys.readouterr()
    assert err == ""
    assert data["answer"].strip() in out
    assert "old*" in out
    assert "█" in out
    assert specs == [ModelSpec()]


def test_every_form_of_file(specs, tmp_path):
    files = {form: tmp_path / f"out.{form}" for form in ("json", "csv", "html")}
    assert main([*TRACE, *(word for form, file in files.items() for word in (f"--{form}", str(file)))]) == 0
    assert sorted(tmp_path.glob("out.*")) == sorted(files.values())
    assert len(pd.read_csv(files["csv"])) == 3 * 9
    assert "plotly" in files["html"].read_text(encoding="utf-8").lower()
    assert json.loads(files["json"].read_text(encoding="utf-8"))["cells_computed"] == 27


def test_the_second_time_nothing_is_computed(specs, tmp_path, monkeypatch, capsys):
    assert main(TRACE) == 0
    first = capsys.readouterr().out
    monkeypatch.setattr(computing, "compute", lambda *_: pytest.fail("computed again"))
    assert main(TRACE) == 0
    assert capsys.readouterr().out == first
    monkeypatch.undo()


def test_fresh_computes_anew(specs, monkeypatch):
    ran: list[Any] = []
    compute = computing.compute
    monkeypatch.setattr(computing, "compute", lambda *args, **more: ran.append(args[1]) or compute(*args, **more))
    for extra in ([], [], ["--fresh"]):
        assert main([*TRACE, *extra]) == 0
    assert len(ran) == 2


def test_model_flags(specs):
    words = [
        "--model",
        "owner/name",
        "--revision",
        "v1",
        "--device",
        "cpu",
        "--dtype",
        "bfloat16",
        "--device-map",
        "auto",
    ]
    assert main([*TRACE, *words]) == 0
    assert specs == [ModelSpec(source="owner/name", revision="v1", device="cpu", dtype="bfloat16", device_map="auto")]


def test_lists_may_be_repeated_or_separated(specs, tmp_path):
    found = []
    for number, words in enumerate((["--kinds", "state,mlp"], ["--kind", "mlp", "--kind", "state"])):
        file = tmp_path / f"{number}.json"
        assert main([*TRACE, *words, "--json", str(file)]) == 0
        found.append(json.loads(file.read_text())["request"])
    assert found[0] == found[1]
    assert found[0]["kinds"] == ["state", "mlp"]


@pytest.mark.parametrize("name", list(STUDIES))
def test_every_field_is_a_flag(name, capsys):
    assert main([name, "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for field_name, field in STUDIES[name].request.model_fields.items():
        if field_name == "cases":  # of a file
            assert "--data FILE" in out
            continue
        if name == "edit" and field_name in FIELDS:  # one flag for three
            assert "--protect WHAT" in out
            continue
        assert f"--{field_name.replace('_', '-')} " in out
        assert field.description[:20] in out


def test_a_command_says_what_a_link_says(specs, tmp_path):
    assert "seed=3" in link("trace", TraceRequest(prompt=PROMPT, subject=SUBJECT, seed=3))
    assert main([*TRACE, "--seed", "3", "--json", str(tmp_path / "o.json")]) == 0
    assert json.loads((tmp_path / "o.json").read_text())["request"]["seed"] == 3


def test_lens(specs, tmp_path, capsys):
    assert main(["lens", "--prompt", PROMPT, "--json", str(tmp_path / "lens.json")]) == 0
    data = json.loads((tmp_path / "lens.json").read_text())
    assert np.shape(data["lens"]["answer_probability"]) == (3, len(data["tokens"]))
    assert "layer" in capsys.readouterr().out


def test_facts(specs, tmp_path, capsys):
    assert main(["facts", "--relation", "capital", "--at-least", "0.9", "--json", str(tmp_path / "facts.json")]) == 0
    data = json.loads((tmp_path / "facts.json").read_text())
    assert {fact["relation"] for fact in data["facts"]} == {"capital"}
    assert f"of {len(data['facts'])} facts known with a probability of at least 0.9" in capsys.readouterr().out


def test_average_of_a_model_that_knows_nothing(specs, capsys):
    assert "knows none of these facts" in refused(capsys, "average", "--facts", "2", "--at-least", "1")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "COMMAND"),
        (["tarce"], "tarce"),
        (["trace"], "--prompt"),
        (["trace", "--prompt", PROMPT], "--subject"),
        ([*TRACE, "--nonsense"], "--nonsense"),
        ([*TRACE, "--samples", "0"], "samples: "),
        ([*TRACE, "--samples", "many"], "samples: "),
        ([*TRACE, "--kinds", "foo"], "kinds"),
        ([*TRACE, "--corruption", "replace", "--replacement", "Aldra"], "token"),
        ([*TRACE, "--replacement", "Aldra"], "corruption"),
        ([*TRACE, "--dtype", "int4"], "dtype"),
        ([*TRACE, "--json", "/no/such/folder/out.json"], "/no/such/folder/out.json"),
        ([*TRACE, "--json", "/tmp"], "folder"),
        (["trace", "--prompt", PROMPT, "--subject", "old towers"], "Did you mean"),
        (["trace", "--prompt", "", "--subject", SUBJECT], "empty"),
        (["trace", "--prompt", "old tower old tower", "--subject", SUBJECT], "occurs 2 times"),
        (["facts", "--relation", "nonsense"], "nonsense"),
        (["model"], "ACTION"),
        (["model", "info", "/no/such/folder"], "/no/such/folder"),
        (["model", "info", "--device", "toaster", "a/b/c"], "a/b/c"),
        (["bench"], "NAME"),
        (["bench", "nonsense"], "nonsense"),
        (["bench", "tracing", "--kinds", "severed_mlp"], "--kinds"),
        (["bench", "drift", "--parts", "rome,ace"], "--parts"),
        (["bench", "evaluate", "--texts", "-1"], "--texts"),
        (["bench", "evaluate", "--single", "0"], "--single"),
        (["bench", "neurons", "--chains", "many"], "--chains"),
        (["bench", "editing", "--parts", "rome"], "--parts"),
        (["bench", "tracing", "--lengths", "ten"], "--lengths"),
        (["bench", "tracing", "--repeats", "0"], "repeats"),
        (["serve", "--port", "99999"], "--port"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(specs, capsys, words, part):
    assert part in refused(capsys, *words)


def test_an_unwritable_file_is_known_before_the_work(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(request_flags, "load", lambda *_, **__: pytest.fail("the work began"))
    refused(capsys, *TRACE, "--csv", str(tmp_path / "none" / "out.csv"))
    (tmp_path / "file").write_text("x")
    refused(capsys, *TRACE, "--csv", str(tmp_path / "file" / "out.csv"))


def test_a_fault_leaves_no_file_and_keeps_the_old_one(specs, monkeypatch, capsys, tmp_path):
    file = tmp_path / "out.json"
    file.write_text("old")
    assert main(["trace", "--prompt", PROMPT, "--subject", "nobody", "--json", str(file)]) == 2
    assert file.read_text() == "old"

    def crash(*_: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", crash)
    assert main([*TRACE, "--json", str(file)]) == 2
    assert "No space left" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.json"]
    assert file.read_text() == "old"


def test_a_link_to_a_file_stays_a_link(specs, tmp_path):
    (tmp_path / "there.json").write_text("old")
    (tmp_path / "link.json").symlink_to(tmp_path / "there.json")
    assert main([*TRACE, "--json", str(tmp_path / "link.json")]) == 0
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "there.json").read_text())["tokens"]


def test_ctrl_c_keeps_what_was_computed(specs, tiny, monkeypatch, capsys):
    run = computing.compute

    def interrupted(what: Any, request: Any, lm: Any, store: Any, report: Any, *edits: Any, **more: Any) -> Any:
        def once(done: int, *rest: Any, **named: Any) -> None:
            report(done, *rest, **named)
            if done >= 9:
                raise KeyboardInterrupt

        return run(what, request, lm, store, once, *edits, **more)

    monkeypatch.setattr(computing, "compute", interrupted)
    assert main(TRACE) == 130
    assert "goes on from here" in capsys.readouterr().err
    key = TraceRequest(prompt=PROMPT, subject=SUBJECT, samples=2, sigma=0.5).key(tiny.weights_hash)
    kept = ResultStore().load(STUDIES["trace"], key, stopped=True)
    assert 0 < kept.cells[0] < kept.cells[1]
    monkeypatch.setattr(computing, "compute", run)
    assert main(TRACE) == 0
    assert ResultStore().load(STUDIES["trace"], key).complete


def test_a_model_too_large_is_refused_with_its_sentence(monkeypatch, capsys):
    def load(spec: ModelSpec, report: Any) -> Any:
        raise ModelTooLarge("It needs 900 GB; 1 GB is free.")

    monkeypatch.setattr(request_flags, "load", load)
    assert refused(capsys, *TRACE) == "It needs 900 GB; 1 GB is free.\n"


def test_the_bar_is_drawn_on_a_terminal_only(specs, monkeypatch, capsys):
    assert main([*TRACE, "--fresh"]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main([*TRACE, "--fresh"]) == 0
    err = capsys.readouterr().err
    assert "27 of 27 cells" in err
    assert err.endswith("\r\x1b[2K")


def test_help_does_not_wait_for_torch():
    code = (
        "import sys; from app.cli import main; main(['--help']); main(['--version']); "
        "sys.exit('torch' in sys.modules or 'streamlit' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in [one.name for one in commands()])


@pytest.mark.parametrize(
    ("given", "spins"), [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, None)]
)
def test_waiting_threads_leave_their_core_unless_told_otherwise(monkeypatch, capsys, given, spins):
    monkeypatch.setattr(os, "environ", {**given})
    main(["data", "--help"])
    assert os.environ.get("GOMP_SPINCOUNT") == spins


def test_a_reader_that_leaves_early(specs, tmp_path):
    command = f"{sys.executable} -m app.cli trace --help | true"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr


def test_bench(specs, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("app.bench.tracing.PROMPT", PROMPT)
    monkeypatch.setattr("app.bench.tracing.SUBJECT", SUBJECT)
    monkeypatch.setattr("app.bench.machine.SHAPES", ((8, 8, 8), (16, 16, 16)))
    file = tmp_path / "bench.json"
    words = ["bench", "tracing", "--kinds", "state,mlp", "--repeats", "2", "--lengths", "12,20", "--json", str(file)]
    assert main(words) == 0
    data = json.loads(file.read_text())
    assert data.keys() == {"command", "machine", "commit", "model", "figures"}
    assert data["command"] == "palimpsest bench tracing --kinds state,mlp --lengths 12,20 --repeats 2"
    assert all(figure.keys() == {"name", "value", "unit", "n", "low", "high"} for figure in data["figures"])
    figures = {figure["name"]: figure for figure in data["figures"]}
    for kind in ("state", "mlp"):
        names = ("seconds", "plain_seconds", "ratio", "max_abs_difference", "share_of_peak")
        assert {f"{kind}.{name}" for name in names} <= figures.keys()
        assert figures[f"{kind}.plain_seconds"]["n"] == 3 * 8
        assert figures[f"{kind}.max_abs_difference"]["n"] == 3 * 8 * 10
        assert figures[f"{kind}.max_abs_difference"]["value"] < 1e-5
        ratio = figures[f"{kind}.plain_seconds"]["value"] / figures[f"{kind}.seconds"]["value"]
        assert figures[f"{kind}.ratio"]["value"] == pytest.approx(ratio)
    assert {"peak_memory_mb", "preview.seconds", "state.seconds_T12", "state.seconds_T20"} <= figures.keys()
    assert "attn.seconds" not in figures
    assert data["machine"]["matmul_peak_gflops"] == max(data["machine"]["matmul_gflops"].values())
    assert "state.ratio" in capsys.readouterr().out


def test_bench_of_a_shape(monkeypatch, capsys):
    small = {
        "vocab_size": 2000, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": False,
    }  # fmt: skip
    monkeypatch.setitem(bench_command.SHAPES, "qwen3-8b", small)
    monkeypatch.setattr("app.bench.machine.SHAPES", ((8, 8, 8),))
    words = ["bench", "tracing", "--quick", "--shape", "qwen3-8b", "--kinds", "state", "--device", "cpu"]
    assert main([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    figures = {figure["name"]: figure["value"] for figure in data["figures"]}
    assert data["model"]["name"] == "qwen3-8b, random weights"
    assert figures["state.max_abs_difference"] < 1e-5


def test_columns_and_shades():
    lines = terminal.columns([("a", 1, 0.5), ("bcd", 22, 0.25)], ("name", "n", "p")).splitlines()
    assert lines == ["name   n      p", "a      1  0.500", "bcd   22  0.250"]
    assert terminal.shades(np.array([np.nan, -1.0, 0.0, 1.0, 2.0]), 0.0, 1.0) == " ▁▁██"
    assert terminal.columns([], ("a", "b")) == "a  b"


def test_the_bar_is_quick():
    bar, began = terminal.Bar(), time.monotonic()
    for step in range(1000):
        bar(step, 1000, "steps")
    assert time.monotonic() - began < 1
