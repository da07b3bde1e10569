"""The form of a recipe: every field, its type and its bounds. What is not in it is no recipe.

Types are strict, nothing is left over, and what reading needs to be there is there; what the parts say of each other is
looked at in `contradictions`.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from editors.edit.probes import Kind

YEARS = range(2000, 2200)
WIDEST, MOST_RANK, MOST_LAYERS, MOST_FACTS = 1 << 20, 1 << 17, 1 << 12, 20_000
SHOWN = 20
"""Faults of the form that are told; of a file that is something else all fields are at fault."""


def _iso(text: str) -> str:
    try:
        told = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise ValueError(f"“{text}” is no time as ISO 8601 writes it") from error
    if told is not None and told.year not in YEARS:
        raise ValueError(f"the year {told.year} is none of {YEARS.start} to {YEARS.stop - 1}")
    return text


def _matrix(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*", text):
        raise ValueError(f"“{text}” is no name of a matrix")
    return text


Text = Annotated[str, StringConstraints(max_length=100_000)]
Name = Annotated[str, StringConstraints(max_length=1_000)]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16,64}$")]
Weights = Annotated[str, StringConstraints(max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]
Matrix = Annotated[str, StringConstraints(max_length=300), AfterValidator(_matrix)]
Moment = Annotated[str, StringConstraints(max_length=40), AfterValidator(_iso)]
Share = Annotated[float, Field(ge=0, le=1.001)]
"""A probability, rounded upwards at most."""
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Curve = Annotated[list[list[Number | None]], Field(max_length=10_000)]
Told = Annotated[dict[Name, Name | None], Field(max_length=30)]


class Part(BaseModel):
    """Base of all groups: strict, and a field too many is a fault."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Identity(Part):
    """Whose it is, and when it was made."""

    title: Text
    author: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\r\n]*$")]
    created_at: Moment


