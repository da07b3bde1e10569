"""What of the edit page's form stands behind “More settings”: what the chosen method reads, and nothing else.

What is not drawn keeps its value, and is there again once a method is chosen that reads it.
"""

from typing import Any

import streamlit as st

from analysis.moments.request import OWN, SHIPPED
from app.jobs.services import services
from app.session.boundary_field import boundary_field
from app.session.fields import field, slot, spec
from editors.registry.methods import method_of

KEY_WORDS = {"r_rome": "r-ROME", "p_rome": "p-ROME", "rome": "ROME as published"}
"""ROME's keys, as the form says them."""
FOUND_ON = {"base": "the model as it was trained", "stacked": "the edits that are on"}
"""What new values are sought on, as the form says it."""
GENTLE = "a smaller one finds a value nearer to the old one, in more steps: 0.1 in 100"
TAUGHT = {
    "lti_subject": "Weight of the state at the subject; 0.0425 is a beginning",
    "lti_output": "Weight of how likely it makes the answer; 0.0725",
    "answer_weight": "Weight of the answer itself; 0.35 beside these two",
}
"""The weights of a search with a teacher, as the form says them; the beginnings are those of the paper's LLaMA-2."""


class _Drawn:
    """Draws the fields of one page, those the chosen method reads."""

    def __init__(self, page: str):
        self.page, self.method = page, method_of(st.session_state[slot(page, "method")])

    def reads(self, *names: str) -> bool:
        """Whether the method reads one of them."""
        return any(name in self.method.uses for name in names)

    def number(self, name: str, label: str, least: float, most: float | None = None, **how: Any) -> None:
        """A number; where it may be left out, the field says what is then taken."""
        if self.reads(name):
            own = self.method.defaults.get(name)
            if own is not None and "placeholder" in how:
                how["placeholder"] = f"{own:g}"
            st.number_input(label, least, most, **field(self.page, name), **how)

    def choice(self, name: str, label: str, words: dict[str, str]) -> None:
        """One of a few."""
        if self.reads(name):
            st.segmented_control(
                label, list(words), format_func=words.__getitem__, **field(self.page, name), required=True
            )


def draw(page: str) -> None:
    """The fields."""
    card, drawn = services().card(spec()), _Drawn(page)
    deepest = f"0 to {card['layers'] - 1}" if card else "all"
    st.text_input("Layers to write to", **field(page, "layers"), placeholder="the method’s own", help=f"{deepest}; 4-8")
    drawn.choice("key_mode", "The subject’s key", KEY_WORDS)
    drawn.choice("targets", "Found on top of", FOUND_ON)
    _search(drawn)
    _write(drawn)
    _text(drawn)
    boundary_field(page)


def _search(drawn: _Drawn) -> None:
    """How the new value is found."""
    drawn.number("contexts", "Texts put before the prompt", 0, 50)
    drawn.number("steps", "Steps of the search", 1, 500, placeholder="25")
    drawn.number(
        "rate", "Rate of the search" if drawn.reads("steps") else "Rate of its one step", 0.0, format="%.3f",
        placeholder="0.5", help=GENTLE if drawn.reads("kl") else None,
    )  # fmt: skip
    drawn.number("clamp", "Longest change, in lengths of the old value", 0.0, placeholder="0.75")
    drawn.number("kl", "Weight of keeping the rest (KL)", 0.0, format="%.4f")
    drawn.number(
        "stop_after", "Steps after every prompt says it", 0, placeholder="to the end",
        help="the search ends so many steps after the new answer is said everywhere; fewer leave more of the rest",
    )  # fmt: skip
    drawn.number("sadr", "Weight of holding attention back (SADR)", 0.0, format="%.3f")
    if drawn.reads("norm_anchor"):
        st.checkbox(
            "Length of new values without edits", **field(drawn.page, "norm_anchor"),
            help="keeps values from growing edit by edit; measured once on a few stored facts, which takes a minute",
        )  # fmt: skip
    if drawn.reads(*TAUGHT):
        with st.container(border=True):
            st.markdown("Learn from the model that is told the fact :gray[(LTI)]")
            for name, label in TAUGHT.items():
                drawn.number(name, label, 0.0, format="%.4f")


def _write(drawn: _Drawn) -> None:
    """How it is written."""
    drawn.number(
        "moments_weight", "Weight of the text the layers read", 0.0, format="%.3f", step=0.05,
        help="more of it moves other text less, and writes less of the new value; in dimensions of a key",
    )  # fmt: skip
    drawn.number(
        "anchor", "Weight of staying where no text reads", 0.0, format="%.3f", step=0.01,
        help="in mean eigenvalues of what the layers read; 0 is off",
    )  # fmt: skip
    drawn.number(
        "passes", "Times what is still missing is written", 1, 5,
        help="at most; fewer where the answers are about as likely as in the search",
    )  # fmt: skip
    drawn.number(
        "protect", "Share of the text’s energy left untouched", 0.0, 0.999, format="%.3f", step=0.05,
        help="0 is no projection",
    )  # fmt: skip
    drawn.number(
        "leak_weight", "Weight of the text that is read where it writes", 0.0, format="%.3f", step=0.01,
        help="in dimensions of a key; 0 is AlphaEdit",
    )  # fmt: skip
    drawn.number(
        "refresh", "Facts after which it looks anew where to write", 0, help="those written by then in it; 0 is never"
    )
    drawn.number(
        "window", "Tokens of the answer to a value", 1, 500,
        help="a long answer is written in windows of so many tokens; small models hold few, large ones 40",
    )  # fmt: skip
    drawn.number("norm", "Furthest a weight may move", 0.0, format="%.5f", step=0.001, placeholder="0.0005",
                 help="with a rate of the same size")  # fmt: skip
    drawn.number(
        "norm_relative", "The same in root mean squares of the weights", 0.0, format="%.3f", step=0.01,
        placeholder="not said", help="in place of the one above; 0.05 is a beginning",
    )  # fmt: skip
    drawn.number("batch_ridge", "Weight of a small change", 0.0, placeholder="1", help="in squared units of a key")
    drawn.number(
        "warm_up", "Stored facts read first", 0, 10_000, placeholder="100",
        help="their keys and gradients give few facts a mean and a spread; they are not written",
    )  # fmt: skip


def _text(drawn: _Drawn) -> None:
    """What the layers are used to reading."""
    if drawn.reads("source"):
        st.text_input(
            "Text the layers’ habits are measured on", **field(drawn.page, "source"), placeholder=OWN,
            help=f"{OWN}: what the model writes by itself; {SHIPPED}: text that comes with the workbench, nothing is "
            "written; the path of a text file; or hf:owner/name, a dataset",
        )  # fmt: skip
    drawn.number("tokens", "Tokens of it", 1, placeholder="as many as it takes")
    drawn.number("seed", "Seed", 0, 2**32 - 1)
