"""Every form people have: what is kept of each record, what is told as left out, and that nothing is in neither."""

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from app.cli.data import counts
from editors.cases.case import Case
from editors.cases.file_reader import CaseFile
from editors.cases.files import case_file, read_case_file
from editors.cases.own_form import written
from editors.cases.prompts import bare
from editors.cases.question import Question
from tests.kit.places import DATA, ROOT, records

FORMS = Path(__file__).resolve().parent / "forms"
FIGURES = ROOT / "docs" / "figures" / "files.json"

AUGMENTED = (
    "requested_rewrite.data_augmentation_prompt_para",
    "requested_rewrite.data_augmentation_prompt_rel",
)
COUNTERFACT = (
    "requested_rewrite.prompt", "paraphrase_prompts", "neighborhood_prompts", "attribute_prompts", "generation_prompts",
)  # fmt: skip
EVOKE = (*COUNTERFACT, *AUGMENTED, "portability.New Question", "prefix_distraction")
SADR = (
    "requested_rewrite.prompt", "rewrite.prompts", "p-paraphrase.prompts", "p-subject_alias.prompts",
    "p-reasoning.prompts", "l-relation.prompts", "l-neighbor.prompts", "o-commonsense.prompts", "generation.prompts",
)  # fmt: skip
ZSRE = ("src", "rephrase", "loc", "cond", "portability.New Question")
HOPS = ("single_hops", "new_single_hops")
MQUAKE = (
    "requested_rewrite.prompt", "requested_rewrite.question", "questions",
    *(f"{hop}.{part}" for hop in HOPS for part in ("question", "cloze")),
)  # fmt: skip
KNOWEDIT = (
    "prompt", "rephrase", "rephrase_prompt", "cond",
    *(f"portability.{group}.prompt" for group in ("Logical_Generalization", "Reasoning", "Subject_Aliasing")),
    "portability.one_hop.prompt",
    *(f"locality.{group}.prompt" for group in ("Relation_Specificity", "Forgetfulness", "neighborhood")),
)  # fmt: skip
GROUPS = (
    "Relation_Specificity", "Logical_Generalization", "Subject_Aliasing", "Compositionality_I", "Compositionality_II",
    "Forgetfulness",
)  # fmt: skip
RIPPLE = (
    "edit.prompt", "edit.original_fact.prompt",
    *(f"{group}.{part}.prompt" for group in GROUPS for part in ("test_queries", "condition_queries")),
)  # fmt: skip
CONFLICT = (
    "question", "parametric_memory", "counter_memory", "parametric_memory_aligned_evidence",
    "counter_memory_aligned_evidence",
)  # fmt: skip
LRE = ("prompt_templates", "prompt_templates_zs")

FILES: dict[str, tuple[str, tuple[str, ...], int, int, int, int, int]] = {
    # file: form, where its prompts are, records, cases, questions, prompts kept, prompts told as left out
    "counterfact.json": ("CounterFact", COUNTERFACT, 3, 3, 0, 12, 2),
    "keyed.json": ("CounterFact", COUNTERFACT, 2, 2, 0, 10, 2),
    "single.json": ("CounterFact", COUNTERFACT, 1, 1, 0, 3, 1),
    "evoke_main.json": ("CounterFact", EVOKE, 3, 3, 0, 17, 14),
    "evoke_subj_spec.json": (
        "CounterFact", ("requested_rewrite.prompt", *AUGMENTED, "relation_specificity.prompt"), 2, 2, 0, 4, 8,
    ),
    "sadr.json": ("SADR", SADR, 2, 2, 0, 14, 0),
    "zsre.json": ("zsRE", ZSRE, 2, 2, 0, 5, 2),
    "zsre_portability.json": ("zsRE", ZSRE, 1, 1, 0, 4, 1),
    "easyedit_counterfact.json": (
        "EasyEdit", ("prompt", "rephrase_prompt", "locality_prompt", "portability_prompt"), 3, 3, 0, 7, 1,
    ),
    "knowedit_recent.json": ("EasyEdit", KNOWEDIT, 3, 3, 0, 13, 3),
    "knowedit_wikibio.json": ("KnowEdit WikiBio", ("text", "locality.Relation_Specificity.prompt"), 2, 2, 0, 4, 0),
    "knowedit_sanitation.json": ("KnowEdit Sanitation", ("question",), 3, 0, 3, 3, 0),
    "known_1000.json": ("known_1000", ("template", "prompt"), 5, 4, 0, 6, 4),
    "mquake.json": ("MQuAKE", MQUAKE, 2, 2, 0, 14, 5),
    "ripple_edits.json": ("RippleEdits", RIPPLE, 3, 3, 0, 12, 2),
    "wikibigedit.json": (
        "WikiBigEdit", ("update", "rephrase", "loc", "mhop", "personas", "personas_formal"), 3, 2, 0, 9, 1,
    ),
    "conflictqa_popqa.json": ("ConflictQA", CONFLICT, 2, 2, 2, 8, 0),
    "conflictqa_strategyqa.json": ("ConflictQA", CONFLICT, 1, 0, 1, 4, 0),
    "halluedit.csv": (
        "HalluEditBench",
        ("question", "paraphrased_question", "multiple_choice_with_letters", "yes_question", "no_question",
         "locality_question", "reversed_relation_question", "question_2hop", "question_3hop"),
        2, 2, 0, 10, 2,
    ),
    "tofu_forget01.json": ("TOFU, MUSE", ("question",), 2, 0, 2, 2, 0),
    "tofu_retain_perturbed.json": ("TOFU, MUSE", ("question", "paraphrased_question"), 1, 0, 1, 2, 0),
    "muse_knowmem_forget_qa.json": ("TOFU, MUSE", ("question",), 2, 0, 2, 2, 0),
    "muse_verbmem_forget.json": ("MUSE, word for word", ("prompt",), 1, 0, 1, 1, 0),
    "muse_raw_holdout.json": ("MUSE, passages", ("",), 2, 0, 2, 2, 0),
    "muse_parts.json": ("MUSE, passages", ("",), 3, 0, 3, 3, 0),
    "lre_relation.json": ("LRE", LRE, 3, 3, 0, 9, 0),
}  # fmt: skip
PUBLIC = {
    "counterfact_sample.json": EVOKE,
    "specificity_sample.json": SADR,
    "mquake_sample.json": MQUAKE,
    **{f"relations/{path.name}": LRE for path in sorted((DATA / "relations").glob("*.json"))},
}


