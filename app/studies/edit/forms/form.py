"""The form of the edit page: a fact, its new answer, a method, and everything else behind one button.

The row on top holds the first fact; those written together with it stand in a list below, which can be filled by
hand, from the stored facts, or by pasting rows of a spreadsheet.
"""

from typing import Any

import pandas as pd
import streamlit as st
from pydantic import BaseModel, ConfigDict, Field

from analysis import read_facts
from analysis.errors import BadRequest, SubjectNotFound
from analysis.facts.facts import Fact, another_object
from analysis.moments.request import OWN
from analysis.one_of import STORED
from analysis.text.framing import Prompted
from analysis.text.tokens import find_text
from app.registry.studies import STUDIES
from app.session import chat_form, run_flow
from app.session.fields import field, loose, seed, slot, take_fill
from app.session.permalinks import validated
from app.session.prompt_field import prompt_field
from app.studies.edit.forms import protect_form, settings_form
from app.studies.edit.forms.forgetting import LIMIT, SILENT
from app.studies.edit.written import recipe_upload
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, FoundOn, KeyMode, ProtectedFrom, Rewrite
from editors.layer_sweep.result import LayersResult
from editors.registry.methods import METHODS, WritingName, writing
from editors.registry.versions import label_of

PAGE = "edit"
SETTINGS = (
    "layers",
    "key_mode",
    "targets",
    "contexts",
    "steps",
    "rate",
    "clamp",
    "norm",
    "norm_relative",
    "kl",
    "stop_after",
    "others_weight",
    "behind_weight",
    "lti_subject",
    "lti_output",
    "answer_weight",
    "norm_anchor",
    "moments_weight",
    "anchor",
    "passes",
    "protect",
    "leak_weight",
    "refresh",
    "window",
    "batch_ridge",
    "warm_up",
    "sadr",
    "protect_keys",
    "protect_weight",
    "subjects_weight",
    "source",
    "tokens",
    "seed",
    "boundary",
)


FOR_SEVERAL = "memit"
"""The method offered where there are several facts for one that writes a single one."""


class OneFactOnly(BadRequest):
    """Several facts for a method that writes one."""


class Line(BaseModel):
    """One fact as a person types it: a sentence that ends before its answer, whom it is about, the answer to write."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str
    subject: str
    target: str

    def rewrite(self) -> Rewrite:
        """The fact with a slot for its subject; `BadRequest` where the sentence does not hold it."""
        if "{}" in self.prompt or "{}" in self.subject:
            raise BadRequest("The sentence holds “{}”. Write the subject itself.")
        if not self.prompt.strip():
            raise BadRequest("The fact is empty. Write a sentence that ends just before its answer.")
        start, end = find_text(self.prompt, self.subject, occurrence=0)
        if not self.target.strip():
            raise BadRequest("The new answer is empty. Write the word that shall stand there.")
        prompt = f"{self.prompt[:start]}{{}}{self.prompt[end:]}"
        return validated(Rewrite, {"prompt": prompt, "subject": self.prompt[start:end], "target": self.target})


def line_of(fact: Rewrite) -> Line:
    """A fact as a person would type it."""
    return Line(prompt=fact.text, subject=fact.subject, target=fact.target)


def stored_line(fact: Fact) -> Line:
    """A stored fact with another answer."""
    return Line(prompt=fact.text, subject=fact.subject, target=another_object(fact))


class EditForm(Prompted):
    """Facts as a person types them; what a link to the page says."""

    prompt: str = Field(
        "The Eiffel Tower is located in the city of", description="sentence that ends before its answer"
    )
    subject: str = Field("The Eiffel Tower", description="words of the sentence the fact is about")
    target: str = Field("Rome", description="the answer to write")
    more: tuple[Line, ...] = Field((), description="facts to write together with it")
    method: WritingName = "rome"
    layers: tuple[int, ...] | None = None
    key_mode: KeyMode = "r_rome"
    targets: FoundOn = "base"
    contexts: int = Field(5, ge=0, le=50)
    steps: int | None = Field(None, ge=1, le=500)
    rate: float | None = Field(None, gt=0)
    clamp: float | None = Field(None, gt=0)
    norm: float | None = Field(None, gt=0)
    norm_relative: float | None = Field(None, gt=0)
    kl: float = Field(0.0625, ge=0)
    stop_after: int | None = Field(None, ge=0)
    others_weight: float = Field(0.0, ge=0)
    behind_weight: float = Field(0.0, ge=0)
    lti_subject: float = Field(0.0, ge=0)
    lti_output: float = Field(0.0, ge=0)
    answer_weight: float = Field(1.0, gt=0)
    norm_anchor: bool = False
    moments_weight: float = Field(0.3, gt=0)
    anchor: float = Field(0.0, ge=0)
    passes: int = Field(1, ge=1, le=5)
    protect: float = Field(0.8, ge=0, lt=1)
    leak_weight: float = Field(0.03, ge=0)
    refresh: int = Field(50, ge=0)
    window: int = Field(5, ge=1, le=500)
    batch_ridge: float | None = Field(None, gt=0)
    warm_up: int | None = Field(None, ge=0, le=10_000)
    sadr: float = Field(0.0, ge=0)
    protect_keys: ProtectedFrom = "none"
    protect_weight: float | None = Field(None, ge=0)
    subjects_weight: float = Field(0.0, ge=0)
    must_not_move: str = Field("", max_length=20_000, description="prompts that must not move, one a line")
    source: str = OWN
    tokens: int | None = Field(None, ge=1)
    seed: int = Field(1, ge=0, lt=2**32)

    def fits(self) -> None:
        """Raise `OneFactOnly` where the method cannot write as many facts as there are."""
        own = METHODS[self.method]
        if own.most_facts == 1 and self.more:
            several = f"{label_of(FOR_SEVERAL)} writes all {1 + len(self.more)} together."
            raise OneFactOnly(f"{own.label} writes one fact at a time. {several}")

    def asked(self) -> EditRequest:
        """The request of the study; `SubjectNotFound` where a sentence does not hold its subject."""
        self.fits()
        facts = [Line(prompt=self.prompt, subject=self.subject, target=self.target).rewrite()]
        for number, line in enumerate(self.more, start=1):
            try:
                facts.append(line.rewrite())
            except BadRequest as error:
                raise BadRequest(f"Row {number} of the list: {error}") from error
        values = (
            {name: getattr(self, name) for name in SETTINGS}
            | self.framing()
            | {"protected": protect_form.named(self.must_not_move)}
        )
        return validated(EditRequest, {"facts": tuple(facts), "method": self.method, **values})


def form_of(request: EditRequest) -> EditForm:
    """The form that asks for a request's facts; subjects of their kind are found anew, others named line by line."""
    first, *more = (line_of(fact) for fact in request.facts)
    values = {name: getattr(request, name) for name in ("method", *SETTINGS)} | request.framing()
    values["must_not_move"] = protect_form.lines_of(request)
    return EditForm(**first.model_dump(), more=tuple(more), **values)


