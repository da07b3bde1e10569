"""A study of a package of its own is used as ours are; one at fault is named in a sentence and ends nothing."""

import json
import os
import time
import urllib.request
from typing import Any

import pytest

import analysis
from app.bench.visits.kept import results
from app.bench.visits.protocol import visiting
from app.bench.visits.served import start_server
from app.charts.html import result_html
from app.cli import main
from app.exports.heading import heading
from app.exports.json_csv import to_csv
from app.exports.notebook import result_code
from app.jobs.run_entry import run_of
from app.jobs.store import ResultStore
from app.registry.studies import ENTRIES, STUDIES
from tests.kit.commands import refused, specs
from tests.kit.installing import STUDY as SAMPLE
from tests.kit.installing import Installed, declared, installed
from tests.kit.places import ROOT

__all__ = ["installed", "specs"]
GROUP = "palimpsest.studies"
LONGEST = 300.0
"""Seconds until a server that hangs is given up: it loads a model first, which takes long on a busy machine."""
ENTRY = """
from app.registry.entry import Command, Entry, Page

class Request: ...

def entry(**other):
    own = dict(name="other", question="?", does="does", request="broken:Request", result="broken:Request",
               run="broken:entry", table="broken:entry")
    return Entry(**own | other)
"""


@pytest.fixture
def sample(installed: Installed) -> None:
    installed(GROUP, SAMPLE, **declared(SAMPLE)[GROUP])


def test_the_terminal_runs_it_keeps_it_and_writes_every_form(sample, specs, capsys, tmp_path, monkeypatch):
    assert list(ENTRIES)[-1] == "surprise"
    files = {form: tmp_path / f"out.{form}" for form in ("json", "csv", "html")}
    words = ["surprise", "--prompt", "the old tower of Aldra"]
    assert main(words + [word for form, place in files.items() for word in (f"--{form}", str(place))]) == 0
    assert "tower" in capsys.readouterr().out
    found = json.loads(files["json"].read_text(encoding="utf-8"))
    assert found["study"] == "surprise"
    assert found["request"] == {"prompt": "the old tower of Aldra", "base": 2.0}
    assert len(found["surprise"]) == len(found["tokens"]) - 1 == files["csv"].read_text().count("\n") - 1
    assert "Which words surprise it?" in (page := files["html"].read_text(encoding="utf-8"))
    assert "How unexpected each word was" in page
    monkeypatch.setattr("palimpsest_surprise.surprise", None)
    assert main(words) == 0, "it is in the store"
    capsys.readouterr()
    assert "base" in refused(capsys, *words, "--base", "0")


def test_a_notebook_computes_it_again_and_the_store_gives_it_back(sample, tiny, monkeypatch):
    study = STUDIES["surprise"]
    result = study.run(tiny, study.request(prompt="the old tower"))
    store, key = ResultStore(), result.request.key(tiny.weights_hash)
    store.save(study, key, result)
    assert to_csv(store.load(study, key)) == to_csv(result)
    monkeypatch.setattr(analysis, "load", lambda *_, **__: tiny)
    names: dict[str, Any] = {}
    code = result_code(result)
    assert "from palimpsest_surprise import SurpriseRequest, surprise" in code
    exec(code, names)  # noqa: S102 - the snippet is ours
    assert to_csv(names["result"]) == to_csv(result)
    assert heading(result).name.startswith("palimpsest-surprise-")
    assert run_of(study, key, result).study == "surprise"
    assert "<h1>" in result_html(result)


def test_a_sweep_asks_it_of_every_case(sample, specs, capsys, tmp_path):
    data, out = tmp_path / "cases.csv", tmp_path / "sweep.json"
    rows = [f"the old {subject} stands in a,{subject},river,city" for subject in ("tower", "mother")]
    data.write_text("\n".join(["prompt,subject,target,old", *rows]), encoding="utf-8")
    assert main(["sweep", "surprise", "--data", str(data), "--vary", "base=2,10", "--out", str(out)]) == 0
    assert "4 requests: 4 computed" in capsys.readouterr().out
    assert main(["report", str(out), "--csv", str(tmp_path / "all.csv")]) == 0
    assert "surprise" in (tmp_path / "all.csv").read_text(encoding="utf-8")


@pytest.mark.real
def test_its_page_stands_in_the_top_bar_and_runs_it(sample, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), str(SAMPLE), str(ROOT)]))
    server = start_server(tmp_path / "home")
    try:
        assert "window.__streamlit" in urllib.request.urlopen(f"{server.url}/surprise").read().decode()
        with visiting(server.url) as visit:
            visit.open("lens")
            assert ("Surprise", "surprise") in visit.bar
            visit.open("surprise", {"prompt": "The capital of France is"})
            assert "Which words surprise it?" in visit.text()
            visit.press("surprise-go")
            end = time.monotonic() + LONGEST
            while not (found := list(results(tmp_path / "home", "surprise"))) and time.monotonic() < end:
                time.sleep(0.1)
            assert found[0].request.prompt == "The capital of France is"
            visit.open("lens")
            visit.open("surprise", {"prompt": "The capital of France is"})
            assert "Traceback" not in visit.text()
            assert any(one.HasField("plotly_chart") for one in visit.elements.values())
    finally:
        server.stop()


