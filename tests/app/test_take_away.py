"""What is taken away from every study with a page: each file is made, read back, and says what the result says."""

import io
import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

import analysis
from analysis.errors import BadFile, BadRequest
from app.charts.html import result_html
from app.charts.marked import Run, marked_html, plain, runs
from app.charts.panels import panels, pictured
from app.charts.written_theme import faces
from app.exports.heading import edits_of, heading, key_of, shown_id, stem
from app.exports.json_csv import csv_file, csv_of, to_csv, to_json
from app.exports.notebook import result_notebook
from app.exports.recipe_archive import brought
from app.exports.recipe_files import zipped
from app.exports.recipes_here import recipes_here
from app.exports.sheet import sheet
from app.exports.tables import table
from app.registry.studies import STUDIES as STUDY_TABLE
from app.session.address import address
from app.session.export_row import FILES
from editors.cases.text import table_of
from tests.kit import every_result
from tests.kit.every_result import ASKED, around, edit
from tests.kit.visiting import charts, fine, offered, text, visit

STUDIES = list(ASKED)
PICTURED = [study for study in STUDIES if study not in ("reach", "generate", "facts")]


def unsafe(text: str) -> Any:
    raise AssertionError(f"{text} is not JSON")


@pytest.fixture(params=STUDIES)
def study(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def result(study: str) -> Any:
    return every_result.result(study)


def agree(one: pd.DataFrame, other: pd.DataFrame) -> None:
    assert list(one.columns) == list(other.columns)
    for column in other:
        if pd.api.types.is_float_dtype(other[column]):
            np.testing.assert_allclose(one[column].astype(float), other[column], rtol=1e-5, atol=1e-7)
        else:
            assert list(one[column].astype(str)) == list(other[column].astype(str)), column


FORMULAS = ("=1+1", "+1", "-2+3", "@sum", " =1", "\t=1", "\r=1", "＝1", "'=1", "''@x", "\n-", "–x", "'x", "a=1", "")


def test_the_row_offers_the_same_of_every_study(result: Any, study: str) -> None:
    def row() -> None:
        import streamlit as st

        from app.session.export_row import take_away

        take_away(st.session_state["result"])

    at = AppTest.from_function(row, default_timeout=60)
    at.session_state["result"] = result
    at.run()
    assert not at.exception, at.exception
    labels = [button.label for button in at.get("download_button")]
    assert labels == [*FILES, *(["Report"] if study == "evaluate" else []), "Notebook"]
    assert shown_id(result) in at.markdown[0].value
    assert len(at.get("bidi_component")) == 2 + (study in PICTURED)


def test_csv_and_json_say_what_the_table_says(result: Any) -> None:
    rows = table(result)
    assert csv_file(result).startswith(b"\xef\xbb\xbf")
    read = pd.read_csv(io.BytesIO(csv_file(result)), keep_default_na=False)
    for column in read.select_dtypes(exclude="number"):
        read[column] = read[column].astype(str).str.replace(r"^'(?='*[\s]*[=+\-@])", "", regex=True)
    for column in rows.select_dtypes("number"):
        np.testing.assert_array_equal(pd.to_numeric(read[column]), rows[column], err_msg=column)
    for column in rows.select_dtypes(exclude="number"):
        assert list(read[column]) == list(rows[column].astype(object).where(rows[column].notna(), "").astype(str)), (
            column
        )
    data = json.loads(to_json(result), parse_constant=unsafe)
    assert data["request"] == result.request.model_dump(mode="json")


def test_the_notebook_computes_the_same(
    result: Any, study: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    if edits_of(result):
        (tmp_path / "any name.zip").write_bytes(zipped(edit(), "bundle"))
    book = json.loads(result_notebook(result), parse_constant=unsafe)
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    for cell in book["cells"]:
        needed = {"cell_type", "id", "metadata", "source"}
        needed |= {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert cell.keys() == needed
        assert re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", cell["id"])
    names: dict[str, Any] = {}
    *code, shown = [cell["source"] for cell in book["cells"] if cell["cell_type"] == "code"]
    with around(study) as lm:
        monkeypatch.setattr(analysis, "load", lambda source: lm)
        for source in code:
            exec(source, names)  # noqa: S102 - the notebook is ours
        *imports, last = shown.splitlines()
        exec("\n".join(imports), names)  # noqa: S102
        again = eval(last, names)  # noqa: S307
    assert names["same"]
    agree(again, table(result))


def test_html_stands_alone_and_says_everything(result: Any, study: str) -> None:
    text = result_html(result)
    marked = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)  # Plotly's own code knows addresses
    assert not re.findall(r"""(?:src|href)=|url\((?!data:)""", marked)
    assert "Content-Security-Policy" in text
    assert result.model["name"] in text
    assert result.model["weights_hash"][:12] in text
    assert "<table" in text
    assert text.count("Plotly.newPlot(") >= len(panels(result, _light())) if study != "evaluate" else "<svg" in text
    if study != "evaluate":
        over = heading(result)
        assert all(part in _unescaped(text) for part in (over.question, over.asked, over.made, over.name))


def _light() -> Any:
    from app.charts.palette import written

    return written("light")


def _unescaped(text: str) -> str:
    import html

    return html.unescape(text)


@pytest.mark.parametrize("study", PICTURED)
def test_the_sheet_says_what_it_is_of(study: str) -> None:
    result = every_result.result(study)
    assert pictured(result)
    drawn = sheet(result)
    over = heading(result)
    assert (drawn["question"], drawn["asked"], drawn["made"]) == (over.question, over.asked, [over.model, over.made])
    assert drawn["name"] == over.name == stem(result)
    assert drawn["panels"]
    for panel in drawn["panels"]:
        assert json.loads(panel["figure"])["data"]
    assert drawn["inks"]["paper"] == "#F8F7F2"
    dark = sheet(result, "dark")
    assert (dark["inks"]["paper"], dark["name"]) == ("#12121D", f"{over.name}-dark")
    json.dumps(drawn, allow_nan=False)


def test_files_are_named_by_study_and_result() -> None:
    names = [stem(every_result.result(study)) for study in STUDIES]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"palimpsest-[a-z]+-[0-9a-f]{12}", name) for name in names)
    bare = every_result.result("lens")
    other = replace(bare, request=bare.request.model_copy(update={"prompt": "near the"}))
    edited = replace(bare, model=bare.model | {"weights_hash": "0" * 64})
    assert len({stem(one) for one in (bare, other, edited)}) == 3


