"""What every study does on every family: exact against the plain way, or refused with the reason. Never anything else.

Tiny random models of all causal families of transformers (`app.bench.models.tiny_families`), one after another. Each
study is run by the functions that pages and commands run and held against its plain reference (`app.bench.plain`), or
against the Hugging Face model with the weights written in.
"""

import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from analysis import LensRequest, NeuronsRequest, TraceRequest, WorkbenchError, logit_lens, neurons, trace
from analysis.forward.blocks import Frame, first_hidden, record
from analysis.forward.generation import together
from analysis.internals.attention_patterns import Edges, knocked_out
from analysis.internals.head_outputs import endings
from analysis.internals.key_value_memory import attention_matrix, output_matrix
from analysis.knowledge_conflict.knockout_run import cut_edges
from analysis.model.language_model import LanguageModel
from analysis.patching.head_ablation import said_without
from analysis.patching.path_patching import patched_heads
from analysis.study import Report, silent
from analysis.text.tokens import answer_token
from analysis.tracing.result import KINDS
from app.bench.entry import Benchmark, word_flag
from app.bench.form import Bench
from app.bench.machine import describe
from app.bench.models.tiny_families import FAMILIES, HEADS, LAYERS, tiny_model, tokenizer
from app.bench.plain.drift import plain_cell
from app.bench.plain.path_patching import PlainPaths
from app.bench.plain.target import plain_search
from app.bench.plain.tracing import PlainTrace
from editors.attention_drift.result import DriftRequest
from editors.attention_drift.run import drift
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Rewrite
from editors.edit.weight_overlay import Overlay
from editors.methods.defaults import settled
from editors.methods.run import write
from editors.methods.search.target_search import Site, search
from editors.methods.search.token_rows import contexts, rows_of
from editors.recipes.checkpoint import save_checkpoint
from editors.registry.methods import MethodName

VOCABULARY = 64
PROMPT, SUBJECT = "near the tower of Aldra mother stands in", "tower of Aldra"
FACT = Rewrite(
    prompt="the old {} stands in a", subject="tower of Aldra", target="river", two_hop="the mother of Brin speaks"
)
DRIFTED = "the old tower of Aldra stands in a river mother near Brin Corvo"
TEXTS = (PROMPT, DRIFTED, "city wrote plays died on s speaks his her day light", FACT.two_hop or "")
SMALL: dict[str, Any] = {"contexts": 1, "context_tokens": 3, "tokens": 96, "steps": 3, "clamp": 4.0, "kl": 0.5}
EXACT, SEARCHED = 1e-3, 2e-2
"""Largest difference of logits and probabilities that is rounding; Adam divides small gradients and magnifies it."""


@dataclass(frozen=True)
class Options:
    """Which families, all when empty; `quick`: one in eight."""

    quick: bool = False
    families: tuple[str, ...] = word_flag(
        "families", "those to try, by ; (default: all; one in eight when quick)", FAMILIES, apart=";"
    )


@dataclass
class Tried:
    """What became of one family."""

    family: str
    kind: str
    architecture: str = ""
    outcomes: dict[str, str] = field(default_factory=dict)  # by study: exact and the difference, or refused and why
    capabilities: dict[str, str] = field(default_factory=dict)
    defects: list[str] = field(default_factory=list)


class Inexact(Exception):
    """A number that differs from the plain way by more than rounding."""


def same(one: Any, other: Any, within: float = EXACT) -> float:
    """Largest difference; `Inexact` where it is more than rounding."""
    one, other = (part.detach().numpy() if isinstance(part, Tensor) else part for part in (one, other))
    one, other = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    apart = float(np.abs(one - other).max())
    if not apart <= within * (1 + float(np.abs(other).max())):
        raise Inexact(f"differs by {apart:.2g}")
    return apart


def _trace(lm: LanguageModel) -> float:
    request = TraceRequest(prompt=PROMPT, subject=SUBJECT, kinds=KINDS, samples=2, sigma=0.2, window=2)
    found = trace(lm, request)
    plain = PlainTrace(lm, request, found.answer_id)
    places = [(0, 3), (LAYERS - 1, 7)]
    return max(
        same(found.grids[kind].probability[:, layer, token], plain.cell(kind, layer, token))
        for kind in KINDS
        for layer, token in places
    )


def _lens(lm: LanguageModel) -> float:
    found = logit_lens(lm, LensRequest(prompt=PROMPT))
    tokens = lm.encode(PROMPT)
    with torch.no_grad():
        said = lm.logits(tokens.tensor())[0].softmax(-1)
    own = answer_token(lm.tokenizer, tokens, found.answer)
    return same(found.lens.answer_probability[-1], said[:, own])


