"""Fields that the trace of one prompt and the average over many facts share."""

import streamlit as st

from app.session.fields import field

KIND_WORDS = {
    "state": "States",
    "mlp": "MLP",
    "attn": "Attention",
    "severed_mlp": "Severed MLP",
    "severed_attn": "Severed attn.",
}


def repaired(page: str) -> None:
    """What is repaired, one map a kind."""
    st.pills(
        "Repair",
        list(KIND_WORDS),
        format_func=KIND_WORDS.__getitem__,
        selection_mode="multi",
        **field(page, "kinds"),
        wrap=True,
    )


def noise(page: str) -> None:
    """How much noise, and how often it is drawn."""
    st.number_input("Noise samples", 1, 100, **field(page, "samples"))
    st.number_input("Noise, as a multiple of σ", 0.0, 100.0, step=0.5, **field(page, "noise"))


def seed_and_window(page: str) -> None:
    """Of the noise, and of modules that are repaired several layers at once."""
    st.number_input("Seed", 0, 2**32 - 1, **field(page, "seed"))
    st.number_input(
        "Window of layers for MLP and attention", 1, **field(page, "window"), placeholder="scaled to the depth"
    )