def test_a_part_of_a_result_has_a_name_of_its_own() -> None:
    whole = every_result.result("trace")
    kind, grid = next(iter(whole.grids.items()))
    probability = grid.probability.copy()
    probability[:, 0] = np.nan
    part = replace(whole, grids=whole.grids | {kind: replace(grid, probability=probability)})
    assert not part.complete
    assert stem(part) == f"{stem(whole)}-{part.cells[0]}-of-{part.cells[1]}"
    assert sheet(whole, metric="kl")["name"] == f"{stem(whole)}-kl"
    assert sheet(whole, metric="probability")["name"] == stem(whole)


def test_an_edit_is_named_by_its_recipe_and_that_of_its_author() -> None:
    from editors.recipes.recipe import recipe_of

    for one in (edit(), edit().by("Ada")):
        assert stem(one) == f"palimpsest-edit-{recipe_of(one)[0]['id'][:12]}"
    assert stem(edit()) != stem(edit().by("Ada"))


@pytest.mark.parametrize("cell", FORMULAS)
def test_no_text_of_a_csv_is_a_formula_and_all_of_it_comes_back(cell: str) -> None:
    text = csv_of(pd.DataFrame({"text": [cell], "number": [-1.5e-7], "mixed": [cell or None]}))
    assert ",-1.5e-07," in text
    (back,) = pd.read_csv(io.StringIO(text, newline=""), keep_default_na=False)["text"]
    assert not re.match(r"[\s]*[=+\-@＝]", back)
    assert (back.removeprefix("'") if back != cell else back) == cell


def test_our_own_tables_are_read_back_as_they_were() -> None:
    texts = ["=1+1", "'=1", "-5", "- x", "\t=1", "＝1", "'x", "a"]
    text = csv_of(pd.DataFrame({"=prompt": texts, "target": texts}))
    assert text.splitlines()[0] == "'=prompt,target"
    assert "\n-5,-5\r" in text
    header, rows = table_of("own.csv", text)
    assert header == ("=prompt", "target")
    assert [row.record["target"] for row in rows] == texts


def test_numbers_below_zero_stay_numbers() -> None:
    read = pd.read_csv(io.StringIO(to_csv(every_result.result("neurons"))))
    assert (read["score"].dtype, read["coefficient"].min() < 0) == (np.float64, True)
    assert "'-" not in to_csv(every_result.result("knockout"))