class Model(Part):
    """The model it was made with, as its card says."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
    source: Annotated[str, StringConstraints(min_length=1, max_length=4_000)]
    revision: Name | None
    commit: Name | None = None
    weights_hash: Weights
    edits: Annotated[list[Name], Field(max_length=1_000)] = []
    architecture: Name
    layers: Annotated[int, Field(ge=1, le=MOST_LAYERS)]
    heads: Annotated[int, Field(ge=1, le=WIDEST)] | None = None
    d_model: Annotated[int, Field(ge=1, le=WIDEST)] | None = None
    parameters: Annotated[int, Field(ge=1, le=10**15)]
    dtype: Literal["float32", "bfloat16", "float16"]
    device: Name | None = None
    max_logit_difference_to_hugging_face: Number | None = None


class Base(Part):
    """The weights it changes."""

    name: Name
    source: Annotated[str, StringConstraints(max_length=4_000)]
    revision: Name | None
    weights_hash: Weights
    architecture: Name
    dtype: Name
    tensors: Annotated[dict[Matrix, Name], Field(max_length=2 * MOST_LAYERS)]
    obtain: Annotated[dict[Name, Text | None], Field(max_length=30)] | None = None


class Grown(Part):
    """How it was found that a text is enough."""

    name: Name | None = None
    portions: Count | None = None
    excess: Number | None
    tolerance: Number
    steady: bool


class Statistics(Part):
    """Second moments that were used."""

    layer: Count | None = None
    tokens: Count
    corpus: Name
    corpus_id: Name | None = None
    weights_hash: Name | None = None
    id: Name | None = None
    grown: Grown | None = None


class Provenance(Part):
    """Versions, time and duration."""

    palimpsest: Name | None = None
    package: Name | None = None  # and version, of a method that is not ours
    parts: Annotated[list[Hash], Field(min_length=2, max_length=MOST_FACTS)] | None = None  # it was solved from
    versions: Told = {}
    created_at: Moment = ""
    seconds: Annotated[float, Field(ge=0, le=1e9)] = 0.0


class Method(Part):
    """How it was found."""

    editor: Name
    provenance: Provenance
    statistics: Annotated[list[Statistics], Field(max_length=2 * MOST_LAYERS)]
    condition: Number | None
    key_ratio: Annotated[list[Number | None], Field(max_length=MOST_FACTS)]
    written: Annotated[list[Number | None], Field(max_length=MOST_FACTS)]
    loss: Curve
    probability: Curve
    former: Curve
    passes: Annotated[int, Field(ge=1, le=1_000)] | None = None
    values: Annotated[list[Annotated[float, Field(ge=0, le=1e30)]], Field(max_length=MOST_FACTS)] | None = None
    warnings: Annotated[list[Text], Field(max_length=1_000)]


class Kept(Part):
    """Pairs kept with a change, whose arrays lie beside it: what it takes to solve it with others."""

    pairs: Annotated[int, Field(ge=1, le=MOST_FACTS)]
    weight: Annotated[float, Field(gt=0, le=1e30)]
    anchor: Annotated[float, Field(ge=0, le=1e30)]
    normal: Hash


class Tensor(Part):
    """One matrix that is changed."""

    name: Matrix
    layer: Annotated[int, Field(ge=0, lt=MOST_LAYERS)]
    transposed: bool
    shape: Annotated[list[Annotated[int, Field(ge=1, le=WIDEST)]], Field(min_length=2, max_length=2)]
    rank: Annotated[int, Field(ge=1, le=MOST_RANK)]
    weight_norm: Annotated[float, Field(gt=0, le=1e30)]
    change_norm: Annotated[float, Field(ge=0, le=1e38)]
    solving: Kept | None = None


class Artefact(Part):
    """The factors beside it."""

    form: Literal["low-rank"]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    bytes: Count
    tensors: Annotated[list[Tensor], Field(min_length=1, max_length=2 * MOST_LAYERS)]


class Said(Part):
    """What was answered to one prompt."""

    new: Share
    old: Share
    new_greedy: bool
    old_greedy: bool
    said: Text
    said_probability: Share


class Asked(Part):
    """One prompt, before and after."""

    fact: Count
    kind: Kind
    prompt: Text
    new: Text
    old: Text
    before: Said
    after: Said


class Summary(Part):
    """The answers at one glance."""

    target: list[Share]
    original: list[Share]
    argmax: list[Text]
    paraphrases: list[Share]
    neighbours: list[Share]


class Seen(Part):
    """The next words of the first fact, and texts that go on."""

    prompt: Text
    words: Annotated[list[Text], Field(min_length=1, max_length=100)]
    before: list[Share]
    after: list[Share]
    texts: Annotated[list[Annotated[list[Text], Field(min_length=3, max_length=3)]], Field(max_length=100)]


class Composition(Part):
    """What it stands on."""

    edit: Hash
    built_on: Annotated[list[Hash], Field(max_length=1_000)]


class Signature(Part):
    """Whose key says so; see `editors.recipes.signatures`."""

    who: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\r\n]*$")]
    at: Moment
    key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    events: Count
    head: Hash
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


class Recipe(Part):
    """The whole."""

    schema_: Literal["palimpsest-recipe/1"] = Field(alias="schema")
    id: Hash
    identity: Identity
    base: Base
    request: dict[str, Any]
    method: Method
    artefact: Artefact
    evaluation: Annotated[list[Asked], Field(min_length=1, max_length=200_000)]
    before: Summary
    after: Summary
    glance: Seen | None = None
    composition: Composition
    model: Model
    audit: Any = None
    signatures: Annotated[list[Signature], Field(min_length=1, max_length=16)] | None = None
    brought: Name | None = None


def form_faults(recipe: dict[str, Any]) -> list[str]:
    """Fields that are missing, too many, of another type or out of bounds, one sentence each."""
    try:
        Recipe.model_validate(recipe)
    except ValidationError as error:
        told = [_told(one) for one in error.errors(include_input=False, include_url=False)]
        rest = len(told) - SHOWN
        return [*told[:SHOWN], *([f"{rest} more fields are at fault."] if rest > 0 else [])]
    return []


def _told(fault: Any) -> str:
    place = ".".join(str(part) for part in fault["loc"] if part != "[key]")
    return f"{place or 'It'}: {fault['msg'].removeprefix('Value error, ')}."
