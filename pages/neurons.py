"""Which neurons say it? A prompt or a chain of two facts: hop by hop, then neuron by neuron."""

import streamlit as st

from analysis import HopsRequest, NeuronsRequest
from analysis.facts.chains import Chain, read_chains
from analysis.facts.chains import chain as chain_named
from app.registry.studies import STUDIES
from app.session import chat_form, edit_stack, page, run_flow
from app.session.boundary_field import boundary_field
from app.session.fields import adopt, field, seed, slot, take_fill
from app.session.permalinks import validated
from app.session.prompt_field import prompt_field
from app.studies.hops import view as hops_view
from app.studies.neurons import view as neurons_view
from app.studies.neurons.gallery import COLOSSEUM
from app.studies.reach import view as reach_view

PAGE, STUDY, HOPS = "neurons", STUDIES["neurons"], STUDIES["hops"]
HOPS_NOW, HOPS_BEFORE = "neurons-hops", "neurons-hops-before"
MODES = {"screened": "The top, proven", "exact": "Every neuron"}
FORMS = {"share": "Share (published code)", "dot": "Product (papers)"}

adopt(PAGE)
NAMES = ("prompt", "answer", "mode", "form", "top", "draws", "seed", "second_opinion", "boundary", "chat")
seed(PAGE, {name: getattr(COLOSSEUM, name) for name in NAMES}, NeuronsRequest)
if (wish := take_fill("hops")) and wish["chains"]:
    st.session_state[f"{PAGE}.picked"] = chain_named(wish["chains"][0]).whole()
if wish := take_fill("reach"):
    st.session_state[f"{PAGE}.picked"] = wish["cases"][0]["questions"][0]
    reach_view.fill(wish)
if picked := st.session_state.pop(f"{PAGE}.picked", None):
    st.session_state[slot(PAGE, "prompt")] = picked
st.title("Which neurons say it?")
st.markdown(
    ":gray[Neurons that write the answer, and those further down that switch them on. For a chain of two facts also: "
    "does the model know each hop, and where is the middle?]"
)


def pick() -> None:
    """Put the chosen chain's question into the form."""
    chosen = st.session_state["neurons-chain"]
    if chosen is not None:
        st.session_state[f"{PAGE}.picked"] = chosen.whole()


with st.container(border=True, key="neurons-form"):
    prompt_field(st, PAGE, "Prompt", placeholder="A sentence that ends just before its answer")
    answer, button = st.columns([6, 2.8], vertical_alignment="bottom")
    answer.text_input("Answer", **field(PAGE, "answer"), placeholder="the model’s own")
    pressed = run_flow.go(
        button,
        PAGE,
        STUDY,
        "Find",
        type="primary",
        icon=":material/hub:",
        width="stretch",
        shortcut="Mod+Enter",
        key="neurons-go",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Score", list(MODES), format_func=MODES.__getitem__, **field(PAGE, "mode"), required=True, wrap=True
        )
        chat_form.draw(PAGE)
        with st.popover("Pick a chain", icon=":material/link:"):
            st.selectbox(
                "A chain of two stored facts",
                read_chains(),
                index=None,
                format_func=lambda one: f"{one.subject} → {one.bridge} → {one.answer}",
                key="neurons-chain",
                placeholder="Type to search",
                on_change=pick,
            )
        with st.popover("More settings", icon=":material/tune:"):
            st.segmented_control(
                "Query score", list(FORMS), format_func=FORMS.__getitem__, **field(PAGE, "form"), required=True
            )
            st.toggle(
                "Second opinion: integrated gradients (knowledge neurons), and what each word adds",
                **field(PAGE, "second_opinion"),
            )
            boundary_field(PAGE)
            st.number_input("Value neurons whose queries are looked for", 1, 300, **field(PAGE, "top"))
            st.number_input("Random draws to compare with", 0, 50, **field(PAGE, "draws"))
            st.number_input("Seed of the draws", 0, 2**32 - 1, **field(PAGE, "seed"))


def chain_of(text: str) -> Chain | None:
    """The stored chain a prompt is the whole of."""
    return next((one for one in read_chains() if one.whole() == text), None)


def form() -> NeuronsRequest:
    """The fields as they stand."""
    fields = {name: st.session_state[slot(PAGE, name)] for name in NAMES}
    return validated(NeuronsRequest, {**fields, "answer": fields["answer"] or None})


request = page.asked(PAGE, STUDY, form, pressed)
chain = chain_of(request.prompt) if request is not None else None
asked = None
if chain is not None and request is not None:
    asked = HopsRequest(chains=(chain.id,), knock_out=True, back_patch=True, **request.framing())
if pressed and asked is not None:
    run_flow.start(HOPS_NOW, HOPS, asked)
    if edit_stack.on():
        run_flow.start(HOPS_BEFORE, HOPS, asked, ())


def outcome() -> None:
    """Progress, the chain, the neurons."""
    found = run_flow.follow(HOPS_NOW, HOPS, asked, "steps")
    before = run_flow.follow(HOPS_BEFORE, HOPS, asked, "steps", edits=()) if edit_stack.on() else None
    if found is not None:
        hops_view.show(found, before)
    waits = "" if found is not None else "Nothing found yet. Press **Find**."
    page.outcome(PAGE, STUDY, request, None, neurons_view.show, waits)


run_flow.watch(PAGE, outcome, also=(HOPS_NOW, HOPS_BEFORE))
hops_shown = "reach.opened" in st.session_state or run_flow.result_for(HOPS_NOW, HOPS, asked) is not None
if chain is not None and request is not None and hops_shown:
    reach_view.draw(chain, request.framing())  # beside the rest, which need not be drawn again while this goes on
