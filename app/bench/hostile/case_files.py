"""Files of cases in every form that is read, each changed somewhere, or broken as bytes."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from analysis import read_facts
from analysis.errors import WorkbenchError
from app.bench.hostile.kind import Kind
from app.bench.hostile.mutations import changed, nested, pick
from editors.cases.case import own_cases
from editors.cases.files import CaseFile, case_file
from editors.cases.own_form import written

FACT = {"prompt": "{} is in the city of", "subject": "The Eiffel Tower"}
REWRITE = {**FACT, "target_new": {"str": "Rome"}, "target_true": {"str": "Paris"}, "relation_id": "P131"}
RECORDS: tuple[Any, ...] = (
    {
        "case_id": 1,
        "requested_rewrite": REWRITE,
        "paraphrase_prompts": ["The Eiffel Tower stands in"],
        "neighborhood_prompts": ["The Louvre is in the city of"],
        "generation_prompts": ["The Eiffel Tower is"],
    },
    {
        "case_id": 1,
        "requested_rewrite": [{**REWRITE, "question": "Where is the Eiffel Tower?"}],
        "questions": ["In which country is the city of the Eiffel Tower?"],
        "answer": "France",
        "new_answer": "Italy",
        "single_hops": [{"question": "Where is it?", "cloze": "It is in", "answer": "Paris"}],
        "new_single_hops": [{"question": "Where is it?", "cloze": "It is in", "answer": "Rome"}],
    },
    {
        "subject": "The Eiffel Tower",
        "src": "Where is the Eiffel Tower?",
        "answers": ["Paris"],
        "alt": "Rome",
        "rephrase": "In which city is the Eiffel Tower?",
        "loc": "nq question: where is the Louvre",
        "loc_ans": "Paris",
    },
    {"prompt": "The Eiffel Tower is in", "subject": "The Eiffel Tower", "attribute": "Paris", "target_new": "Rome"},
    {"question": "Where is the Eiffel Tower?", "answer": "Paris", "paraphrased_question": "In which city?"},
    {
        "question": "Where is it?",
        "memory_answer": "Paris",
        "counter_answer": "Rome",
        "counter_memory": "It is in Rome.",
    },
)
TABLE = ["prompt", "subject", "target", "former"], ["The Eiffel Tower is in", "The Eiffel Tower", "Rome", "Paris"]
NAMES = ("mine.json", "mine.csv", "mine.tsv", "../mine.json", "mine\u202e.json", "mine", "a" * 300)
PREFIXES = (b"", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00" * 9, b"[" * 100_000, b'{"a":' * 50_000)
Given = tuple[str, bytes]


def kind() -> Kind:
    """Every fourth one is broken as bytes."""
    return Kind("file", _inputs, _judged)


def _inputs(draw: np.random.Generator) -> Iterator[tuple[str, Given]]:
    while True:
        what = pick(draw, ("record", "record", "records", "own", "table", "bytes"))
        label, data = _made(draw, what)
        yield f"{what} {label}", (pick(draw, NAMES), data)


def _made(draw: np.random.Generator, what: str) -> Given:
    record = pick(draw, RECORDS)
    if what == "own":
        label, data = changed(draw, json.loads(written(own_cases(read_facts())[:2], (), ())))
    elif what == "table":
        return _table(draw)
    elif what == "bytes":
        return _bytes(draw, json.dumps([record]).encode())
    else:
        label, data = changed(draw, record)
        if what == "records":
            data = [record, data, pick(draw, RECORDS)]
    return label, json.dumps(data).encode("utf-8", "surrogatepass")


def _table(draw: np.random.Generator) -> Given:
    label, rows = changed(draw, [list(TABLE[0]), list(TABLE[1]), list(TABLE[1])])
    out = io.StringIO()
    lines = csv.writer(out, delimiter=pick(draw, (",", "\t", ";")))
    for row in rows:
        lines.writerow(row if isinstance(row, list) else [row])
    return label, out.getvalue().encode("utf-8", "surrogatepass")


def _bytes(draw: np.random.Generator, data: bytes) -> Given:
    broken = bytearray(data)
    what = pick(draw, ("cut", "flip", "before", "twice", "deep"))
    if what == "cut":
        return what, data[: int(draw.integers(len(data)))]
    if what == "flip":
        for at in draw.integers(len(data), size=3):
            broken[int(at)] = int(draw.integers(256))
        return what, bytes(broken)
    if what == "deep":
        return what, json.dumps({"requested_rewrite": nested(900)}).encode()
    return what, (pick(draw, PREFIXES) + data) if what == "before" else data * 2


def _judged(given: Given) -> bool:
    """Refused with a sentence, or read; what is read is written in our own form and read again as the same."""
    try:
        found = case_file(*given)
    except WorkbenchError as error:
        if not str(error).strip():
            raise AssertionError("It is refused without a word.") from error
        return False
    if not (found.cases or found.chains or found.questions):
        return False
    again = case_file("again.json", written(found.cases, found.chains, found.questions).encode())
    if _held(again) != _held(found):
        raise AssertionError("What is written in our own form is read as something else.")
    return True


def _held(found: CaseFile) -> tuple[Any, ...]:
    return found.cases, found.chains, found.questions
