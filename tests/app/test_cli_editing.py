"""Writing over a model from the terminal: recipes, what is made of them, and one sentence for a fault."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from analysis import ModelSpec
from analysis.forward.generation import continued
from app.cli import main
from app.exports.recipe_files import save_as
from app.studies.edit.commands.protect_flag import FIELDS
from app.terminal import request_flags
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.methods.run import write
from editors.recipes.recipe import BROUGHT, SEARCH_BROUGHT, faults, payload_place, read_files, read_recipe, write_recipe
from tests.conftest import cached
from tests.kit.commands import refused
from tests.kit.edits import CITY, TOWER, asked, parameters, unchanged
from tests.kit.families import build, word_tokenizer

FEW = ["--contexts", "2", "--context-tokens", "4", "--tokens", "600", "--steps", "8", "--clamp", "4"]
FACT = ["--prompt", TOWER.prompt, "--subject", TOWER.subject, "--target", TOWER.target]
EDIT = ["edit", *FACT, "--method", "rome", "--layers", "1", *FEW]


@pytest.fixture
def unloaded(monkeypatch) -> None:
    monkeypatch.setattr(request_flags, "load", lambda *_, **__: pytest.fail("a model was loaded"))


@cache
def made() -> Edit:
    return write(cached("llama"), asked())


@cache
def upon() -> Edit:
    return write(cached("llama"), asked("alphaedit", CITY), stack=(made(),))


@pytest.fixture
def recipe(tmp_path) -> Path:
    write_recipe(made(), tmp_path / "one.json")
    return tmp_path / "one.json"


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def faulted(capsys, *words: str) -> list[str]:
    """The lines a command refuses with: a sentence, and the faults."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert all(line.endswith(".") for line in lines)
    return lines


# edit


