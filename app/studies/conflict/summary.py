"""Memory against page in a few lines of text."""

import numpy as np

from analysis.internals.head_names import parse_head
from analysis.knowledge_conflict.result import (
    READING,
    SIDES,
    ConflictResult,
    HeadsResult,
    KnockoutResult,
    Scores,
    TransferResult,
)
from app.studies.conflict.table import outcome_row
from app.terminal.text import columns, shades, word

SHOWN = 5


def heads_summary(result: HeadsResult) -> str:
    """A prompt's strongest heads of either side, and what silencing them does."""
    first, second = result.memory, result.context
    clean, now = result.clean_probability, result.probability
    parts = [
        f"{result.model['name']}. Without the page: {first} {clean[0]:.3f}, {second} {clean[1]:.3f}. With it: "
        f"{first} {now[0]:.3f}, {second} {now[1]:.3f}. {READING}, patched from “{result.corrupted}”.",
        *result.notes,
    ]
    for side in SIDES:
        parts.append(f"Heads that speak for {side}\n{_strongest(result, side)}")
    rows = []
    for row, column in [(k, 0) for k in range(len(result.grid_top))] + [
        (0, k) for k in range(1, result.grid_top.shape[1])
    ]:
        p = result.grid_probability[row, column]
        said = word(result.spans(result.grid_top_ids[row, column, :1])[0])
        rows.append((row, column, said, float(p[0]), float(p[1])))
    parts.append(columns(rows, ("memory heads silenced", "page heads silenced", "says", f"P({first})", f"P({second})")))
    return "\n\n".join(parts)


def _strongest(result: HeadsResult, side: str) -> str:
    names = (result.memory_heads if side == "memory" else result.context_heads)[:SHOWN]
    rows = []
    for name in names:
        head = parse_head(name)
        looks = word(result.tokens[int(result.looks[head].argmax())])
        writes = " ".join(word(text) for text in result.spans(result.writes.top_ids[head][:3]))
        rows.append((name, float(result.scores.memory[head]), float(result.scores.context[head]), looks, writes))
    return columns(rows, ("head", "S_m", "S_c", "looks at", "writes"))


def conflict_summary(result: ConflictResult) -> str:
    """Heads and who wins."""
    count = {part: sum(one.part == part for one in result.examples) for part in ("find", "validation", "test")}
    parts = [
        f"{result.model['name']}, {READING}: heads found on {count['find']} conflicts, k chosen on "
        f"{count['validation']}, tested on {count['test']}.",
        _maps(result.scores),
        f"memory heads: {' '.join(result.memory_heads[:10])}\npage heads:   {' '.join(result.context_heads[:10])}",
    ]
    ks = {0, *result.request.ks, *result.chosen.values()}
    rows = []
    for one in result.outcomes:
        if one.k not in ks:
            continue
        row = outcome_row(one)
        high = [f"{row[name]:.2f}" if row[name] == row[name] else "" for name in ("RM_95th", "RC_95th")]
        clean = f"{row['clean_accuracy']:.2f}" if row["clean_accuracy"] == row["clean_accuracy"] else ""
        mark = "*" if one.treatment == "ranked" and result.chosen.get(one.side) == one.k else ""
        shares = [f"{row[name]:.2f}" for name in ("RM", "RC", "other")]
        rows.append(
            (f"{one.treatment}{mark}", one.side, one.k, *shares, row["P_memory"], row["P_context"], *high, clean)
        )
    head = ("silenced", "side", "k", "RM", "RC", "other", "P(memory)", "P(page)", "RM 95th", "RC 95th", "clean")
    parts.append(columns(rows, head))
    if result.chosen:
        parts.append("* k chosen on validation.")
    direct = result.scores.agreement("direct")
    told = f", of direct logit attribution {direct:.2f}" if direct == direct else ""
    guess = result.scores.agreement("attribution")
    parts.append(f"Rank correlation with exact path patching: of attribution patching {guess:.2f}{told}.")
    return "\n\n".join(parts)


def _maps(scores: Scores) -> str:
    balance = scores.balance()
    top = float(np.percentile(np.abs(balance), 99.5)) or 1.0
    layers, heads = balance.shape
    rows = []
    for head in range(heads):
        both = (shades(sign * balance[:, head], 0, top) for sign in (1, -1))
        rows.append((f"head {head}", *(f"│{line}│" for line in both)))
    return columns(rows, (f"layers 0 to {layers - 1}", "speaks for memory", "speaks for the page"))


def knockout_summary(result: KnockoutResult) -> str:
    """Where each cut hurts most."""
    rows = []
    for name, change in zip(result.cuts, result.change, strict=True):
        memory, page = change[:, 0].argmin(), change[:, 1].argmin()
        rows.append((name, f"{change[memory, 0]:+.0%}", int(memory), f"{change[page, 1]:+.0%}", int(page)))
    head = ("cut", "P(memory) at worst", "at layer", "P(page) at worst", "at layer")
    return f"{len(result.examples)} conflicts, windows of {result.window} layers\n{columns(rows, head)}"


def transfer_summary(result: TransferResult) -> str:
    """One table a side: RM / RC with heads of a row's source silenced on a column's target."""
    parts = []
    for side, shares in result.silenced.items():
        rows = [("nothing silenced", *(f"{a:.2f} / {b:.2f}" for a, b in result.base))]
        rows += [
            (f"{source}: {' '.join(result.heads[source][side])}", *(f"{a:.2f} / {b:.2f}" for a, b in row))
            for source, row in zip(result.sources, shares, strict=True)
        ]
        parts.append(f"{side} heads silenced: RM / RC\n{columns(rows, ('found on', *result.targets))}")
    return "\n\n".join([*parts, *result.skipped])
