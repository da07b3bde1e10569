"""What of the edit page's form stands behind “More settings”."""

import streamlit as st

from analysis.moments.request import OWN, SHIPPED
from app.jobs.services import services
from app.session.boundary_field import boundary_field
from app.session.fields import field, spec
from editors.registry.methods import users_of

KEY_WORDS = {"r_rome": "r-ROME", "p_rome": "p-ROME", "rome": "ROME as published"}
"""ROME's keys, as the form says them."""
FOUND_ON = {"base": "the model as it was trained", "stacked": "the edits that are on"}
"""What new values are sought on, as the form says it."""
TAUGHT = {
    "lti_subject": "Weight of the state at the subject; 0.0425 is a beginning",
    "lti_output": "Weight of how likely it makes the answer; 0.0725",
    "answer_weight": "Weight of the answer itself; 0.35 beside these two",
}
"""The weights of a search with a teacher, as the form says them; the beginnings are those of the paper's LLaMA-2."""


def draw(page: str) -> None:
    """The fields."""
    card = services().card(spec())
    deepest = f"0 to {card['layers'] - 1}" if card else "all"
    st.text_input("Layers to write to", **field(page, "layers"), placeholder="the method’s own", help=f"{deepest}; 4-8")
    st.segmented_control(
        f"Key of {users_of('key_mode')}",
        list(KEY_WORDS),
        format_func=KEY_WORDS.__getitem__,
        **field(page, "key_mode"),
        required=True,
    )
    st.segmented_control(
        f"Found on top of ({users_of('targets')})", list(FOUND_ON), format_func=FOUND_ON.__getitem__,
        **field(page, "targets"), required=True,
    )  # fmt: skip
    st.number_input("Texts put before the prompt", 0, 50, **field(page, "contexts"))
    st.number_input("Steps of the search", 1, 500, **field(page, "steps"), placeholder="25")
    st.number_input("Rate of the search", 0.0, format="%.3f", **field(page, "rate"), placeholder="0.5")
    st.number_input("Longest change, in lengths of the old value", 0.0, **field(page, "clamp"), placeholder="method’s")
    st.number_input(
        f"Furthest a weight may move ({users_of('norm')})", 0.0, format="%.5f", step=0.001, **field(page, "norm"),
        placeholder="0.0005", help="with a rate of the same size",
    )  # fmt: skip
    st.number_input(
        f"The same in root mean squares of the weights ({users_of('norm_relative')})", 0.0, format="%.3f", step=0.01,
        **field(page, "norm_relative"), placeholder="not said", help="in place of the one above; 0.05 is a beginning",
    )  # fmt: skip
    st.number_input(
        f"Tokens of the answer to a value ({users_of('window')})", 1, 500, **field(page, "window"),
        help="a long answer is written in windows of so many tokens; small models hold few, large ones 40",
    )  # fmt: skip
    st.number_input("Weight of keeping the rest (KL)", 0.0, format="%.4f", **field(page, "kl"))
    st.number_input(
        "Steps after every prompt says it", 0, **field(page, "stop_after"), placeholder="to the end",
        help="the search ends so many steps after the new answer is said everywhere; fewer leave more of the rest",
    )  # fmt: skip
    with st.container(border=True):
        st.markdown("Learn from the model that is told the fact :gray[(LTI)]")
        for name, label in TAUGHT.items():
            st.number_input(label, 0.0, format="%.4f", **field(page, name))
    st.checkbox(
        "Length of new values without edits", **field(page, "norm_anchor"),
        help="keeps values from growing edit by edit; measured once on a few stored facts, which takes a minute",
    )  # fmt: skip
    st.number_input("Weight of holding attention back (SADR)", 0.0, format="%.3f", **field(page, "sadr"))
    st.text_input(
        "Text the layers’ habits are measured on", **field(page, "source"), placeholder=OWN,
        help=f"{OWN}: what the model writes by itself; {SHIPPED}: text that comes with the workbench, nothing is "
        "written; the path of a text file; or hf:owner/name, a dataset",
    )  # fmt: skip
    st.number_input("Tokens of it", 1, **field(page, "tokens"), placeholder="as many as it takes")
    st.number_input("Seed", 0, 2**32 - 1, **field(page, "seed"))
    boundary_field(page)