def test_it_is_listed_with_its_fields(sample, capsys):
    assert main(["studies", "surprise"]) == 0
    out = capsys.readouterr().out
    assert "prompt: text whose words are looked at (needed)" in out
    assert "base: base of the logarithm (default 2.0; ratio)" in out
    assert "gives surprise (powers of the base)" in out
    assert main(["studies", "--json"]) == 0
    schemas = json.loads(capsys.readouterr().out)
    assert list(schemas) == list(ENTRIES)
    asked = schemas["surprise"]["request"]
    assert asked["required"] == ["prompt"]
    assert asked["properties"]["base"]["exclusiveMinimum"] == 1
    assert asked["properties"]["base"]["unit"] == "ratio"
    assert schemas["surprise"]["result"]["numbers"] == {"surprise": "powers of the base"}
    assert schemas["trace"]["result"]["numbers"]["grids.kl"] == "nats"
    assert "There is no study “nothing”" in refused(capsys, "studies", "nothing")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("raise RuntimeError('no\\nluck')", "broken:OTHER cannot be read (RuntimeError: no luck)"),
        ("import nothing_of_the_kind", "No module named 'nothing_of_the_kind'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("OTHER = entry", "is no Entry"),
        ("OTHER = entry(colour='red')", "unexpected keyword argument 'colour'"),
        ("", "has no attribute 'OTHER'"),
        ("OTHER = entry(name='trace')", "there is a command “trace” already"),
        ("OTHER = entry(name='bench')", "there is a command “bench” already"),
        ("OTHER = entry(more_commands=(Command('lm-eval', 'broken', ''),))", "there is a command “lm-eval” already"),
        ("OTHER = entry(name='../other')", "its name is “../other”"),
        ("OTHER = entry(name=None)", "its name is “None”"),
        ("OTHER = entry(table='nowhere.table:table')", "its table is “nowhere.table:table”; there is no module"),
        ("OTHER = entry(run='broken.run')", "its run is “broken.run”; it is written module:attribute"),
        ("OTHER = entry(rail=3)", "its rail is “3”; it is written module:attribute"),
        ("OTHER = entry(from_case={'prompt': 'broken:'})", "for prompt is “broken:”; it is written"),
        ("OTHER = entry(command='nowhere')", "module of its command “other” is “nowhere”; there is no module"),
        ("OTHER = entry(page='trace')", "its page is “trace”; a page bears its study's name"),
        ("OTHER = entry(own_page=Page('Other'))", "its page is “”"),
        ("OTHER = entry(name='start', page='start', own_page=Page('Other'))", "its page is “start”"),
        ("OTHER = entry(page='other', own_page=Page('Other'))", "its page has no script"),
        (
            "OTHER = entry(page='other', own_page=Page('Other', script='nowhere.page'))",
            "there is no module nowhere.page",
        ),
        ("OTHER = entry(plate='broken:entry')", "it names plates"),
        ("OTHER = entry(does='')", "it has no does"),
        ("OTHER = entry(question=None)", "it has no question"),
        ("OTHER = entry(table='')", "it has no table"),
        ("OTHER = entry(parts='nothing')", "runs of “nothing”, which is no study"),
        ("OTHER = entry(more_commands='x')", "its fields cannot be read (AttributeError"),
        ("OTHER = entry(from_case=3)", "its fields cannot be read (AttributeError"),
    ],
)
def test_one_at_fault_is_named_in_a_sentence_and_left_out(installed, tmp_path, caplog, made, said):
    (tmp_path / "broken.py").write_text(f"{ENTRY}\n{made}\n", encoding="utf-8")
    ours = [name for name in ENTRIES if name != "surprise"]
    installed(GROUP, tmp_path, SAMPLE, other="broken:OTHER", surprise="palimpsest_surprise.entry:SURPRISE")
    assert list(ENTRIES) == [*ours, "surprise"]
    (sentence,) = [record.getMessage() for record in caplog.records]
    assert sentence.startswith("The study “other” of some-studies is left out: ")
    assert said in sentence
    assert "\n" not in sentence


def test_what_is_found_missing_when_it_is_asked_is_said_in_a_sentence(installed, specs, tmp_path, capsys):
    (tmp_path / "broken.py").write_text(f"{ENTRY}\nOTHER = entry(request='broken:Nothing')\n", encoding="utf-8")
    installed(GROUP, tmp_path, other="broken:OTHER")
    sentence = refused(capsys, "other")
    assert "request of the study “other” cannot be read from broken:Nothing" in sentence
    assert main(["studies"]) == 1
    out = capsys.readouterr().out
    assert "trace: Where is the fact kept?" in out
    assert sentence.strip() in out