def form_of_edit(result: Edit) -> EditForm | None:
    """What the page's form is filled with: nothing where it could not ask for the edit, as for silenced heads."""
    return form_of(result.request) if result.request.method in writing() else None


def form_of_layers(result: LayersResult) -> EditForm:
    """The same for edits at one layer after another: the first of their facts."""
    first, method = result.request.facts[0], result.request.method
    return form_of(EditRequest(facts=(first,), method=method, seed=result.request.seed))


def prepare() -> None:
    """Fill the form's fields before any of them is drawn."""
    if (wish := take_fill(PAGE)) is not None and EditRequest.model_validate(wish, context=STORED).method in writing():
        for name, value in _loose(form_of(validated(EditRequest, wish))).items():
            st.session_state[slot(PAGE, name)] = value
    seed(PAGE, _loose(EditForm()), EditForm)
    if not isinstance(layers := st.session_state[slot(PAGE, "layers")], str):
        st.session_state[slot(PAGE, "layers")] = ", ".join(map(str, layers or ()))
    if picked := st.session_state.pop(f"{PAGE}.picked", None):
        for name, value in stored_line(_stored()[picked]).model_dump().items():
            st.session_state[slot(PAGE, name)] = value


def _loose(form: EditForm) -> dict[str, Any]:
    values = loose(form)
    values["layers"] = ", ".join(map(str, form.layers)) if form.layers else ""
    return values


def form() -> EditForm:
    """The fields as they stand; raises `BadRequest` naming the field."""
    values = {name: st.session_state[slot(PAGE, name)] for name in EditForm.model_fields}
    values["chat"] = chat_form.value(PAGE)
    text = str(values["layers"] or "")
    parts = [part.strip() for part in text.replace("–", "-").split(",") if part.strip()]
    values["layers"] = tuple(layer for part in parts for layer in _range(part)) or None
    values["source"] = str(values["source"] or "").strip() or OWN
    values["more"] = tuple(row for row in values["more"] if any(text.strip() for text in row.values()))
    return validated(EditForm, values)


def _range(part: str) -> list[int]:
    """One layer, or a span of them: 6, 4-8."""
    ends = part.split("-")
    if len(ends) > 2 or not all(end.strip().isdecimal() for end in ends):
        raise BadRequest(f"Layers: “{part}” is neither a layer nor a span of layers such as 4-8.")
    low, high = int(ends[0]), int(ends[-1])
    if high - low > 200:
        raise BadRequest(f"Layers: “{part}” is a long way. Name those to write to.")
    return list(range(low, high + 1))