def under(value: Any, path: str) -> list[str]:
    """The texts at a path of names, through every list on the way."""
    if isinstance(value, list):
        return [text for one in value for text in under(one, path)]
    name, _, rest = path.partition(".")
    if isinstance(value, dict):
        return under(value.get(name), rest)
    return [value] if isinstance(value, str) and value.strip() and not path else []


def records_of(path: Path) -> list[Any]:
    """The records of a file, read without the reader that is under test."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text, newline="")))
    try:
        data = json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.split("\n") if line]
    if isinstance(data, list):
        return data
    if "samples" in data:
        return [{**data, **sample} for sample in data["samples"]]
    if data.keys() & {"requested_rewrite", "question"}:
        return [data]
    return [one for value in data.values() for one in (value if isinstance(value, list) else [value])]


def filled(record: Any, path: str) -> list[str]:
    """Prompts at a path, with the subject of the record, or of the part they stand in, in place."""
    parts, _, last = path.rpartition(".")
    owners: list[Any] = [record]
    for name in parts.split(".") if parts else []:
        owners = [one for owner in owners for one in _listed(owner.get(name))]
    top = record.get("subject") if isinstance(record, dict) else None
    return [
        text.replace("{}", owner.get("subject") or top) if isinstance(owner, dict) and "{}" in text else text
        for owner in owners
        for text in under(owner, last)
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, dict) else []


def asked_in(found: CaseFile) -> set[str]:
    """Everything a file's cases, chains and questions ask."""
    texts = [text for one in found.questions for text in one.prompts]
    for case in found.cases:
        texts += [one.text for one in case.rewrites] + [one.prompt for one in case.probes] + list(case.generation)
    for chain in found.chains:
        texts += [hop.prompt for hop in chain.hops] + list(chain.questions)
    return {bare(text) for text in texts}


INSIDE = {"halluedit.csv": 1, "ripple_edits.json": 4}
"""Texts asked inside another (choices behind their question) or without their end (a sentence without its answer)."""


def held(path: Path, paths: tuple[str, ...], found: CaseFile) -> None:
    """Prompts of a file's records = kept + told; what is kept is asked, and no field of a form is unknown."""
    texts = [text for record in records_of(path) for one in paths for text in filled(record, one)]
    assert len(texts) == found.kept + found.out
    asked = asked_in(found)
    there = sum(bare(text) in asked for text in texts) + INSIDE.get(path.name, 0)
    assert there >= found.kept  # a text may be asked in one record and left out in another
    assert there == found.kept or path.parent != FORMS
    assert all(one.reason and one.rows and one.prompts for one in found.left_out)
    assert not [one.field for one in found.left_out if "no reader" in one.reason]


@pytest.mark.parametrize("name", FILES)
def test_every_prompt_of_every_form_is_kept_or_told(name: str) -> None:
    form, paths, records, cases, questions, kept, out = FILES[name]
    found = read_case_file(FORMS / name)
    assert (found.form, found.records, len(found.cases)) == (form, records, cases)
    assert (len(found.questions), found.kept, found.out) == (questions, kept, out)
    held(FORMS / name, paths, found)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_prompt_of_public_records_is_kept_or_told(name: str) -> None:
    found = read_case_file(records(name))
    assert (found.problems, len(found.cases)) == ((), found.records)
    held(records(name), PUBLIC[name], found)


