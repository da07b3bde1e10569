"""`--protect` and the field of the form: what must not move, as a person says it."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import BadFile, BadRequest
from app.studies.edit.commands.protect_flag import add_protect, protect_of
from app.studies.edit.forms import protect_form
from app.studies.edit.forms.form import EditForm, form_of
from editors.edit.request import Protected

SPAIN = Protected(prompt="The capital of {} is", subject="Spain")
LOUVRE = Protected(prompt="The Louvre is located in the city of")


def told(*words: str) -> dict[str, Any]:
    parser = ArgumentParser()
    add_protect(parser)
    return protect_of(parser.parse_args([part for word in words for part in ("--protect", word)]))


def test_sources_shares_and_files_may_be_named_together(tmp_path: Path) -> None:
    assert told() == {}
    assert told("relation") == {"protect_keys": "relation"}
    assert told("0.5") == {"protect": 0.5}
    lines, listed = tmp_path / "lines.txt", tmp_path / "listed.json"
    lines.write_text(f"{SPAIN.line}\n\n{LOUVRE.line}\n", encoding="utf-8")
    listed.write_text(json.dumps([SPAIN.model_dump(), LOUVRE.line]), encoding="utf-8")
    whole = {"protect_keys": "own", "protect": 0.5, "protected": (SPAIN, LOUVRE)}
    assert told("own", "0.5", str(lines), str(listed)) == whole


@pytest.mark.parametrize(
    "text",
    ["", "\n \n", "[]", "[3]", '[{"prompt": "a {} b"}]', '[{"subject": "x"}]', "the {Louvre stands", "the {} stands",
     "a {b} c {d}", "a } b", '["a\\u0000b"]', "[[" * 100_000, "{" * 10],
)  # fmt: skip
def test_a_file_that_names_nothing_sensible_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    place = tmp_path / "named.txt"
    place.write_text(text, encoding="utf-8")
    with pytest.raises(BadFile, match=r"named\.txt"):
        told(str(place))


def test_a_word_that_is_none_of_them_is_refused(tmp_path: Path) -> None:
    for word in ("relatoin", str(tmp_path), str(tmp_path / "absent")):
        with pytest.raises(BadFile, match="relation, own"):
            told(word)
    with pytest.raises(BadRequest, match="both"):
        told("relation", "own")


def test_the_forms_lines_are_read_and_come_back() -> None:
    form = EditForm(must_not_move=f"{SPAIN.line}\n{LOUVRE.line}\n")
    request = form.asked()
    assert request.protected == (SPAIN, LOUVRE)
    assert form_of(request).must_not_move == f"{SPAIN.line}\n{LOUVRE.line}"
    settled = request.model_copy(update={"protect_keys": "relation"})
    assert form_of(settled).must_not_move == LOUVRE.line  # subjects of the kind are found anew
    with pytest.raises(BadRequest, match="must not move"):
        protect_form.named("the {Louvre")
