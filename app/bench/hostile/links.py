"""Links that nobody meant: every page, every field of its form, with values of every wrong kind.

A case is a page and what its address says. The reader of links must take what is right, name what is not, and never
fail; `app.session.permalinks` is asked by itself, since a page that is drawn costs a thousand times as much.
"""

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from analysis.errors import WorkbenchError
from analysis.study import Request
from app.bench.hostile.kind import Kind
from app.registry.studies import ENTRIES, STUDIES
from app.session.permalinks import read
from app.studies.edit.forms.form import EditForm

DEEP = 10_000
TEXT = (
    "", " ", "\t\n", "abc", "é" * 400, "a" * 50_000, "\x00", "a\x00b", "\x1b[31m", "\u202eabc\u202c", "\u200b",
    "\ufffd",
    "%00", "%ff", "%2e%2e%2f", "../../etc/passwd", "<script>alert(1)</script>", "[x](http://evil.example)",
    "http://evil.example", "$\\frac{1}{0}$", ":red[x]", ":material/home:", "{}", "{0}", "{prompt}", "%s%n",
    "' OR 1=1 --",
    "😀" * 50, "\U0001f468\u200d\U0001f469\u200d\U0001f467", "a\r\nSet-Cookie: x=1",
)  # fmt: skip
NUMBERS = (
    "0", "-1", "1", "2", "40", "150", "1000", "90000", "3.5", "1e3", "1e400", "-1e400", "nan", "inf",
    "-inf", "NaN", "9" * 30, "9" * 5000, "0x10",
    "1_000",
    "٣", "1e-400", "-0", "+1", "1,2", str(2**32), str(2**63), str(2**64),
)  # fmt: skip
DATA = (
    "true", "false", "null", "[]", "{}", "[[]]", '[""]', '["a", 1]', '[{"a": 1}]', '{"a": {"b": []}}', '"x"', "[1, 2",
    "{", '{"system": 1}', '{"prompt": "{} a", "subject": "b", "target": "c"}', '[{"prompt": 1}]', "[null]", ",,,",
    "a,,b", ",",
    "[" * DEEP, "[" * DEEP + "]" * DEEP, '{"a":' * DEEP, '[{"a":' * DEEP, '["' + "[" * DEEP,
    json.dumps(["a"] * 3000), json.dumps({"x" * 9000: 1}), json.dumps({str(number): number for number in range(3000)}),
)  # fmt: skip
STRANGE = (
    "",
    "x",
    "__class__",
    "model_config",
    "prompt ",
    "PROMPT",
    "a" * 3000,
    "\u202ex",
    "http://evil.example",
    "a[]",
    "key",
)

FORMS: dict[str, type[Request]] = {"edit": EditForm}


@dataclass(frozen=True)
class Said:
    """A page, the study whose form it has, and the parameters of the address."""

    page: str
    study: str
    query: tuple[tuple[str, str], ...]


def kind() -> Kind:
    """Links without end; one that is read as it should be counts as taken."""
    return Kind("link", lambda draw: cases(int(draw.integers(2**32)), sys.maxsize), _judged)


def _judged(said: Said) -> bool:
    if wrong := judge(said):
        raise AssertionError(wrong)
    return True


def cases(seed: int, count: int) -> Iterator[tuple[str, Said]]:
    """So many links with their labels: field after field of page after page, then several fields of one at once."""
    chance = random.Random(seed)
    fields = [(entry.page, name, field) for name, entry in ENTRIES.items() if entry.page for field in _fields(name)]
    for number in range(count):
        page, study, name = fields[number % len(fields)]
        query = [(name, _value(chance))]
        for _ in range(chance.choice((0, 0, 1, 3))):
            other = chance.choice([*_fields(study), *STRANGE])
            query.append((other, _value(chance)))
        yield f"{page} {name} {number}", Said(page, study, tuple(query))


def judge(said: Said) -> str | None:
    """What is wrong with how a link is read; None where nothing is."""
    kind = kind_of(said.study)
    query = dict(said.query)
    try:
        found = read(kind, query)
    except Exception as error:  # whatever it is, it is what is looked for
        return f"{type(error).__name__}: {str(error)[:200]}"
    return _unlike(found.request, kind, query, found.faults, found.misfit) or _too_long(found.sentence())


def _unlike(request: Request, kind: type[Request], query: dict[str, str], faults: dict, misfit: str) -> str | None:
    if misfit or set(faults) & {name for name, field in kind.model_fields.items() if field.is_required()}:
        return None
    try:
        request.key("weights")
        again = read(kind, {name: text for name, text in query.items() if name in request.model_fields_set}).request
    except (WorkbenchError, ValueError) as error:
        return f"what was read is no request: {error}"
    return None if again == request else "the same link is read in two ways"


def _too_long(sentence: str) -> str | None:
    return None if len(sentence) < 3000 else f"a sentence of {len(sentence)} characters"


def kind_of(study: str) -> type[Request]:
    """What a link to a study's page says: its request, but for the page that asks in a form of its own."""
    return FORMS.get(study, STUDIES[study].request)


def _fields(study: str) -> list[str]:
    return list(kind_of(study).model_fields)


def _value(chance: random.Random) -> str:
    text = chance.choice(chance.choice((TEXT, NUMBERS, DATA)))
    if chance.random() < 0.2:
        text += chance.choice(TEXT)
    if chance.random() < 0.1:
        text = "".join(
            chr(chance.choice((chance.randrange(1, 0xD800), chance.randrange(0xE000, 0x11000)))) for _ in range(40)
        )
    return text