def _neurons(lm: LanguageModel) -> float:
    found = neurons(lm, NeuronsRequest(prompt=PROMPT, top=3, counts=(1, 4), draws=1, mode="exact"))
    telescoped = same(found.attn_layer.sum() + found.mlp_layer.sum(), found.end - found.start)
    ids, worst = lm.encode(PROMPT).tensor(), telescoped
    for card in (one for one in found.value if one.part == "mlp"):
        matrix = output_matrix(lm, card.layer)
        with Overlay(lm) as overlay, torch.no_grad():
            overlay.scale(matrix, torch.tensor([card.index]), 0.0)
            plain = lm.logits(ids)[0, -1].softmax(-1)[found.answer_id]
        worst = max(worst, same(card.zeroed, plain))
    return worst


def _heads(lm: LanguageModel) -> float:
    lm.require(("heads",))
    prompts = [lm.encode(PROMPT), lm.encode("near the old of Brin mother stands in")]
    clean, corrupted = endings(lm, prompts[:1]), endings(lm, prompts[1:]).z
    answers = torch.tensor([[5, 6]])
    fast = patched_heads(lm, clean, corrupted, answers)
    plain = PlainPaths(lm, prompts[0])
    return max(
        same(fast.logit[0, layer, head], plain.sender(layer, head, corrupted[layer, 0, head])[answers[0]])
        for layer, head in ((0, 0), (1, HEADS - 1), (LAYERS - 1, 1))
    )


def _silenced(lm: LanguageModel) -> float:
    lm.require(("heads",))
    prompt, choice = lm.encode(PROMPT), ((0, 1), (2, 3))
    found = said_without(lm, [prompt], torch.tensor([[5, 6]]), [choice]).probability[0, 0]
    with Overlay(lm) as overlay, torch.no_grad():
        for layer, head in choice:
            matrix = attention_matrix(lm, layer)
            size = matrix.weight.shape[1] // lm.n_heads
            overlay.scale(matrix, torch.arange(head * size, (head + 1) * size), 0.0)
        plain = lm.logits(prompt.tensor())[0, -1].softmax(-1)[[5, 6]]
    return same(found, plain)


def _knockout(lm: LanguageModel) -> float:
    lm.require(("patterns",))
    ids, keys = lm.encode(PROMPT).tensor(), [2, 3, 4]
    frame = Frame.of(lm, ids)
    run = record(frame, first_hidden(lm, ids))
    fast = cut_edges(lm, run, frame, [keys], 1)[0]
    with knocked_out(lm, Edges(queries=(frame.length - 1,), keys=tuple(keys)), range(1, 2)), torch.no_grad():
        plain = record(frame, first_hidden(lm, ids)).last[0]
    return same(fast[1], plain)


def _written(lm: LanguageModel, method: MethodName, **more: Any) -> Edit:
    layers = {"rome": (1,), "emmet": (1,), "ft": (1,), "ace": (1,), "ifmet": (1,)}.get(method, (0, 1))
    if method == "ace":
        more |= {"shallow": (0,)}
    if method == "ifmet":
        more |= {"shallow": (0,)}
    request = EditRequest(facts=(FACT,), method=method, layers=layers, **{**SMALL, **more})
    return write(lm, request, glance=False, probe=method == "ft")


def _edit(method: MethodName, **more: Any) -> Callable[[LanguageModel], float]:
    def study(lm: LanguageModel) -> float:
        """The edited model against the plain one with Δ added to its weights; the search against the whole model's."""
        edit = _written(lm, method, **more)
        worst = _as_plain(lm, edit)
        return max(worst, _search(lm, edit))

    return study


def _as_plain(lm: LanguageModel, edit: Edit) -> float:
    ids = lm.encode(DRIFTED).tensor()
    with written_over(lm, [edit]), torch.no_grad():
        edited = lm.logits(ids)
    plain: Any = tiny_model(lm.name, VOCABULARY)
    weights = dict(plain.named_parameters())
    for change in edit.changes:
        delta = torch.from_numpy(change.left) @ torch.from_numpy(change.right)
        weights[change.name].data += delta.T if change.transposed else delta
    with torch.no_grad():
        return same(edited, plain(input_ids=ids, use_cache=False).logits.float())


def _search(lm: LanguageModel, edit: Edit) -> float:
    sites: dict[str, tuple[Site, ...]] = {"rome": ("value",), "memit": ("hidden",), "pmet": ("attn", "value")}
    if edit.request.method not in sites:
        return 0.0
    request = settled(lm, edit.request)
    rows = rows_of(lm, request.facts, contexts(lm, request))
    own, layer = sites[request.method], (request.layers or (0,))[-1]
    fast, plain = search(lm, rows, layer, own, request), plain_search(lm, rows, layer, own, request)
    return max(same((plain[site] - fast.change[site][0]).norm() / plain[site].norm(), 0.0, SEARCHED) for site in own)


