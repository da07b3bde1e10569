"""What a person takes away of an edit: the export panel of the edit page."""

import streamlit as st

from analysis.errors import BadRequest
from app.components import copy_button
from app.exports.checkpoint_job import CHECKPOINT, CheckpointRequest, place_of, size_of
from app.exports.downloads import offer, served
from app.exports.edit_notebook import edit_notebook
from app.exports.recipe_files import zipped
from app.jobs.services import public
from app.session import run_flow
from app.session.run_flow import escape
from editors.edit.edit import Edit
from editors.recipes.peft_lora import inexact, refuse_unless_lora
from editors.recipes.recipe import recipe_of, short_id
from editors.recipes.truncation import ENGINE_DEFAULT, ENGINE_RANKS, rank_of, truncated

PAGE = "checkpoint"
FORM_WORDS = {
    "bundle": "Recipe",
    "peft": "LoRA adapter",
    "hf": "Full model",
    "script": "Python script",
    "notebook": "Notebook",
}
WHAT_FOR = {
    "bundle": "Anyone with the same model can open it here, or apply it with `palimpsest apply recipe.json`.",
    "peft": "An adapter for `PeftModel.from_pretrained(model, folder)`, with a program that loads the model, checks "
    "that it is the same, and goes on from a prompt.",
    "hf": "A copy of the whole model with the change in it, for `AutoModelForCausalLM.from_pretrained(folder)`.",
    "script": "A program that loads the model, checks that it is the same, adds the change and goes on from a prompt. "
    "It needs transformers and safetensors only.",
    "notebook": "Finds the same edit again, step by step, and shows what the model says before and after.",
}


def forms_of(edit: Edit) -> list[str]:
    """The forms an edit can take here: alone it is of use in all, on top of others only as a recipe."""
    if edit.built_on:
        return ["bundle"]
    absent = {"hf": public(), "notebook": bool(edit.parts)}  # what was solved from others is not found step by step
    return [form for form in FORM_WORDS if not absent.get(form)]


def take_away(edit: Edit) -> None:
    """The export panel."""
    run_flow.settle(PAGE)
    with st.container(border=True, key="edit-take"):
        st.markdown("### Take it away")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            form = st.segmented_control(
                "As",
                forms_of(edit),
                format_func=FORM_WORDS.__getitem__,
                default="bundle",
                required=True,
                key="edit-form-of",
                wrap=True,
            )
            author = st.text_input(
                "Author", edit.author, max_chars=80, placeholder="nobody", key=f"edit-author-{edit.id}", width=180
            )
            signed = edit.by(author.strip())
            rank = _rank(signed) if form == "peft" else None
            try:
                if form == "peft":
                    refuse_unless_lora(signed)
                _button(signed, form or "bundle", rank)
            except BadRequest as refused:
                run_flow.refusal(refused)
        st.markdown(_note(signed, form or "bundle"))
        if form == "peft":
            _inexact(signed, rank)
        if form == "hf":
            _built(signed)


def _rank(edit: Edit) -> int | None:
    """The rank to cut an adapter to, where its own is more than engines take unasked; None for its own."""
    own = rank_of(edit)
    if own <= ENGINE_DEFAULT:
        return None
    ranks = [own, *reversed([rank for rank in ENGINE_RANKS if rank < own])]
    chosen = st.selectbox(
        "Rank", ranks, format_func=lambda rank: f"{rank}, all of it" if rank == own else str(rank), key="edit-rank",
        help="Engines that serve adapters take ranks up to a limit; a lower one leaves part of the change out.",
        width=140,
    )  # fmt: skip
    return chosen if chosen in ranks[1:] else None


def _inexact(edit: Edit, rank: int | None) -> None:
    """What the adapter is not, and what engines ask for."""
    lost = truncated(edit, rank)[1] if rank is not None else None
    for note in inexact(edit, lost):
        st.markdown(f":orange[:material/info:] :small[{run_flow.escape(note)}]")


def _button(edit: Edit, form: str, rank: int | None) -> None:
    name = f"palimpsest-{short_id(edit)}"
    if form == "hf":
        place = place_of(edit)
        if place.exists() and served():
            st.link_button("Download", offer(place, f"{name}-model"), icon=":material/download:", type="primary")
            return
        st.button(
            "Build it",
            icon=":material/deployed_code:",
            type="primary",
            key="edit-build",
            disabled=place.exists(),
            on_click=_build,
            args=(edit,),
        )
        return
    st.download_button(
        "Download",
        (lambda: edit_notebook(edit)) if form == "notebook" else (lambda: zipped(edit, form, rank=rank)),
        f"{name}.ipynb" if form == "notebook" else f"{name}-{form}.zip",
        "application/x-ipynb+json" if form == "notebook" else "application/zip",
        icon=":material/download:",
        type="primary",
        on_click="ignore",
        key="edit-download",
    )


def _build(edit: Edit) -> None:
    run_flow.start(PAGE, CHECKPOINT, CheckpointRequest(edit=edit.whole_id), (edit,))


def _note(edit: Edit, form: str) -> str:
    recipe, payload = recipe_of(edit)
    size = f"{size_of(edit.model) / 1e6:,.0f} MB" if form == "hf" else f"{len(payload) / 1e3:,.0f} kB of numbers"
    alone = " It was found on top of other edits, which only a recipe can say." if edit.built_on else ""
    return f":gray[:small[Recipe `{recipe['id'][:12]}`, {size}. {WHAT_FOR[form]}{alone}]]"


def _built(edit: Edit) -> None:
    """How far the model is, and where it lies once it is built, for one who sits at this machine."""
    run_flow.progress(PAGE, None)
    run_flow.ended(PAGE)
    if (place := place_of(edit)).exists():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":green[:material/check:] It is built, on the workbench’s machine in **{escape(str(place))}**.",
                width="content",
            )
            copy_button("Copy its place", str(place), key="edit-place", icon="content_copy")
