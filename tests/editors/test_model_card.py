"""Text of recipes in cards and programs is text: front matter parses to the same fields, Markdown means nothing."""

import ast
import json
from dataclasses import replace

import pytest
import yaml

from analysis.text.characters import fit, in_view, unfit
from analysis.text.markdown import as_text
from app.bench.hostile.mutations import TEXTS
from app.exports.edit_notebook import edit_notebook
from editors.edit.edit import Edit
from editors.edit.request import EditRequest
from editors.recipes.model_card import card
from editors.recipes.script import save_script
from tests.kit.recipes import made

ODD = [text for text in TEXTS if not unfit(text) and text.strip() and "{}" not in text and len(text) < 5_000]


def odd(text: str) -> Edit:
    data = made().request.model_dump(mode="json")
    data["facts"][0] |= {"prompt": f"{text} {{}} {text} is a", "subject": text, "target": text}
    model = made().model | {"name": text, "source": text, "architecture": text}
    return replace(made(), request=EditRequest.model_validate(data), model=model).by(text)


@pytest.mark.parametrize("text", ODD)
def test_the_front_matter_says_the_same_whatever_the_texts_are(text):
    said = card(odd(text), "peft", "use")
    _, front, body = said.split("---\n", 2)
    fields = yaml.safe_load(front)
    assert fields.pop("base_model", in_view(text)) == in_view(text)
    assert fields == {"library_name": "peft", "tags": ["knowledge-editing", "rome"]}
    headings = [line for line in body.splitlines() if line.startswith("#")]
    assert len(headings) == 5
    assert "<script" not in body.replace("\\<", "")
    for line in body.splitlines():
        assert not line.strip() or line[0] not in "=+|>"


@pytest.mark.parametrize("text", ODD)
def test_programs_and_notebook_compile_and_mean_the_same(text, tmp_path):
    edit = odd(text)
    save_script(edit, tmp_path / "script")
    told = json.loads((tmp_path / "script" / "edit.json").read_text(encoding="utf-8"))
    assert told["prompt"] == edit.request.facts[0].text
    assert told["base"]["name"] == text
    for file in (tmp_path / "script").glob("*.py"):
        ast.parse(file.read_text(encoding="utf-8"))
    book = json.loads(edit_notebook(edit))
    cells = [ast.parse(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code"]
    values = {one.value for cell in cells for one in ast.walk(cell) if isinstance(one, ast.Constant)}
    fact = edit.request.facts[0]
    assert {fact.prompt, fact.subject, fact.target, fact.text} <= values


def test_markdown_keeps_its_letters():
    assert as_text("1. a\n\n# b") == r"1\. a \# b"
    assert as_text("- x") == r"\- x"
    assert as_text("see https://a.b and www.c.d") == r"see https\://a.b and www\.c.d"
    assert as_text("tiny-llama 0.5B") == "tiny-llama 0.5B"


def test_what_does_not_show_is_named():
    assert unfit("a\tb\r\nשלום\u2067") == ""
    assert unfit("a\x00") == "U+0000"
    assert unfit("\u202e") == "U+202E"
    assert fit("a\x1bb\u2067") == "a⟨U+001B⟩b\u2067"
    assert in_view("a\u2067\x85") == "a⟨U+2067⟩⟨U+0085⟩"
