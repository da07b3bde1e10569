"""What of the edit page's form says whom an edit must not move."""

import streamlit as st
from pydantic import ValidationError

from analysis.errors import BadRequest
from app.session.fields import field
from editors.edit.request import EditRequest, Protected
from editors.registry.methods import users_of

WORDS = {"none": "Nobody else", "relation": "Stored ones like it", "own": "Ones the model names"}
"""Whose keys keep their values, as the form says it."""


def draw(page: str) -> None:
    """The fields."""
    st.markdown(
        "An edit may move what stands near it: other subjects of the same kind. Those named here keep what the layer "
        f"writes for them. :gray[Protected keys: {users_of('protect_keys')}.]"
    )
    st.segmented_control(
        "Subjects of the same kind", list(WORDS), format_func=WORDS.__getitem__, **field(page, "protect_keys"),
        required=True, wrap=True,
    )  # fmt: skip
    st.text_area(
        "Prompts that must not move, one a line", **field(page, "must_not_move"), height=110,
        placeholder="The Louvre is located in the city of",
        help="every word of a prompt is held; with a subject in braces, The {Louvre} is located in the city of, the "
        "subject’s last token only, also behind other texts",
    )  # fmt: skip
    st.number_input(
        "Weight beside the text (β)", 0.0, format="%.3f", step=0.05, **field(page, "protect_weight"),
        placeholder="0.1; AlphaEdit 1",
    )  # fmt: skip
    st.number_input(
        "Weight of all stored subjects together", 0.0, format="%.3f", step=0.05, **field(page, "subjects_weight")
    )
    st.markdown("The search can be told too, for what keys cannot hold. :gray[Kept answers]")
    st.number_input(
        "Weight of what else is said of the subject", 0.0, format="%.3f", **field(page, "others_weight"),
        help="the new value also has to leave the answers to a few general prompts about the subject",
    )  # fmt: skip
    st.number_input(
        "Weight of neighbours behind the new fact", 0.0, format="%.3f", **field(page, "behind_weight"),
        help="and those to other subjects of the relation, asked behind the new fact",
    )  # fmt: skip


def named(text: str) -> tuple[Protected, ...]:
    """The prompts of a field of lines; `BadRequest` with the line that is none."""
    try:
        return tuple(Protected.of_line(line) for line in text.splitlines() if line.strip())
    except ValidationError as error:
        fault = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise BadRequest(f"Prompts that must not move: {fault}.") from error
    except ValueError as error:
        raise BadRequest(f"Prompts that must not move: {error}.") from error


def lines_of(request: EditRequest) -> str:
    """The lines that say what a request protects; subjects of the fact's kind are found anew."""
    by_kind = request.protect_keys != "none"
    return "\n".join(one.line for one in request.protected if not (by_kind and one.subject))
