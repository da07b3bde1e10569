"""How fast and how exact path patching is, who wins with heads silenced, and where found heads work.

The plain reference runs the model once a head with every head's output written in
(app/bench/plain/path_patching.py). Fast and plain runs take turns. Shares of answers stand beside the
95th percentile of random heads from the same layers.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from analysis import ConflictRequest, LanguageModel, TransferRequest, conflict, transfer
from analysis.errors import PromptTooLong
from analysis.internals.head_names import parse_head
from analysis.internals.head_outputs import endings
from analysis.knowledge_conflict.result import SIDES, ConflictResult
from analysis.knowledge_conflict.tokenised import Item, Source, answer_ids, twin
from analysis.patching.head_ablation import Choice, said_without
from analysis.patching.path_patching import patched_heads
from analysis.study import Report, silent
from analysis.text.tokens import answer_token
from app.bench.entry import Benchmark, number_flag, word_flag
from app.bench.form import Bench
from app.bench.machine import describe, forget_peak_memory, peak_memory_mb, wait
from app.bench.plain.path_patching import PlainPaths
from app.studies.conflict.table import outcome_row

OPEN_BOOK = Path(__file__).resolve().parents[2] / "assets" / "conflict" / "open_book.json"
PRUNED = {"memory": "prune_memory", "context": "prune_context"}


PARTS = ("patching", "answers", "transfer")


@dataclass(frozen=True)
class ConflictOptions:
    """How much to measure."""

    quick: bool = False
    prompts: int | None = number_flag("prompts", "prompts patched both ways (default: 20; 1 when quick)")
    heads: int | None = number_flag("cells", "heads of a prompt patched the plain way (default: all; 12 when quick)")
    parts: tuple[str, ...] = word_flag("parts", f"{', '.join(PARTS)} (default: all; no transfer when quick)", PARTS)


def bench_conflict(lm: LanguageModel, options: ConflictOptions, report: Report = silent) -> Bench:
    """Measure path patching, silenced heads and their transfer on a model."""
    bench = Bench(describe(lm.device), lm.card())
    few = options.quick
    parts = options.parts or (PARTS[:2] if few else PARTS)
    if "patching" in parts:
        _patching(bench, lm, options, report)
    whole = ConflictRequest(relations=CLOSE, find=32, validation=12, test=32)
    request = ConflictRequest(find=3, validation=2, test=3, ks=(1, 3), draws=3) if few else whole
    if "answers" in parts:
        result = conflict(lm, request, report)
        _winners(bench, result)
        _open_book(bench, lm, result, report)
    if "transfer" in parts:
        _transfer(bench, lm, report)
    return bench


CLOSE = ("capital", "language", "continent", "city_country")


def items_of(lm: LanguageModel, count: int) -> list[Item]:
    """Known conflicts of a few relations."""
    source = Source(lm, CLOSE, "sentence", 0.15, 1, ConflictRequest().wording)
    return source.take(count, set())


def _patching(bench: Bench, lm: LanguageModel, options: ConflictOptions, report: Report) -> None:
    items = items_of(lm, options.prompts or (1 if options.quick else 20))
    twins = [twin(lm, item, "both", 1)[1] for item in items]
    ids = answer_ids(items)
    every = [(layer, head) for layer in range(lm.n_layers) for head in range(lm.n_heads)]
    order = np.random.default_rng(0).permutation(len(every))
    count = min(options.heads or (12 if options.quick else len(every)), len(every))

    def fast() -> tuple[Any, torch.Tensor]:
        clean, corrupted = endings(lm, [item.tokens for item in items]), endings(lm, twins).z
        return patched_heads(lm, clean, corrupted, ids), corrupted

    fast()  # once to warm up
    forget_peak_memory(lm.device)
    fast_seconds = [_timed(lm, fast)[0] for _ in range(1 if options.quick else 2)]
    bench.add("peak_memory_mb", peak_memory_mb(), "MB")
    plain_seconds, difference, logit_difference = [], 0.0, 0.0
    patched, corrupted = fast()
    for row, item in enumerate(items):
        report(row, len(items), "one forward per head")
        chosen = [every[order[(row * count + i) % len(every)]] for i in range(count)]  # other heads on every prompt
        plain = PlainPaths(lm, item.tokens)
        began = time.perf_counter()
        logits = [plain.sender(layer, head, corrupted[layer, row, head].to(lm.device)) for layer, head in chosen]
        wait(lm.device)
        plain_seconds.append((time.perf_counter() - began) * len(every) / count)
        for (layer, head), exact in zip(chosen, logits, strict=True):
            own = patched.log_probability[row, layer, head].exp()
            difference = max(difference, float((exact.softmax(-1)[ids[row]].cpu() - own).abs().max()))
            off = (exact[ids[row]].cpu() - patched.logit[row, layer, head]).abs().max()
            logit_difference = max(logit_difference, float(off))
    fast_seconds.append(_timed(lm, fast)[0])
    each = bench.mean("patching.seconds_per_prompt", [seconds / len(items) for seconds in fast_seconds], "s")
    slow = bench.mean("patching.plain_seconds_per_prompt", plain_seconds, "s")
    bench.add("patching.ratio", slow.value / each.value, "×", len(items))
    bench.add("patching.max_abs_difference", difference, "probability", len(items) * count)
    bench.add("patching.max_abs_logit_difference", logit_difference, "logits", len(items) * count)


def _winners(bench: Bench, result: ConflictResult) -> None:
    ks = {*result.request.ks, *result.chosen.values()}
    for one in result.outcomes:
        row, n = outcome_row(one), one.n
        if one.treatment == "none":
            _shares(bench, "base", row)
        elif one.treatment == "ranked" and one.k in ks:
            where = f"{PRUNED[one.side]}_k{one.k}"
            _shares(bench, where, row)
            random = result.outcome("random", one.side, one.k)
            if random is not None:
                drawn = outcome_row(random)
                bench.add(f"{where}.random95_RM", drawn["RM_95th"], "share, 95th percentile", len(random.memory))
                bench.add(f"{where}.random95_RC", drawn["RC_95th"], "share, 95th percentile", len(random.memory))
        elif one.treatment in ("instruction", "context-aware decoding"):
            where = f"instruction_against_{one.side}" if one.treatment == "instruction" else "context_aware_decoding"
            bench.add(f"{where}.RM", row["RM"], "share", n)
            bench.add(f"{where}.RC", row["RC"], "share", n)
    for side, k in result.chosen.items():
        bench.add(f"{PRUNED[side]}.chosen_k", k, "heads")
    for name in ("attribution", "direct"):
        if (agreement := result.scores.agreement(name)) == agreement:  # type: ignore[arg-type]
            bench.add(f"agreement.{name}", agreement, "rank correlation with exact", result.scores.memory.size)


def _shares(bench: Bench, where: str, row: dict[str, Any]) -> None:
    n = row["prompts"]
    for name in ("RM", "RC"):
        bench.add(f"{where}.{name}", row[name], "share", n, _interval(row[name], n))
    for name in ("P_memory", "P_context", "clean_accuracy"):
        bench.add(f"{where}.{name}", row[name], "mean" if name[0] == "P" else "share", n)


def _interval(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share after Wilson."""
    z, centre = 1.96, share + 1.96**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float((centre - half) / (1 + z**2 / n)), float((centre + half) / (1 + z**2 / n))