def _drift(lm: LanguageModel) -> float:
    edit = _written(lm, "ft", norm=0.05, rate=0.05)
    request = DriftRequest(prompt=DRIFTED, subject=SUBJECT, answer="city", edited="river", window=2, patch_window=2)
    found = drift(lm, request, stack=[edit])
    places: dict[str, tuple[Any, ...]] = {"heads": (2, 1), "layers": (2,), "mlp": (1, 4), "attn": (2, 12)}
    return max(
        same(found.grids[kind][(slice(None), *place)], plain_cell(lm, request, [edit], kind, place, found))
        for kind, place in places.items()
    )


def _generate(lm: LanguageModel) -> float:
    lm.require(("generation",))
    prompts = [list(lm.encode(text).ids) for text in (PROMPT, "the old tower", DRIFTED)]
    found = together(lm, prompts, [5] * len(prompts))
    for prompt, said in zip(prompts, found, strict=True):
        ids = list(prompt)
        for token in said:
            with torch.no_grad():
                logits = lm.logits(torch.tensor([ids]), 1)[0, -1]
            same(logits[token], logits.max())
            ids.append(token)
    return 0.0


def _checkpoint(lm: LanguageModel) -> float:
    edit = _written(lm, "ft", norm=0.05, rate=0.05)
    ids = lm.encode(DRIFTED).tensor()
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(lm, edit, Path(folder))
        fresh = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    with written_over(lm, [edit]), torch.no_grad():
        return same(fresh(input_ids=ids, use_cache=False).logits.float(), lm.logits(ids))


STUDIES: dict[str, Callable[[LanguageModel], float]] = {
    "trace": _trace,
    "lens": _lens,
    "neurons": _neurons,
    "heads": _heads,
    "silence": _silenced,
    "knockout": _knockout,
    "rome": _edit("rome"),
    "rome+sadr": _edit("rome", sadr=0.5),
    "memit": _edit("memit"),
    "emmet": _edit("emmet"),
    "alphaedit": _edit("alphaedit"),
    "pmet": _edit("pmet"),
    "ace": _edit("ace"),
    "ifmet": _edit("ifmet"),
    "ft": _edit("ft", norm=0.05, rate=0.05),
    "drift": _drift,
    "generate": _generate,
    "checkpoint": _checkpoint,
}
"""By name; what each is held against stands in its function."""


def families(_: LanguageModel | None, options: Options, report: Report = silent) -> Bench:
    """Run every study on every family."""
    bench = Bench(describe(torch.device("cpu")), {"name": "tiny random models of every causal family"})
    names = options.families or (list(FAMILIES)[::8] if options.quick else tuple(FAMILIES))
    tried: list[Tried] = []
    left_out: dict[str, str] = {}
    for number, family in enumerate(names):
        report(number, len(names), family)
        try:
            model = tiny_model(family, VOCABULARY)
        except Exception as error:  # the family's own code, outside this project
            left_out[family] = f"no tiny form: {type(error).__name__}"
            continue
        if model is None:
            left_out[family] = "no tiny form: it stays large"
            continue
        tried.append(try_family(family, model))
    outcomes = [outcome for one in tried for outcome in one.outcomes.values()]
    bench.add("families tried", len(tried), "families")
    bench.add("families read", sum(one.outcomes["load"].startswith("exact") for one in tried), "families")
    bench.add("outcomes exact", sum(outcome.startswith("exact") for outcome in outcomes), "outcomes", len(outcomes))
    bench.add("outcomes refused", sum(outcome.startswith("refused") for outcome in outcomes), "outcomes", len(outcomes))
    bench.add("defects", sum(len(one.defects) for one in tried), "outcomes", len(outcomes))
    bench.tables = {"families": [vars(one) for one in tried], "left out": [left_out]}
    return bench


def try_family(family: str, model: Any, studies: dict[str, Callable[[LanguageModel], float]] | None = None) -> Tried:
    """Load one family's model and run the studies on it."""
    found = Tried(family, FAMILIES[family][0], type(model).__name__)

    def outcome(name: str, run: Callable[[], float]) -> None:
        try:
            found.outcomes[name] = f"exact: {run():.1e}"
        except WorkbenchError as error:
            found.outcomes[name] = f"refused: {error}"
        except Exception as error:  # what must not be: the table says so
            found.outcomes[name] = f"defect: {type(error).__name__}: {error}"
            found.defects.append(f"{name}: {traceback.format_exc(limit=-4)}")

    made: list[LanguageModel] = []

    def loaded() -> float:
        made.append(LanguageModel(model, tokenizer(TEXTS, VOCABULARY), name=family))
        return made[0].check.largest

    outcome("load", loaded)
    for lm in made:
        found.capabilities = {name: one.sentence() for name, one in lm.capabilities.items()}
        for name, run in (STUDIES if studies is None else studies).items():
            outcome(name, lambda run=run, lm=lm: run(lm))  # type: ignore[misc]
    return found


BENCH = Benchmark("families", families, Options, alone=True)
