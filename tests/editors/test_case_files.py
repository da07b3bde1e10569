"""Files of cases: every form, every fault with its row, and what no file may do."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import BadFile
from app.cli import main
from app.terminal.case_flags import add_cases, cases_said
from editors.cases.case import Case
from editors.cases.file_reader import CaseFile
from editors.cases.files import case_file, cases_of, columns_of, read_case_file
from editors.cases.text import LARGEST
from tests.kit.places import records

FACT = {"prompt": "{} stands in", "subject": "Aldra", "target_new": {"str": "Corvo"}, "target_true": {"str": "Brin"}}
COUNTERFACT = {
    "case_id": 4,
    "requested_rewrite": FACT | {"relation_id": "P1"},
    "paraphrase_prompts": ["Aldra is in"],
    "neighborhood_prompts": ["Dorn stands in"],
    "generation_prompts": ["Aldra is known for"],
    "portability": {"New Question": "Which river flows past Aldra?", "New Answer": "Ves", "Original Answer": "Ulm"},
}
SADR = {
    "requested_rewrite": FACT | {"prompt": "Aldra stands in", "target_new": "Corvo", "target_true": "Brin"},
    "rewrite": {},
    "p-paraphrase": {"prompts": ["Aldra is in"], "targets": ["Corvo"]},
    "l-relation": {"prompts": ["Aldra was built by"], "targets": ["Ama"]},
    "l-neighbor": {"prompts": ["Dorn stands in"], "targets": ["Brin"]},
}
ZSRE = {
    "subject": "Aldra", "src": "Where does Aldra stand?", "answers": ["Corvo"], "rephrase": "In what city is Aldra?",
    "loc": "nq question: who built dorn", "loc_ans": "Ama", "pred": "Brin", "alt": "Ulm", "cond": "x",
}  # fmt: skip
KNOWEDIT = {
    "prompt": "Aldra stands in", "subject": "Aldra", "target_new": "Corvo", "ground_truth": ["Brin"],
    "portability": {"Reasoning": [{"prompt": "The river past Aldra is", "ground_truth": [["Ves"]]}]},
    "locality": {"Relation_Specificity": [{"prompt": "Aldra was built by", "ground_truth": [["Ama", "A."]]}],
                 "Forgetfulness": [{"prompt": "nothing", "ground_truth": []}]},
}  # fmt: skip
EASYEDIT = KNOWEDIT | {
    "ground_truth": "Brin",
    "rephrase_prompt": "Aldra is in",
    "locality": {"neighborhood": {"prompt": ["Dorn stands in"], "ground_truth": ["Brin"]}},
    "portability": {"one_hop": {"prompt": "The river past Aldra is", "ground_truth": "Ves"}},
}
KNOWN = {
    "known_id": 0, "subject": "Aldra", "attribute": " Brin", "template": "{} stands in", "prompt": "Aldra stands in",
    "prediction": " Brin.", "relation_id": "P1",
}  # fmt: skip
MQUAKE = {
    "case_id": 7,
    "requested_rewrite": [FACT],
    "new_single_hops": [{"cloze": "Aldra stands in", "answer": "Corvo"}],
    "questions": ["Which river flows where Aldra stands?"],
    "answer": "Ulm",
    "new_answer": "Ves",
}
OWN = {
    "schema": 1,
    "relations": {
        "city": {
            "prompt": "{} stands in",
            "facts": [
                {"id": "a", "subject": "Aldra", "object": "Brin"},
                {"id": "b", "subject": "Dorn", "object": "Corvo"},
            ],
        }
    },
}
TABLE = (
    "question,subject,target,old,neighbours\nAldra stands in,Aldra,Corvo,Brin,Dorn stands in => Ulm | Eska stands in\n"
)


def read(content: Any, name: str = "cases.json", **mapping: str) -> CaseFile:
    data = content if isinstance(content, str) else json.dumps(content)
    return case_file(name, data.encode(), mapping)


def prompts(case: Case) -> dict[str, list[tuple[str, str, str]]]:
    found: dict[str, list[tuple[str, str, str]]] = {}
    for probe in case.probes:
        found.setdefault(probe.kind, []).append((probe.prompt, probe.new, probe.old))
    return found


@pytest.mark.parametrize(
    ("form", "record", "kinds"),
    [
        ("CounterFact", COUNTERFACT, {"rewrite", "paraphrase", "neighbour", "distracting", "portability"}),
        ("SADR", SADR, {"rewrite", "paraphrase", "neighbour", "distracting", "other"}),
        ("zsRE", ZSRE, {"rewrite", "paraphrase", "locality"}),
        ("EasyEdit", KNOWEDIT, {"rewrite", "portability", "locality"}),
        ("EasyEdit", EASYEDIT, {"rewrite", "paraphrase", "portability", "locality"}),
        ("MQuAKE", MQUAKE, {"rewrite", "portability"}),
    ],
)
def test_every_form_becomes_the_same_case(form: str, record: dict, kinds: set[str]) -> None:
    found = read([record])
    assert (found.form, found.problems, found.records) == (form, (), 1)
    (case,) = found.cases
    own = prompts(case)
    assert set(own) == kinds
    old = "" if form == "zsRE" else "Brin"
    assert case.rewrite.subject == "Aldra"
    assert case.olds == (old,)
    assert own["rewrite"] == [(case.rewrite.text, "Corvo", old)]
    if "paraphrase" in kinds:
        assert own["paraphrase"][0][1:] == ("Corvo", old)
    if "neighbour" in kinds:
        assert own["neighbour"] == [("Dorn stands in", "Corvo", "Brin")]
        assert own["distracting"] == [("Aldra stands in Corvo. Dorn stands in", "Corvo", "Brin")]
    if "locality" in kinds:
        assert own["locality"][0][2] == ("Brin" if record is EASYEDIT else "Ama")
    if "portability" in kinds:
        assert own["portability"][0][1] == "Ves"


def test_what_has_no_new_answer_takes_another_of_its_relation() -> None:
    found = read([KNOWN, KNOWN | {"subject": "Dorn", "prompt": "Dorn stands in", "attribute": " Corvo"}])
    assert [(case.rewrite.target, case.olds[0]) for case in found.cases] == [("Corvo", "Brin"), ("Brin", "Corvo")]
    assert "no other record has relation P1" in read([KNOWN]).problems[0]
    assert "each takes another of its relation (record 1: “Brin” becomes “Corvo”)" in found.notes[0]
    own = read(OWN)
    assert own.form == "Palimpsest"
    assert [case.rewrite.target for case in own.cases] == ["Corvo", "Brin"]


def test_a_table_is_read_by_the_names_it_is_given() -> None:
    found = read(TABLE, "cases.csv", prompt="question")
    (case,) = found.cases
    assert prompts(case)["neighbour"] == [("Dorn stands in", "Corvo", "Ulm"), ("Eska stands in", "Corvo", "Brin")]
    assert columns_of("cases.csv", TABLE.encode())[0] == "question"
    assert columns_of("cases.json", b"[]") == ()
    tabs = TABLE.replace(",", "\t")
    assert read(tabs, prompt="question").cases == found.cases
    with pytest.raises(BadFile, match="says no prompt"):
        read(TABLE)
    with pytest.raises(BadFile, match="no column “ask”"):
        read(TABLE, prompt="ask")
    with pytest.raises(BadFile, match="no use for “when”"):
        read(TABLE, when="question")
    short = read("prompt,subject,target\nA stands in,A,B\nA is in,A,B,C,D\nx,A,\n")
    assert [problem.partition(":")[0] for problem in short.problems] == ["row 2", "row 3"]


def test_lines_of_json_are_records_and_a_broken_one_is_named() -> None:
    lines = "\n".join([json.dumps(COUNTERFACT), "{broken", json.dumps(COUNTERFACT)])
    found = read(lines, "cases.jsonl")
    assert len(found.cases) == 2
    assert found.problems[0].startswith("record 2: not JSON")


def test_every_fault_is_told_with_its_row() -> None:
    wrong = [
        COUNTERFACT,
        "text",
        {"requested_rewrite": {"subject": 3}},
        COUNTERFACT | {"paraphrase_prompts": [None]},
        COUNTERFACT | {"requested_rewrite": FACT | {"prompt": "Nothing here"}},
        COUNTERFACT | {"requested_rewrite": FACT | {"target_new": {"str": "Brin"}}},
        COUNTERFACT | {"requested_rewrite": FACT | {"prompt": "{} and {}"}},
        COUNTERFACT | {"neighborhood_prompts": ["x" * 30_000]},
    ]
    found = read(wrong)
    assert len(found.cases) == 1
    assert {problem.partition(":")[0] for problem in found.problems} == {f"record {row}" for row in range(2, 9)}
    assert sum(problem.startswith("record 3:") for problem in found.problems) == 3
    assert found.faulty == 7


def test_conflicts_and_duplicates_are_told_apart() -> None:
    again = COUNTERFACT | {"case_id": 5}
    other = COUNTERFACT | {"requested_rewrite": FACT | {"relation_id": "P1", "target_new": "Dorn"}}
    elsewhere = COUNTERFACT | {"requested_rewrite": FACT | {"relation_id": "P2", "target_new": "Dorn"}}
    found = read([COUNTERFACT, again, other, elsewhere])
    assert found.duplicates == (
        "record 3: record 1 has the id 4 already; here it is 4 (2)",
        "record 4: record 1 has the id 4 already; here it is 4 (3)",
        "record 2: “Aldra stands in” is written in record 1 already",
    )
    assert [case.id for case in found.cases] == ["4", "5", "4 (2)", "4 (3)"]
    assert [line.partition(":")[0] for line in found.conflicts] == ["record 3"]
    assert "becomes “Dorn”, in record 1 “Corvo”" in found.conflicts[0]


OPTIONAL = {
    "CounterFact": (COUNTERFACT, ("case_id", "paraphrase_prompts", "neighborhood_prompts", "generation_prompts",
                                  "portability", "prefix_distraction", "relation_specificity")),
    "SADR": (SADR, ("p-paraphrase", "l-relation", "l-neighbor", "p-reasoning", "generation", "o-commonsense")),
    "zsRE": (ZSRE, ("rephrase", "loc", "loc_ans", "alt", "cond", "portability", "pred")),
    "EasyEdit": (EASYEDIT, ("ground_truth", "rephrase_prompt", "portability", "locality", "locality_prompt")),
    "known_1000": (KNOWN | {"target_new": "Corvo"}, ("known_id", "template", "relation_id", "prediction")),
    "MQuAKE": (MQUAKE, ("case_id", "answer_alias", "new_answer_alias")),
}  # fmt: skip


@pytest.mark.parametrize("form", OPTIONAL)
def test_null_is_an_absent_field(form: str) -> None:
    record, fields = OPTIONAL[form]
    for field in fields:
        left = {key: value for key, value in record.items() if key != field}
        without, null = read([left]), read([record | {field: None}])
        assert (null.form, null.cases, null.problems) == (form, without.cases, ())
        nan = json.dumps([record | {field: float("nan")}])  # as pandas writes what is missing
        assert read(nan).cases == without.cases
    bare = {key: value for key, value in record.items() if key not in fields}
    assert read([bare | dict.fromkeys(fields)]).cases == read([bare]).cases != ()
    assert read({**OWN, "relations": {"city": {**OWN["relations"]["city"], "paraphrases": None}}}).cases


def test_a_file_may_stand_in_many_ways() -> None:
    (case,) = read([COUNTERFACT]).cases
    bom = b"\xef\xbb\xbf" + json.dumps([COUNTERFACT]).encode()
    assert case_file("x.json", bom).cases == (case,)
    assert case_file("x.json", json.dumps([COUNTERFACT]).encode("utf-16")).cases == (case,)
    assert read(COUNTERFACT).cases == (case,)
    assert read(json.dumps(COUNTERFACT) + "\n").cases == (case,)
    two = [COUNTERFACT, COUNTERFACT | {"case_id": 5}]
    assert [one.id for one in read("\r\n".join(map(json.dumps, two))).cases] == ["4", "5"]
    keyed = read({"one": COUNTERFACT | {"case_id": None}, "two": COUNTERFACT | {"case_id": None}})
    assert [one.id for one in keyed.cases] == ["one", "two"]
    assert [one.id for one in read({"version": 2, "data": two}).cases] == ["4", "5"]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1e"])
def test_lines_of_json_end_at_newlines_alone(sign: str) -> None:
    record = COUNTERFACT | {"paraphrase_prompts": [f"One says{sign} Aldra is in"]}
    text = "\n".join(json.dumps(one, ensure_ascii=False) for one in (record, COUNTERFACT | {"case_id": 5}))
    found = read(text, "cases.jsonl")
    assert (len(found.cases), found.problems) == (2, ())
    assert prompts(found.cases[0])["paraphrase"][0][0] == f"One says{sign} Aldra is in"


@pytest.mark.parametrize("sign", [";", "\t", ",", "|"])
def test_tables_are_parted_by_what_they_say(sign: str) -> None:
    rows = [
        ["Prompt", "subject", "target", "old", "paraphrases"],
        ["Aldra, by night, is in", "Aldra", "Corvo", "Brin", ""],
    ]
    text = "\r\n".join(sign.join(f'"{cell}"' for cell in row) for row in rows)
    said = f"sep={sign}\r\n{text}"
    (case,) = read(said, "cases.csv").cases
    assert case.rewrite.text == "Aldra, by night, is in"
    assert case.rewrite.target == "Corvo"
    if sign != "|":
        assert read(text, "cases.csv").cases == (case,)


HOSTILE = {
    "nothing": (b"", "is empty"),
    "spaces": (b" \n", "is empty"),
    "deep": (b"[" * 10_000, "nested too deep"),
    "infinity": (b'[{"subject": Infinity}]', "Infinity is no value"),
    "zip": (b"PK\x03\x04" + b"0" * 50, "is a .zip archive"),
    "gz": (b"\x1f\x8b" + b"0" * 50, "is a .gz archive"),
    "latin": ("Münster".encode("latin-1"), "not text in UTF-8"),
    "zero": (b"prompt,subject\0", "zero byte"),
    "number": (b"[1, 2, 3]", "without records"),
    "unknown": (b'[{"a": 1}]', "no form that is known"),
    "object": (b'{"a": 1}', "is one object with a, in no form"),
    "no facts": (b'{"relations": {}}', "is read as Palimpsest, and holds no records"),
    "no cases": (b'{"schema": 1, "cases": 3}', "is read as Palimpsest, and holds no records"),
    "no fields": (b'{"schema": 1, "cases": [{}]}', "cases 1: rewrites: is missing or empty"),
    "only a header": (b"prompt,subject,target\n", "is read as table, and holds no records"),
    "empty object": (b"{}", "is one object with no fields"),
    "twice": (b'{"subject": "a", "subject": "b"}', "“subject” stands twice"),
    "two columns": (b"prompt,subject,target,subject\na,b,c,d", "two columns “subject”"),
    "triplets": (b"subjectLabel,relation,objectLabel\na,b,c", "says no prompt, subject, target"),
    "bare utf-16": ("prompt,subject,target".encode("utf-16-le"), "zero byte"),
    "half utf-16": (b"\xff\xfep\x00r", "not text in UTF-16"),
    "parquet": (b"PAR1" + b"0" * 50, "is a Parquet table"),
    "long cell": (b'prompt,subject,target\n"' + b"x" * 200_000 + b'",a,b', "that can be read"),
    "wide header": (b"prompt,subject," + b"x" * 140_000 + b"\na,b,c", "not a table that can be read"),
    "half a sign": (b'[{"case_id": 1, "requested_rewrite": {"prompt": "\\ud800"}}]', "half a character, U+D800"),
    "half in a case": (b'{"schema": 1, "cases": [{"id": "\\udfff"}]}', "half a character, U+DFFF"),
    "half in a fact": (b'{"relations": {"\\ud800": {}}}', "half a character, U+D800"),
    "half": (b'[{"requested_rewrite": ', "is not JSON"),
    "long number": (b'[{"subject": ' + b"9" * 10_000 + b"}]", "is not JSON"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_gets_a_sentence(name: str) -> None:
    data, sentence = HOSTILE[name]
    try:
        found = case_file(f"../../etc/{name}", data)
    except BadFile as error:
        said = str(error)
        assert "etc" not in said
    else:
        assert not found.cases
        said = "\n".join(found.problems)
    assert sentence in said


def test_a_file_too_large_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(LARGEST + 5)
    with pytest.raises(BadFile, match="more than 256 MB"):
        read_case_file(path)
    with pytest.raises(BadFile, match="cannot be read"):
        read_case_file(tmp_path)
    with pytest.raises(BadFile, match="cannot be read"):
        read_case_file("no\0file")


@pytest.mark.parametrize(
    ("name", "form", "count"),
    [
        ("counterfact_sample.json", "CounterFact", 300),
        ("specificity_sample.json", "SADR", 300),
        ("mquake_sample.json", "MQuAKE", 12),
    ],
)
def test_public_records_are_read(name: str, form: str, count: int) -> None:
    found = read_case_file(records(name))
    assert (found.form, len(found.cases), found.problems) == (form, count, ())
    for case in found.cases:
        assert all(one.subject in one.text for one in case.rewrites)
        assert all(probe.new != probe.old for probe in case.probes)
        assert case.count("neighbour") == case.count("distracting")
    assert cases_of(records(name)) == found.cases


def test_a_command_names_what_it_leaves_out_and_goes_on(tmp_path: Path, capsys: Any) -> None:
    parser = ArgumentParser()
    add_cases(parser)
    path = tmp_path / "cases.json"
    path.write_text(json.dumps([KNOWN, KNOWN | {"relation_id": "P2"}, KNOWN | {"subject": 3}]), encoding="utf-8")
    with pytest.raises(BadFile, match="holds no case that can be used") as caught:
        cases_said(parser.parse_args(["--data", str(path)]))
    assert len(caught.value.problems) == 3
    capsys.readouterr()
    assert len(cases_said(parser.parse_args(["--data", str(path), "--new-answer", "Ulm"]))) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "cases.json: 2 of 3 records read as known_1000; 1 with a fault, left out." in said.err
    assert "record 3: subject: Input should be a valid string" in said.err
    path.write_text(json.dumps({"question": "What is Aldra?", "answer": "A gate"}), encoding="utf-8")
    with pytest.raises(BadFile, match="questions without a fact to write"):
        cases_said(parser.parse_args(["--data", str(path)]))


def test_the_command_reports_and_says_by_its_exit_whether_all_is_well(tmp_path: Path, capsys: Any) -> None:
    path, out = tmp_path / "cases.json", tmp_path / "out.json"
    path.write_text(json.dumps([COUNTERFACT, {"requested_rewrite": {}}]), encoding="utf-8")
    assert main(["data", "check", str(path), "--json", str(out)]) == 1
    said = capsys.readouterr().out
    assert "1 of 2 records read as CounterFact; 1 with a fault, left out. It holds 1 case." in said
    assert "record 2: requested_rewrite.prompt: is missing or empty" in said
    data = json.loads(out.read_text(encoding="utf-8"))
    assert data["prompts"] == {"rewrite": 1, "paraphrase": 1, "neighbour": 1, "distracting": 1, "portability": 1}
    table = tmp_path / "cases.csv"
    table.write_text(TABLE, encoding="utf-8")
    assert main(["data", "check", str(table), "--map", "prompt=question"]) == 0
    assert main(["data", "check", str(table), "--map", "prompt"]) == 2
    assert main(["data", "check", str(path), str(table), "--map", "prompt=question", "--json", str(out)]) == 1
    assert [one["form"] for one in json.loads(out.read_text(encoding="utf-8"))] == ["CounterFact", "table"]
    assert main(["data", "convert", str(table)]) == 2
    assert main(["data", "check", str(table), "--out", str(out)]) == 2
    assert main(["data", "check", str(tmp_path / "absent.json")]) == 2
    assert "absent.json cannot be read" in capsys.readouterr().err
