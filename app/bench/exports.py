"""Each form of an edit from each kind of source, run where there is no Palimpsest; and what the hub's base does to it.

The embedded model comes in all four kinds: as itself, as its GGUF file, as a folder, and as a repository of the hub,
for which a local mirror stands, at a revision that is not `main`. Its weights are rounded; the hub's are not and lie,
block by block, within half a step of ours. So bases are drawn there, and edits made on ours are put on them.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFReader
from torch import Tensor

from analysis import LanguageModel, load
from analysis.errors import BadRequest
from analysis.facts.facts import another_object
from analysis.model.embedded import embedded_folder
from analysis.model.embedded_build import fetch_gguf
from analysis.model.spec import EMBEDDED, ModelSpec
from analysis.study import Report, silent
from app.bench.alone import LOADS, PLAIN_PEFT, Failed, hub_at, logits_alone, mirror, same_base
from app.bench.editing import known
from app.bench.entry import Benchmark, number_flag, word_flag
from app.bench.form import Bench
from app.bench.machine import describe
from app.exports.recipe_files import save_as
from editors.edit.apply import adding, written_over
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Rewrite
from editors.methods.run import write
from editors.scoring.probe_answers import ask

PARTS = ("forms", "rounding")
FACT = Rewrite(prompt="{} is located in the city of", subject="The Eiffel Tower", target="Rome")
MIRRORED, BRANCH = "mirror/SmolLM2-135M-Instruct", "as-edited"
BLOCK, STEPS = 32, 15
"""Weights of a block of Q4_1, and steps from its least to its largest."""
LEVELS = 127
"""Steps of Q8_0 to one side of zero."""


@dataclass(frozen=True)
class ExportOptions:
    """How much to measure."""

    quick: bool = False
    facts: int | None = number_flag("single", "edits put on drawn bases (default: 20; 2 when quick)")
    draws: int | None = number_flag("repeats", "bases drawn (default: 5; 1 when quick)")
    parts: tuple[str, ...] = word_flag("parts", f"{', '.join(PARTS)} (default: all)", PARTS)


def exports(lm: LanguageModel, options: ExportOptions, report: Report = silent) -> Bench:
    """Measure FORM.KIND.ok and .difference, and rounding.*; `BadRequest` for another model than the embedded one."""
    if lm.source != EMBEDDED:
        raise BadRequest("This benchmark takes the embedded model, which comes in every kind. Leave --model out.")
    bench = Bench(describe(lm.device), lm.card())
    parts = options.parts or PARTS
    if "forms" in parts:
        _forms(bench, report)
    if "rounding" in parts:
        facts = options.facts or (2 if options.quick else 20)
        _rounding(bench, lm, facts, options.draws or (1 if options.quick else 5), report)
    return bench


def _forms(bench: Bench, report: Report) -> None:
    with tempfile.TemporaryDirectory() as around:
        work = Path(around)
        home = work / "hf"
        gguf = fetch_gguf(work, silent)
        _ends(bench, gguf)
        folder = embedded_folder()
        mirror(folder, home, MIRRORED, BRANCH)
        specs = {
            "embedded": ModelSpec(),
            "hub": ModelSpec(source=MIRRORED, revision=BRANCH),
            "folder": ModelSpec(source=str(folder)),
            "gguf": ModelSpec(source=str(gguf)),
        }
        for number, (kind, spec) in enumerate(specs.items()):
            report(number, len(specs), f"kinds of source: {kind}")
            with hub_at(home):
                lm = load(spec.model_copy(update={"device": "cpu"}))
            _kind(bench, lm, kind, work / kind, home)


def _kind(bench: Bench, lm: LanguageModel, kind: str, work: Path, home: Path) -> None:
    """Every form of one edit of the model as it came from one kind of source."""
    edit = write(lm, EditRequest(facts=(FACT,)), glance=False)
    ids = [list(lm.encode(FACT.prompt.replace("{}", FACT.subject)).ids)]
    with written_over(lm, [edit]), torch.no_grad():
        wanted = lm.logits(torch.tensor(ids))
        top = torch.softmax(wanted[0, -1], -1).max()
    bench.add(f"edited.{kind}.said", float(top), "P of the answer written")
    loads = LOADS | ({"peft, no program": PLAIN_PEFT} if kind in ("hub", "folder") else {})
    rebuilt: Path | None = None
    for form, code in loads.items():
        taken = work / form.split(",")[0]
        if not taken.exists():
            save_as(edit, form, taken, lm)
        if kind == "embedded" and form in ("peft", "bundle"):
            same_base(taken, rebuilt)
        began = time.perf_counter()
        try:
            alone = logits_alone({form: (code, taken)}, ids, work / f"empty-{form}", home)
            found = torch.from_numpy(alone[form])
            bench.add(f"{form}.{kind}.ok", 1, "it ran, in a fresh process without Palimpsest")
            bench.add(f"{form}.{kind}.difference", float((found - wanted).abs().max()), "largest, of logits")
        except Failed as failed:
            bench.add(f"{form}.{kind}.ok", 0, f"it ended with {failed.code}: {failed.said.strip().splitlines()[-1]}")
        bench.add(f"{form}.{kind}.seconds", time.perf_counter() - began, "s, interpreter and base included")
        rebuilt = taken / "base" if kind == "embedded" and form == "script" else rebuilt


def _ends(bench: Bench, file: Path) -> None:
    """How many blocks use both ends of their scale, which rounding from least to largest always does."""
    both = blocks = 0
    for tensor in GGUFReader(file).tensors:
        if tensor.tensor_type == GGMLQuantizationType.Q4_1:
            packed = np.asarray(tensor.data).reshape(-1, 4 + BLOCK // 2)[:, 4:]
            low, high = packed & 15, packed >> 4
            least, most = np.minimum(low, high).min(1), np.maximum(low, high).max(1)
            both += int(((least == 0) & (most == STEPS)).sum())
            blocks += len(packed)
    bench.add("rounding.blocks_at_both_ends", 100 * both / blocks, "% of blocks", blocks)


def _rounding(bench: Bench, lm: LanguageModel, facts: int, draws: int, report: Report) -> None:
    """Edits of our base put on bases drawn within half a step of it."""
    steps = {name: step_of(name, one) for name, one in lm.parameters.items() if one.dim() == 2}
    squares = sum(float((step.double() ** 2).sum()) * _each(lm, name, step) / 12 for name, step in steps.items())
    whole = sum(float((lm.parameters[name].double() ** 2).sum()) for name in steps)
    bench.add("rounding.expected", 100 * (squares / whole) ** 0.5, "% of ‖W‖, were it even within half a step")
    bench.add("rounding.bound", 100 * (3 * squares / whole) ** 0.5, "% of ‖W‖, half a step everywhere")
    edits = []
    for number, fact in enumerate(known(lm, facts)):
        report(number, facts, "edits on our base")
        edits.append(write(lm, EditRequest(facts=(Rewrite.of(fact, another_object(fact)),)), glance=False))
    _scores(bench, "rounding.own", [_asked(lm, edits)])
    plain = _plain(lm, edits)
    answers, far = [], []
    for seed in range(draws):
        report(seed, draws, "bases drawn")
        with _drawn(lm, steps, seed):
            answers.append(_asked(lm, edits))
            far.append(float((_plain(lm, edits) - plain).abs().max()))
    _scores(bench, "rounding.drawn", answers)
    bench.mean("rounding.drawn.logits", far, "largest difference without an edit, a base")


def step_of(name: str, weight: Tensor) -> Tensor:
    """Step of each block of a matrix that was read from Q4_1, or from Q8_0 where it embeds, (rows, blocks)."""
    blocks = weight.detach().float().unflatten(1, (-1, BLOCK))
    if "embed" in name:
        return blocks.abs().amax(-1) / LEVELS
    return (blocks.amax(-1) - blocks.amin(-1)) / STEPS


def _each(lm: LanguageModel, name: str, step: Tensor) -> float:
    return lm.parameters[name].numel() / step.numel()


@contextmanager
def _drawn(lm: LanguageModel, steps: dict[str, Tensor], seed: int) -> Iterator[None]:
    """The model with weights drawn evenly within half a step of its own; its own are copied back."""
    generator = torch.Generator().manual_seed(seed)
    kept = {name: lm.parameters[name].detach().clone() for name in steps}
    try:
        with torch.no_grad():
            for name, step in steps.items():
                weight = lm.parameters[name].data
                away = torch.rand(weight.shape, generator=generator) - 0.5
                weight += (away.unflatten(1, (-1, BLOCK)) * step.unsqueeze(-1)).flatten(1).to(weight)
        yield
    finally:
        with torch.no_grad():
            for name, weight in kept.items():
                lm.parameters[name].copy_(weight)


def _asked(lm: LanguageModel, edits: list[Edit]) -> list[tuple[str, float, bool]]:
    """Of each prompt of each edit: its kind, P(what is wanted), whether it is likelier than the other answer."""
    found: list[tuple[str, float, bool]] = []
    for edit in edits:
        with adding(lm, edit, edit.changes):
            answers = ask(lm, edit.probes)
        for probe, new, old in zip(edit.probes, answers.new, answers.old, strict=True):
            wanted, other = (new, old) if probe.kind in ("rewrite", "paraphrase") else (old, new)
            found.append((probe.kind, float(wanted), bool(wanted > other)))
    return found


def _scores(bench: Bench, name: str, bases: list[list[tuple[str, float, bool]]]) -> None:
    for kind in ("rewrite", "paraphrase", "neighbour"):
        own = [[(p, likelier) for k, p, likelier in base if k == kind] for base in bases]
        bench.mean(f"{name}.{kind}", [100 * float(np.mean([b for _, b in one])) for one in own], "% wanted likelier")
        bench.mean(f"{name}.{kind}_probability", [float(np.mean([p for p, _ in one])) for one in own], "mean P(wanted)")


@torch.no_grad()
def _plain(lm: LanguageModel, edits: list[Edit]) -> Tensor:
    """Logits of the last token of each edit's prompt, (edits, vocabulary), without the edit."""
    return torch.stack([lm.logits(lm.encode(edit.request.facts[0].text).tensor(), 1)[0, -1] for edit in edits])


BENCH = Benchmark("exports", exports, ExportOptions)
