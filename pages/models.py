"""Which model? What is in memory, what another one would take, and what this one knows."""

import streamlit as st

from analysis import KnownRequest, ModelSpec, WorkbenchError
from analysis.model.capabilities import CAPABILITIES
from app.exports.json_csv import for_sheets
from app.exports.tables import table
from app.jobs.processes.planned import planned
from app.jobs.services import allowed_specs, public, services
from app.registry.studies import STUDIES
from app.session import chat_form, run_flow
from app.session.export_row import take_away
from app.session.fields import adopt, choose_spec, lasting, session_id, spec
from app.shell.margin import logit_difference

PAGE, STUDY = "facts", STUDIES["facts"]

adopt(PAGE)
st.title("Which model?")
st.markdown(":gray[One model is in memory at a time. Its price is told before it is paid.]")


def chosen() -> ModelSpec:
    """The model described in the form; one whose field is empty is refused when it is asked for."""
    if public():
        specs = allowed_specs()
        return st.selectbox("Model", specs, format_func=lambda one: one.source, **lasting("model-allowed"))
    source, revision = st.columns([4, 2])
    text = source.text_input(
        "Model",
        **lasting("model-source"),
        placeholder="embedded, owner/name, ./folder or file.gguf",
        value=spec().source,
    )
    kept = revision.text_input("Revision", **lasting("model-revision"), placeholder="latest", value=spec().revision)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        device = st.text_input("Device", value=spec().device, **lasting("model-device"), width=150)
        dtype = st.segmented_control(
            "Precision",
            ["float32", "bfloat16", "float16"],
            default=spec().dtype,
            required=True,
            **lasting("model-dtype"),
        )
        spread = st.toggle("Spread over all GPUs", value=spec().device_map is not None, **lasting("model-map"))
    return ModelSpec(
        source=(text or "").strip(),
        revision=(kept or "").strip() or None,
        device=device or "auto",
        dtype=dtype,
        device_map="auto" if spread else None,
    )


with st.container(border=True, key="model-form"):
    wanted = chosen()
    with st.container(horizontal=True):
        asked = st.button("What would it take?", icon=":material/scale:", key="model-plan")
        load = st.button("Load it", type="primary", icon=":material/download:", key="model-load")
    if asked or load:
        try:
            with st.spinner("Reading the config"):
                priced = planned(wanted)
            if not priced.fits:
                st.error(f"{run_flow.escape(priced.sentence())} It does not fit.", icon=":material/gpp_bad:")
            elif load:
                choose_spec(wanted)
                services().worker.submit(None, None, wanted, session_id())
                st.rerun()
            else:
                st.markdown(f":green[:material/check:] {run_flow.escape(priced.sentence())} It fits.")
        except WorkbenchError as error:
            run_flow.refusal(error)

if card := services().models.cards.get(spec()):
    st.header("In memory")
    st.table(
        {
            "": [
                "Name",
                "Architecture",
                "Shape",
                "Parameters",
                "Precision and device",
                "Largest logit difference",
                "Weights",
            ],
            "Value": [
                card["name"],
                card["architecture"],
                f"{card['layers']} layers, {card['heads']} heads, width {card['d_model']}",
                f"{card['parameters'] / 1e6:,.1f} million",
                f"{card['dtype']} on {card['device']}",
                f"{logit_difference(card)} from Hugging Face’s",
                card["weights_hash"][:16],
            ],
        },
        hide_index=True,
        hide_header=True,
        alt="The model in memory: name, architecture, shape, precision, largest logit difference, weights hash.",
    )

    st.table(
        {
            "": [CAPABILITIES[name] for name in card["capabilities"]],
            "Tried on itself": [found.sentence() for found in card["capabilities"].values()],
        },
        hide_index=True,
        hide_header=True,
        alt="What the model can do, each exact or refused with the reason.",
    )

st.header("Which facts does it know?")
st.markdown(":gray[Each stored fact is asked once; known means that the right word comes first.]")
chat_form.draw(PAGE)
request = KnownRequest(chat=chat_form.value(PAGE))
if st.button("Ask them all", icon=":material/quiz:", key="facts-go"):
    run_flow.start(PAGE, STUDY, request)


def outcome() -> None:
    """Progress and table."""
    result = run_flow.follow(PAGE, STUDY, request, "facts")
    if result is None or (run_flow.job_of(PAGE) is not None and not run_flow.job_of(PAGE).over):
        return
    known = int(result.correct.sum())
    st.markdown(
        f"**{known} of {len(result.ids)}** facts are known, {len(result.known(0.3))} of them with more than 30 %."
        " :gray[The wordings were chosen with the embedded model in mind, so this is no measure of what models know.]"
    )
    st.dataframe(for_sheets(table(result)), hide_index=True, key="facts-table")
    take_away(result)


run_flow.watch(PAGE, outcome)