def test_a_field_nobody_knows_of_is_told() -> None:
    record = json.loads((FORMS / "single.json").read_text(encoding="utf-8"))
    found = case_file("x.json", json.dumps([record | {"dialogue_prompts": ["What now?", "And then?"]}]).encode())
    (one,) = [one for one in found.left_out if one.field == "dialogue_prompts"]
    assert (one.prompts, one.rows) == (2, ["record 1"])
    assert "no reader of this form" in one.reason


@pytest.mark.parametrize(
    "path", [*(FORMS / name for name in FILES), FORMS / "facts.json", FORMS / "table_semicolons.csv"]
)
def test_a_file_converted_into_our_form_says_the_same(path: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "own.json"
    first = read_case_file(path)
    assert main(["data", "convert", str(path), "--out", str(out)]) == (1 if first.problems else 0)
    again = read_case_file(out)
    assert again.form == "Palimpsest"
    assert (again.cases, again.chains, again.questions) == (first.cases, first.chains, first.questions)
    assert (again.problems, again.out) == ((), 0)
    assert written(again.cases, again.chains, again.questions) + "\n" == out.read_text(encoding="utf-8")
    assert f"{first.out} " in capsys.readouterr().out or not first.out


def probes(case: Case, kind: str) -> list[tuple[str, str, str]]:
    return [(one.prompt, one.new, one.old) for one in case.probes if one.kind == kind]


def test_known_1000_is_read_by_its_prompt_and_one_record_holds_up_no_other() -> None:
    found = read_case_file(FORMS / "known_1000.json")
    assert [case.rewrite.text for case in found.cases] == [
        "Aldra Gate stands in the city of",
        "Dorn Mill stands in the city",
        "The language used by Ilse Marn is a bit like the language used by the old",
        "Ulf Dane speaks",
    ]
    assert [(case.olds[0], case.rewrite.target) for case in found.cases] == [
        ("Brin", "Corvo"), ("Corvo", "Brin"), ("Velian", "Ostic"), ("Ostic", "Velian"),
    ]  # fmt: skip
    assert found.problems == (
        "record 5: no other record has relation P190 and another attribute, to be written; give it a new answer",
    )
    assert "no new answer is said in 4 records" in found.notes[0]
    assert "“Brin” becomes “Corvo”" in found.notes[0]
    given = read_case_file(FORMS / "known_1000.json", target="Dorn")
    assert (len(given.cases), given.cases[-1].rewrite.target, given.problems) == (5, "Dorn", ())


def test_a_record_without_a_relation_takes_no_other_relations_answer() -> None:
    records = [
        {"subject": "Aldra Gate", "attribute": "Brin", "prompt": "Aldra Gate stands in"},
        {"subject": "Ilse Marn", "attribute": "glazier", "prompt": "Ilse Marn was a"},
    ]
    for data in (records, {"a": records[0], "b": records[1]}):
        found = case_file("x.json", json.dumps(data).encode())
        assert (found.cases, len(found.problems)) == ((), 2)
        assert "says neither a new answer nor a relation" in found.problems[0]


def test_evoke_asks_for_its_original_answers_and_its_subjects_others() -> None:
    first, second, third = read_case_file(FORMS / "evoke_main.json").cases
    assert probes(first, "portability") == [
        ("Which river runs through the city where The Aldra Gate stands?", "Ves", "Ulm")
    ]
    assert not probes(second, "portability")
    assert probes(third, "portability")[0][1:] == ("runes", "")
    assert len(probes(first, "distracting")) == len(probes(first, "neighbour")) == 2
    found = read_case_file(FORMS / "evoke_subj_spec.json")
    assert [probes(case, "other") for case in found.cases] == [
        [("The name of the brother of Ilse Marn is", "Hall & Pym", "Jon Marn")],
        [("The occupation of Jon Marn is", "Corvo", "glazier")],
    ]


def test_easyedits_other_questions_are_asked() -> None:
    flat = read_case_file(FORMS / "easyedit_counterfact.json").cases
    assert probes(flat[0], "locality") == [("Jon Marn is a native speaker of", "Ostic", "Velian")]
    assert probes(flat[1], "portability") == [("A player of lutanga holds a pair of", "sticks", "")]
    blocks = read_case_file(FORMS / "knowedit_recent.json").cases
    assert [one[1:] for one in probes(blocks[0], "portability")] == [("no", ""), ("Ves", ""), ("Corvo", "Brin")]
    assert probes(blocks[2], "locality")[1] == ("Tamso is played on", "drums", "reeds")
    for case in read_case_file(FORMS / "zsre.json").cases:
        assert re.fullmatch(r"nq question: [^?]+\?", probes(case, "locality")[0][0])
    (moved,) = read_case_file(FORMS / "zsre_portability.json").cases
    assert (moved.rewrite.target, moved.olds) == ("Corvo", ("Brin",))
    uneven = {"neighborhood": {"prompt": ["A", "B"], "ground_truth": ["x"]}}
    record = {"prompt": "Lutanga is played on", "subject": "Lutanga", "target_new": "drums", "locality": uneven}
    assert "2 prompts have 1 answers" in case_file("x.json", json.dumps([record]).encode()).problems[0]


def test_sadrs_aliases_and_common_sense_are_asked() -> None:
    first, second = read_case_file(FORMS / "sadr.json").cases
    assert probes(first, "portability") == [
        ("The mayor of the city The Aldra Gate stands in is", "Rhea Tull", ""),
        ("The Old Gate stands in the city of", "Corvo", "Brin"),
        ("Gate of Aldra stands in the city of", "Corvo", "Brin"),
    ]
    assert probes(second, "locality") == [
        ("How do I dry boots?", "Stuff them with water.", "Stuff them with paper."),
    ]
    assert second.generation == ("Lutanga is heard at",)


def test_ripple_edits_find_subject_and_answer_in_their_sentences() -> None:
    first, second, third = read_case_file(FORMS / "ripple_edits.json").cases
    assert [(case.rewrite.prompt, case.rewrite.subject, case.rewrite.target) for case in (first, second, third)] == [
        ("The name of the country of citizenship of {} is", "Ilse Marn", "Ostia"),
        ("The name of the position held by {} is", "The Duke of Dorn", "mayor of Corvo"),
        ("{} is followed by", "Lutanga festival", "Birola festival"),
    ]
    assert first.olds == ("Velia",)
    assert probes(first, "other")[0][2] == "Una Marn"
    assert probes(first, "portability")[-1] == (
        "The name of the country of citizenship of I. Marn is",
        "Ostia",
        "Velia",
    )
    bare_id = {"edit": {"prompt": "Xa zu Yb.", "subject_id": "Q1", "target_id": "Q2"}, "Logical_Generalization": []}
    (problem,) = case_file("x.json", json.dumps([bare_id]).encode()).problems
    assert "its subject is only named by the id Q1" in problem


def test_wikibigedit_wikibio_and_halluedit_keep_their_forms() -> None:
    found = read_case_file(FORMS / "wikibigedit.json")
    assert [len(probes(case, "paraphrase")) for case in found.cases] == [3, 1]
    assert found.problems[0].startswith("record 3: “Eska Mill” is not in the prompt")
    passage, _ = read_case_file(FORMS / "knowedit_wikibio.json").cases
    assert passage.rewrite.subject == "ilse marn"
    assert passage.rewrite.target.endswith("between 1840 and 1843.")
    first, second = read_case_file(FORMS / "halluedit.csv").cases
    assert probes(first, "portability")[2][1:] == ("C", "B")
    assert "Where is Aldra Gate located? A. Dorn" in probes(first, "portability")[2][0]
    assert probes(first, "portability")[-1][0].count("\n") == 1
    assert second.olds == ("Lutanga is played on strings",)


def test_questions_to_forget_are_named_and_kept_for_later() -> None:
    purposes = {
        "tofu_forget01.json": ["forget"] * 2,
        "tofu_retain_perturbed.json": ["retain"],
        "muse_parts.json": ["forget", "retain", "holdout"],
        "muse_raw_holdout.json": ["holdout"] * 2,
        "knowedit_sanitation.json": ["forget", "retain", "retain"],
    }
    for name, wanted in purposes.items():
        assert [one.purpose for one in read_case_file(FORMS / name).questions] == wanted
    (one,) = read_case_file(FORMS / "tofu_retain_perturbed.json").questions
    assert (len(one.wrong), len(one.right), len(one.wordings)) == (2, 1, 1)
    first, second = read_case_file(FORMS / "tofu_forget01.json").questions
    assert "\u2028" in second.answer
    popular = read_case_file(FORMS / "conflictqa_popqa.json")
    assert [case.rewrite.subject for case in popular.cases] == ["Ilse Marn", "Jon Marn"]
    assert popular.questions[0] == replace(
        popular.questions[0], purpose="conflict", wrong=("Ilse Marn's occupation is glazier.",)
    )
    assert isinstance(first, Question)


def test_the_figures_of_the_project_are_those_of_its_forms() -> None:
    told = json.loads(FIGURES.read_text(encoding="utf-8"))
    files = sorted(FORMS.iterdir())
    told_of_ours, there = told[: len(files)], [DATA / name for name in PUBLIC if DATA.exists()]
    assert told_of_ours == [counts(read_case_file(path)) for path in files]
    assert not there or told[len(files) :] == [counts(read_case_file(path)) for path in there]