def draw() -> bool:
    """Draw the form; True when Write was pressed."""
    with st.container(border=True, key="edit-form"):
        prompt_field(st, PAGE, "Fact", "subject", placeholder="A sentence that ends just before its answer")
        subject, target, button = st.columns([3, 3, 2.8], vertical_alignment="bottom")
        subject.text_input("Subject", **field(PAGE, "subject"))
        target.text_input("New answer", **field(PAGE, "target"), placeholder="the word to write")
        pressed = run_flow.go(
            button,
            PAGE,
            STUDIES["edit"],
            "Write",
            type="primary",
            icon=":material/edit_note:",
            width="stretch",
            shortcut="Mod+Enter",
            key="edit-go",
        )
        with st.container(horizontal=True, gap="small"):
            st.button("Add a fact", icon=":material/add:", key="edit-add", on_click=_add, args=([_EMPTY],))
            with st.popover("Stored facts", icon=":material/list:"):
                _pick()
            with st.popover("Make it forget", icon=":material/ink_eraser:"):
                _forget()
        _list()  # below a row that is empty at its right end, where the list unfolds its own buttons
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.segmented_control(
                "Method",
                writing(),
                format_func=label_of,
                **field(PAGE, "method"),
                required=True,
                wrap=True,
            )
            chat_form.draw(PAGE)
            with st.popover("What must not move", icon=":material/shield:"):
                protect_form.draw(PAGE)
            with st.popover("More settings", icon=":material/tune:"):
                settings_form.draw(PAGE)
            with st.popover("Open a recipe", icon=":material/upload_file:"):
                recipe_upload.draw()
    return pressed


_EMPTY = {"prompt": "", "subject": "", "target": ""}
TOGETHER = "Written together with it: a sentence that ends before its answer"


def _list() -> None:
    """The facts below the first, one a row.

    Streamlit keeps what was typed as changes to the rows a list was given, so these stay the same while someone types,
    and a list changed by other means (a link, a stored fact) is a new one.
    """
    state, place = st.session_state, slot(PAGE, "more")
    number, given, typed = state.get(f"{PAGE}.list", (0, [], None))
    if state[place] != typed or f"edit-more-{number}" not in state:
        number, given = number + 1, state[place]
    if not given:
        state[f"{PAGE}.list"] = (number, given, given)
        return
    held = st.data_editor(
        pd.DataFrame(given, columns=list(_EMPTY), dtype=str),
        num_rows="dynamic",
        hide_index=True,
        column_config={
            "prompt": st.column_config.TextColumn(TOGETHER, width="large"),
            "subject": st.column_config.TextColumn("Subject", width="small"),
            "target": st.column_config.TextColumn("New answer", width="small"),
        },
        key=f"edit-more-{number}",
        alt="Facts written together with the first.",
    )
    state[place] = [{name: str(text) for name, text in row.items()} for row in held.fillna("").to_dict("records")]
    state[f"{PAGE}.list"] = (number, given, state[place])


def _add(rows: list[dict[str, str]]) -> None:
    held = st.session_state[slot(PAGE, "more")]
    st.session_state[slot(PAGE, "more")] = [*held, *(row for row in rows if row not in held or row == _EMPTY)]


def _stored() -> dict[str, Fact]:
    return {fact.id: fact for fact in read_facts()}


def _pick() -> None:
    facts = _stored()
    options: dict[str, Any] = {
        "options": list(facts),
        "format_func": lambda name: f"{facts[name].text} … {facts[name].object}",
        "placeholder": "Type to search",
    }
    st.selectbox("Write over this one", index=None, key=f"{PAGE}-pick", on_change=_take_pick, **options)
    more = st.multiselect("Write over these as well", key=f"{PAGE}-pick-more", **options)
    st.button(
        "Add them to the list", icon=":material/add:", key="edit-add-stored", on_click=_add_stored, disabled=not more
    )


def _forget() -> None:
    st.markdown("Write an answer over the old one that tells nothing:")
    with st.container(horizontal=True):
        for number, answer in enumerate(SILENT):
            st.button(answer, key=f"edit-forget-{number}", on_click=_answer_all, args=(answer,))
    st.markdown(f":gray[:small[{LIMIT}]]")


def _answer_all(answer: str) -> None:
    """Write this answer over every fact of the form."""
    rows = st.session_state[slot(PAGE, "more")]
    st.session_state[slot(PAGE, "target")] = answer
    st.session_state[slot(PAGE, "more")] = [row if row == _EMPTY else {**row, "target": answer} for row in rows]


def _take_pick() -> None:
    st.session_state[f"{PAGE}.picked"] = st.session_state[f"{PAGE}-pick"]


def _add_stored() -> None:
    chosen = [_stored()[name] for name in st.session_state[f"{PAGE}-pick-more"]]
    _add([stored_line(fact).model_dump() for fact in chosen])
    st.session_state[f"{PAGE}-pick-more"] = []


def suggestion(error: Exception) -> None:
    """The fix as a button, where there is one."""
    if isinstance(error, SubjectNotFound) and error.suggestion:
        st.button("Use it", key="edit-use", on_click=_use, args=(error.suggestion,))
    if isinstance(error, OneFactOnly):
        st.button(f"Take {label_of(FOR_SEVERAL)}", key="edit-memit", on_click=_take_several)


def _use(subject: str) -> None:
    st.session_state[slot(PAGE, "subject")] = subject


def _take_several() -> None:
    st.session_state[slot(PAGE, "method")], st.session_state[slot(PAGE, "layers")] = FOR_SEVERAL, ""