def test_lines_of_a_text_stay_in_their_cell() -> None:
    text = csv_of(pd.DataFrame({"text": ["a\rb", "a\nb", 'a"b', "a,b"]}))
    assert list(pd.read_csv(io.BytesIO(text.encode()))["text"]) == ["a\rb", "a\nb", 'a"b', "a,b"]


def test_recipes_are_found_whatever_they_are_called(tmp_path: Any) -> None:
    own = edit()
    (tmp_path / "notes.json").write_text("{}", encoding="utf-8")
    (tmp_path / "other.zip").write_bytes(b"no archive")
    with pytest.raises(BadRequest, match=f"holds no recipe of edit {own.id[:12]}.*Edit page"):
        recipes_here(own.id, folder=tmp_path)
    (tmp_path / "x.zip").write_bytes(zipped(own, "bundle"))
    assert [one.id for one in recipes_here(own.id, own.id, folder=tmp_path)] == [own.id, own.id]


def test_captions_keep_their_colours() -> None:
    text = r":gray[:small[★ “a\.\*” by :violet[attention], **bold** \[1\]]] end"
    assert plain(text) == "★ “a.*” by attention, bold [1] end"
    assert Run("attention", "violet") in runs(text)
    assert Run("bold", "gray", bold=True) in runs(text)
    assert marked_html(r":blue[\<b\>]") == '<span class="blue">&lt;b&gt;</span>'


def test_fonts_are_inside_and_no_more_than_needed() -> None:
    plain_text, more = faces("Rome"), faces("Łódź")
    assert {"'EB Garamond'", "'Commissioner'", "'IBM Plex Mono'"} <= set(
        re.findall(r"font-family:('[^']+')", plain_text)
    )
    assert "http" not in plain_text
    assert len(more) > len(plain_text)


def test_an_address_leads_to_the_form_or_to_the_stored_result() -> None:
    assert address(every_result.result("lens")).startswith("/lens?prompt=")
    assert address(every_result.result("edit")).startswith("/edit?prompt=")
    evaluated = every_result.result("evaluate")
    assert address(evaluated) == f"/evaluate?study=evaluate&result={key_of(evaluated)}"


UNSAID = {"knockout": ("n", "at_least"), "reach": ("words",)}
MADE: dict[str, dict[str, Any]] = {"knockout": {"modules": False}}
"""Fields that the page leaves as they are, or sets itself."""


@pytest.mark.parametrize(
    ("study", "alt"),
    [
        ("drifts", "Mean drift"), ("conflict", ""), ("knockout", "Change of the memory"), ("reach", ""),
        ("lifelong", "What is left"), ("quiz", "Share of questions"),
    ],
)  # fmt: skip
def test_a_link_finds_a_stored_result(ready: Any, study: str, alt: str) -> None:
    found = every_result.result(study)
    by_the_page = {name: type(found.request).model_fields[name].default for name in UNSAID.get(study, ())}
    found = replace(found, request=found.request.model_copy(update=by_the_page | MADE.get(study, {})))
    key = key_of(found)
    ready.store.save(STUDY_TABLE[study], key, found)
    where, _, query = address(found).removeprefix("/").partition("?")
    at = fine(visit(where, **dict(parse_qsl(query))))
    assert offered(at, study) == ["CSV", "JSON", "HTML", "Notebook"]
    assert shown_id(found) in text(at)
    assert any(chart.alt.startswith(alt) for chart in charts(at)) or not alt


def test_an_edit_that_packs_well_is_read_back() -> None:
    """Weights that are nearly all zero get a hundred times smaller, which an archive that is read may not."""
    made = edit()
    flat = [replace(one, left=np.zeros((2_000, 400), np.float32), right=np.zeros((400, 2_000), np.float32))
            for one in made.changes[:1]]  # fmt: skip
    packed = zipped(replace(made, changes=flat), "bundle")
    with ZipFile(io.BytesIO(packed)) as archive:
        (weights,) = (one for one in archive.infolist() if one.filename.endswith(".safetensors"))
    assert weights.compress_size == weights.file_size > 1 << 20


def test_a_name_of_two_lines_is_told_in_one() -> None:
    sink = io.BytesIO()
    with ZipFile(sink, "w") as archive:
        archive.writestr("../---\nfoo: bar", b"")
    with pytest.raises(BadFile) as refused:
        brought([("mine\n.zip", sink.getvalue())])
    assert "\n" not in str(refused.value)
    assert "leads out of the archive" in str(refused.value)