def _open_book(bench: Bench, lm: LanguageModel, result: ConflictResult, report: Report) -> None:
    """Questions whose answers stand in a passage in front of them and nowhere else: silencing should not hurt these."""
    rows, prompts = [], []
    for row in json.loads(OPEN_BOOK.read_text(encoding="utf-8")):
        with suppress(PromptTooLong):
            prompts.append(lm.encode(f"{row['passage']}\nQuestion: {row['question']}\nAnswer:"))
            rows.append(row)
    if not rows:
        return
    right = [
        {answer_token(lm.tokenizer, prompt, answer) for answer in (row["answer"], *row["aliases"])}
        for prompt, row in zip(prompts, rows, strict=True)
    ]
    choices: list[Choice] = [()]
    names = ["base"]
    for side in SIDES:
        heads = [parse_head(name) for name in getattr(result, f"{side}_heads")]
        for k in (k for k in result.request.ks if k <= len(heads)):
            choices.append(tuple(heads[:k]))
            names.append(f"{PRUNED[side]}_k{k}")
    ids = torch.tensor([[min(own), min(own)] for own in right])
    said = said_without(lm, prompts, ids, choices, report=report).top_ids[..., 0].numpy()
    for name, row in zip(names, said, strict=True):
        share = float(np.mean([int(token) in own for token, own in zip(row, right, strict=True)]))
        bench.add(f"open_book.{name}", share, "share answered from the passage", len(rows), _interval(share, len(rows)))


def _transfer(bench: Bench, lm: LanguageModel, report: Report) -> None:
    table = transfer(lm, TransferRequest(), report)
    for column, target in enumerate(table.targets):
        for place, name in enumerate(("RM", "RC")):
            value = float(table.base[column, place])
            bench.add(f"transfer.{target}.base_{name}", value, "share", int(table.count[column]))
    for side, shares in table.silenced.items():
        for row, source in enumerate(table.sources):
            for column, target in enumerate(table.targets):
                for place, name in enumerate(("RM", "RC")):
                    value = float(shares[row, column, place])
                    where = f"transfer.{PRUNED[side]}.{source}.{target}.{name}"
                    bench.add(where, value, "share", int(table.count[column]))


def _timed(lm: LanguageModel, work: Callable[[], Any]) -> tuple[float, Any]:
    wait(lm.device)
    began = time.perf_counter()
    done = work()
    wait(lm.device)
    return time.perf_counter() - began, done


BENCH = Benchmark("conflict", bench_conflict, ConflictOptions)