def test_an_edit_is_shown_and_kept(specs, tiny, tmp_path, capsys):
    before = parameters(tiny)
    place = tmp_path / "new" / "one.json"
    assert main([*EDIT, "--out", str(place), "--author", "Ada"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert TOWER.text in out
    assert files(tmp_path / "new") == {"one.json", "one.safetensors"}
    data, payload = read_files(place)
    assert faults(data, payload) == []
    assert data["id"] in out
    assert data["identity"]["author"] == "Ada"
    assert {"before", "after", "evaluation", "request", "artefact", "base"} <= data.keys()
    assert data["before"].keys() == data["after"].keys() >= {"target", "original", "argmax"}
    assert data["evaluation"][0].keys() >= {"before", "after"}
    assert read_recipe(place).id == made().id
    assert unchanged(tiny, before)
    assert specs == [ModelSpec()]


def test_the_text_is_one_thing_and_the_model_another(specs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("the old tower of Aldra stands\n\n" * 200, encoding="utf-8")
    assert main([*EDIT, "--source", "text.txt", "--model", "owner/name", "--out", "one.json"]) == 0
    assert read_recipe(Path("one.json")).request.source == "text.txt"
    assert main(["stats", "--layers", "1", "--tokens", "600", "--source", "text.txt", "--model", "owner/name"]) == 0
    assert "text.txt" in capsys.readouterr().out
    assert specs == [ModelSpec(source="owner/name")] * 2


def test_an_edit_without_out_leaves_no_file(specs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(EDIT) == 0
    assert files(tmp_path) == set()


def test_facts_from_a_file(specs, tmp_path):
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps([fact.model_dump() for fact in (TOWER, CITY)]), encoding="utf-8")
    words = ["edit", "--facts", str(facts), "--method", "memit", "--layers", "0,1", *FEW]
    assert main([*words, "--out", str(tmp_path / "two.json")]) == 0
    edit = read_recipe(tmp_path / "two.json")
    assert edit.request.facts == (TOWER, CITY)
    assert edit.request.layers == (0, 1)


def test_an_edit_on_top_of_another(specs, recipe, tmp_path):
    place = tmp_path / "two.json"
    words = ["edit", "--prompt", CITY.prompt, "--subject", CITY.subject, "--target", CITY.target]
    words += ["--method", "alphaedit", "--layers", "0,1", *FEW, "--on", str(recipe)]
    assert main([*words, "--out", str(place)]) == 0
    edit = read_recipe(place)
    assert edit.built_on == [made().id]
    assert edit.id == upon().id


def test_model_flags_of_an_edit(specs):
    assert main([*EDIT, "--model", "owner/name", "--device", "cpu"]) == 0
    assert specs == [ModelSpec(source="owner/name", device="cpu")]


@pytest.mark.parametrize("field", [name for name in EditRequest.model_fields if name not in ("facts", *FIELDS)])
def test_every_setting_is_a_flag(field, capsys):
    assert main(["edit", "--help"]) == 0
    assert f"--{field.replace('_', '-')}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["edit"], "--prompt, --subject, --target must be given"),
        (["edit", *FACT[:-2]], "--target must be given"),
        (["edit", "--prompt", "the old tower", *FACT[2:]], "must hold {} exactly once"),
        (["edit", "--prompt", "{} and {}", *FACT[2:]], "must hold {} exactly once"),
        ([*EDIT, "--out", "recipe.txt"], "ends in .json"),
        ([*EDIT, "--out", "recipe"], "ends in .json"),
        ([*EDIT, "--out", "folder.json"], "is a folder"),
        ([*EDIT, "--out", "text.txt/one.json"], "cannot be written"),
        ([*EDIT, "--on", "none.json"], "There is no file none.json"),
        ([*EDIT, "--method", "surgery"], "method: "),
        ([*EDIT, "--steps", "0"], "steps: "),
        ([*EDIT, "--protect", "1"], "protect: "),
        (["edit", "--facts", "none.json"], "not a JSON list of facts"),
        (["edit", "--facts", "text.txt"], "not a JSON list of facts"),
        (["edit", "--facts", "object.json"], "not a JSON list of facts"),
        (["edit", "--facts", "words.json"], "not a JSON list of facts"),
        (["edit", "--facts", "half.json"], "target: "),
        (["edit", "--facts", "empty.json"], "facts: choose at least one"),
        (["apply", "none.json", "--out", "new"], "There is no file none.json"),
        (["apply", "one.json"], "--out"),
        (["apply", "one.json", "--out", "folder.json"], "is there already"),
        (["apply", "one.json", "--out", "folder.json", "--format", "hf"], "is there already"),
        (["apply", "one.json", "--out", "text.txt/new"], "cannot be written"),
        (["apply", "one.json", "--out", "new", "--format", "pdf"], "--format"),
        (["apply", "object.json", "--out", "new"], "There is no file object.safetensors"),
        (["recipe"], "ACTION"),
        (["recipe", "show", "none.json"], "There is no file none.json"),
        (["recipe", "verify", "none.json"], "There is no file none.json"),
        (["recipe", "diff", "one.json"], "RECIPE"),
        (["recipe", "diff", "one.json", "none.json"], "There is no file none.json"),
        (["generate"], "--prompt"),
        (["generate", "--prompt", "the old", "--recipe", "none.json"], "There is no file none.json"),
        (["generate", "--prompt", "the old", "--recipe", "one.json", "--recipe", "one.json"], "written already"),
        (["generate", "--prompt", "the old", "--recipe", "upon.json"], "was found on top of"),
        (["stats"], "--layers"),
        (["stats", "--layers", "one"], "layers"),
    ],
)
def test_bad_input_is_one_sentence_before_any_work(unloaded, recipe, tmp_path, monkeypatch, capsys, words, part):
    monkeypatch.chdir(tmp_path)
    write_recipe(upon(), tmp_path / "upon.json")
    (tmp_path / "folder.json").mkdir()
    for name, text in {
        "text.txt": "text",
        "object.json": "{}",
        "words.json": '["one"]',
        "half.json": '[{"prompt": "{} is", "subject": "it"}]',
        "empty.json": "[]",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    there = sorted(tmp_path.rglob("*"))
    assert part in refused(capsys, *words)
    assert sorted(tmp_path.rglob("*")) == there


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([*EDIT[:-len(FEW) - 2], "--layers", "7", *FEW], "layers 0 to 2"),
        ([*EDIT, "--layers", "0,1"], "one layer"),
        (["generate", "--prompt", ""], "empty"),
        (["stats", "--layers", "7"], "layers 0 to 2"),
        (["stats", "--layers", "1", "--source", "/no/such/file"], "/no/such/file"),
        (["stats", "--layers", "1", "--import", "/no/such/file"], "no second moments"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_model_is_one_sentence(specs, tmp_path, capsys, words, part):
    assert part in refused(capsys, *words)


def test_a_recipe_of_another_model_is_refused(monkeypatch, tiny, tmp_path, recipe, capsys):
    other = cached("llama_tied")
    before = parameters(other)
    monkeypatch.setattr(request_flags, "load", lambda spec, report: other)
    for words in (
        ["generate", "--prompt", "the old", "--recipe", str(recipe)],
        ["apply", str(recipe), "--format", "hf", "--out", str(tmp_path / "new")],
        [*EDIT, "--on", str(recipe)],
    ):
        assert "was written on other weights" in refused(capsys, *words)
    assert unchanged(other, before)
    assert not (tmp_path / "new").exists()


# recipe


def test_show(unloaded, recipe, capsys):
    assert main(["recipe", "show", str(recipe)]) == 0
    out = capsys.readouterr().out
    assert made().title in out
    assert made().changes[0].name in out
    assert read_files(recipe)[0]["id"] in out


def test_verify(unloaded, recipe, capsys):
    assert main(["recipe", "verify", str(recipe)]) == 0
    assert "is whole" in capsys.readouterr().out


def test_verify_tells_what_was_altered(unloaded, recipe, capsys):
    whole, payload = recipe.read_text(encoding="utf-8"), payload_place(recipe).read_bytes()
    recipe.write_text(whole.replace('"target": "river"', '"target": "rivers"', 1), encoding="utf-8")
    lines = faulted(capsys, "recipe", "verify", str(recipe))
    assert lines[0] == f"{recipe} has 1 faults."
    assert "it was altered" in lines[1]
    payload_place(recipe).write_bytes(payload[:-1] + bytes([payload[-1] ^ 1]))
    assert len(faulted(capsys, "recipe", "verify", str(recipe))) == 3
    recipe.write_text(whole, encoding="utf-8")
    assert "hash mismatch" in faulted(capsys, "recipe", "verify", str(recipe))[1]
    for words in (["recipe", "show"], ["generate", "--prompt", "x", "--recipe"], ["apply", "--out", "new"]):
        assert "Nothing was changed" in faulted(capsys, *words, str(recipe))[0]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"schema": "other"}', "NaN"])
@pytest.mark.parametrize("action", ["show", "verify"])
def test_what_is_no_recipe_is_refused(unloaded, recipe, capsys, action, content):
    recipe.write_text(content)
    assert "recipe" in faulted(capsys, "recipe", action, str(recipe))[-1]


def test_diff(unloaded, recipe, tmp_path, capsys):
    write_recipe(made(), tmp_path / "same.json")
    assert main(["recipe", "diff", str(recipe), str(tmp_path / "same.json")]) == 0
    assert capsys.readouterr().out == "They are the same.\n"
    write_recipe(made(), tmp_path / "other.json", "Ada")
    assert main(["recipe", "diff", str(recipe), str(tmp_path / "other.json")]) == 1
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()] == ["field", "id", "identity.author"]
    assert "Ada" in out


# apply


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("bundle", {"README.md", "recipe.json", "recipe.safetensors"}),
        (
            "peft",
            {
                "README.md",
                "adapted.py",
                "adapter_config.json",
                "adapter_model.safetensors",
                "base_model.py",
                "edit.json",
            },
        ),
        (
            "script",
            {"README.md", "base_model.py", "edit.json", "edited.py", "recipe.json", "recipe.safetensors"},
        ),
    ],
)
def test_forms_that_need_no_model(unloaded, recipe, tmp_path, capsys, form, names):
    place = tmp_path / "deep" / form
    assert main(["apply", str(recipe), "--format", form, "--out", str(place)]) == 0
    assert files(place) == names
    assert str(place) in capsys.readouterr().out
    save_as(made().as_brought(), form, tmp_path / "plain")
    for name in names:
        assert (place / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    assert list((tmp_path / "deep").iterdir()) == [place]


def test_a_bundle_is_the_recipe(unloaded, recipe, tmp_path):
    assert main(["apply", str(recipe), "--out", str(tmp_path / "new")]) == 0
    taken, own = (read_files(place)[0] for place in (tmp_path / "new" / "recipe.json", recipe))
    assert taken == own | {"brought": BROUGHT}
    assert main(["recipe", "verify", str(tmp_path / "new" / "recipe.json")]) == 0


def test_a_checkpoint(specs, tiny, recipe, tmp_path):
    before = parameters(tiny)
    assert main(["apply", str(recipe), "--format", "hf", "--out", str(tmp_path / "new")]) == 0
    assert {"config.json", "model.safetensors", "README.md", "tokenizer.json"} <= files(tmp_path / "new")
    assert specs == [ModelSpec(source=made().model["source"])]
    assert unchanged(tiny, before)


def test_a_recipe_of_a_folder_from_beginning_to_end(tmp_path, tiny, capsys):
    folder = tmp_path / "model"
    build("llama").save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    place, new = tmp_path / "one.json", tmp_path / "new"
    assert main([*EDIT, "--model", str(folder), "--device", "cpu", "--out", str(place)]) == 0
    assert main(["apply", str(place), "--format", "hf", "--device", "cpu", "--out", str(new)]) == 0
    capsys.readouterr()
    words = ["generate", "--prompt", TOWER.text, "--tokens", "8", "--device", "cpu"]
    assert main([*words, "--recipe", str(place)]) == 0
    edited = capsys.readouterr().out
    assert main([*words, "--model", str(new)]) == 0
    assert capsys.readouterr().out == edited
    assert main([*words, "--model", str(folder)]) == 0
    with written_over(tiny, [read_recipe(place)]):
        assert edited == TOWER.text + list(continued(tiny, TOWER.text, 8))[-1] + "\n"


# generate


def test_generate(specs, tiny, recipe, tmp_path, capsys):
    before = parameters(tiny)
    prompts = [TOWER.text, "near a river"]
    words = ["generate", *(word for prompt in prompts for word in ("--prompt", prompt)), "--tokens", "5"]

    def said(*edits: Edit, **options: Any) -> str:
        with written_over(tiny, edits):
            texts = [[prompt, *list(continued(tiny, prompt, 5, **options))[-1:]] for prompt in prompts]
        return "".join("".join(parts) + "\n" for parts in texts)

    write_recipe(upon(), tmp_path / "upon.json")
    both = ["--recipe", str(recipe), "--recipe", str(tmp_path / "upon.json")]
    for more, wanted in (
        ([], said()),
        (["--recipe", str(recipe)], said(made())),
        (both, said(made(), upon())),
        (["--seed", "3"], said(seed=3)),
    ):
        assert main([*words, *more]) == 0
        assert capsys.readouterr() == (wanted, "")
    assert said() != said(made())
    assert unchanged(tiny, before)
    assert tiny.edits == ()


def test_what_was_said_once_is_found_again(specs, recipe, monkeypatch, capsys):
    words = ["generate", "--prompt", "near, a river", "--tokens", "3", "--recipe", str(recipe)]
    layers = ["layers", *FACT, "--layers", "0", "--method", "ft", "--samples", "1"]
    for command in (words, layers):
        assert main(command) == 0
        first = capsys.readouterr().out
        with monkeypatch.context() as patched:
            patched.setattr("app.jobs.compute.compute", lambda *_, **__: pytest.fail("computed again"))
            assert main(command) == 0
        assert capsys.readouterr().out == first
        assert main([*command, "--fresh"]) == 0
        assert capsys.readouterr().out == first


def test_a_recipe_is_measured_anew(specs, capsys, tmp_path):
    lie = replace(made(), after=replace(made().after, said=["a lie"] * len(made().probes)))
    write_recipe(lie, tmp_path / "lie.json")
    assert main(["recipe", "measure", str(tmp_path / "lie.json"), "--out", str(tmp_path / "here.json")]) == 0
    out = capsys.readouterr().out
    assert SEARCH_BROUGHT in out
    assert "a lie" not in out
    assert read_recipe(tmp_path / "here.json").after.said == made().after.said
