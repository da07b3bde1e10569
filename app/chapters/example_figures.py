"""What chapters show of their own examples: a table each, from docs/figures/examples.json."""

from collections.abc import Callable, Iterator

from app.chapters.stored_figures import by_name, command_of, here, n_of, names_below, told

BENCH = "examples"
Rows = Iterator[tuple[str, ...]]


def example(part: str) -> str:
    """The figures of an example, and the command that gave them."""
    head, rows = SHOWN[part]
    return told(BENCH, head, rows(), command_of(part))


def _value(part: str, name: str, digits: int = 0, times: float = 1.0) -> str:
    return here(BENCH, f"{part}.{name}", digits, times)


def _unit(part: str, name: str) -> str:
    return by_name(BENCH)[f"{part}.{name}"]["unit"]


def _trace() -> Rows:
    yield "as it stands", "", _value("trace", "clean", 3), n_of(BENCH, "trace.clean")
    yield "subject blurred", "", _value("trace", "blurred", 3), n_of(BENCH, "trace.blurred")
    for name, words in (("subject", "the subject’s best state repaired"), ("last", "the last token’s best repaired")):
        where = f"{_unit('trace', f'{name}.layer').removeprefix('layer, ')}, layer {_value('trace', f'{name}.layer')}"
        yield words, where, _value("trace", f"{name}.repaired", 3), n_of(BENCH, f"trace.{name}.repaired")


def _lens() -> Rows:
    layers = sorted({int(name.partition(".")[0]) for name in names_below(BENCH, "lens")})
    for layer in layers[:1] + layers[6:22:5] + layers[22:]:
        yield str(layer), _value("lens", f"{layer}.rank"), _value("lens", f"{layer}.probability", 1, 100)


def _facts() -> Rows:
    yield "facts known with more than .3", _value("facts", "known"), n_of(BENCH, "facts.known")


def _abilities() -> Rows:
    for group in names_below(BENCH, "abilities"):
        yield group, _value("abilities", group), n_of(BENCH, f"abilities.{group}")


HOPS = {
    "first": "the first hop alone",
    "second": "the second hop alone",
    "whole": "both in one question",
    "any_wording": "both, in any wording",
    "without_subject": "shortcut: without the subject",
    "without_first_hop": "shortcut: the second hop asked of the first subject",
    "genuine": "both hops and the whole right, neither shortcut",
}


def _hops() -> Rows:
    for name, words in HOPS.items():
        yield words, _value("hops", name), n_of(BENCH, f"hops.{name}")


def _heads() -> Rows:
    strongest = {
        side: ", ".join(name[len(side) + 1 :] for name in names_below(BENCH, "heads") if name.startswith(f"{side}."))
        for side in ("memory", "page")
    }
    yield "without the page", _value("heads", "without_page.memory", 3), _value("heads", "without_page.page", 3)
    for count in range(len([name for name in names_below(BENCH, "heads") if name.endswith(".memory")]) - 1):
        says = f"{_heads_of(count)} for memory silent"
        if not count:
            says = f"with it; strongest: {strongest['memory']} for memory, {strongest['page']} for the page"
        yield says, _value("heads", f"silent{count}.memory", 3), _value("heads", f"silent{count}.page", 3)


def _knockout() -> Rows:
    for name in names_below(BENCH, "knockout"):
        if name.endswith(".layer"):
            continue
        cut, _, side = name.rpartition(".")
        yield (
            cut,
            "memory’s" if side == "memory" else "the page’s",
            _value("knockout", name),
            _value("knockout", f"{name}.layer"),
            n_of(BENCH, f"knockout.{name}"),
        )


KINDS = {"rewrite": "the prompt", "paraphrase": "said otherwise", "neighbour": "neighbour", "other": "of the subject"}


def _edit(part: str) -> Callable[[], Rows]:
    def rows() -> Rows:
        numbers = sorted({int(name.partition(".")[0]) for name in names_below(BENCH, part)})
        for at in numbers:
            kind, _, prompt = _unit(part, f"{at}.before.new").removeprefix("P, ").partition(": ")
            new, old = (
                f"{_value(part, f'{at}.before.{said}', 0, 100)} → {_value(part, f'{at}.after.{said}', 0, 100)}"
                for said in ("new", "old")
            )
            yield KINDS.get(kind, kind), prompt, new, old

    return rows


def _drift() -> Rows:
    before, after = (_value("drift", f"{when}.answer", 3) for when in ("before", "after"))
    wrong = tuple(_value("drift", f"{when}.edited", 3) for when in ("before", "after"))
    yield "without the edit", "", before, wrong[0]
    yield "with it", "", after, wrong[1]
    for name in names_below(BENCH, "drift"):
        if name.endswith(".drift"):
            head = name.removesuffix(".drift")
            yield f"head {head} set back", _value("drift", name, 3), _value("drift", f"{head}.set_back", 3), "–"


def _layers() -> Rows:
    layers = sorted({int(name.partition(".")[0]) for name in names_below(BENCH, "layers") if name[0].isdigit()})
    for layer in layers:
        if layer % 3 == 0:
            shares = [_value("layers", f"{layer}.{kind}") for kind in ("paraphrase", "neighbour")]
            yield str(layer), _value("layers", f"{layer}.score", 2), *shares, _value("layers", f"{layer}.effect", 2)


def _lifelong() -> Rows:
    counts = sorted({int(name.partition(".")[0]) for name in names_below(BENCH, "lifelong")})
    for count in counts:
        kinds = [_value("lifelong", f"{count}.{kind}") for kind in ("rewrite", "paraphrase", "neighbour")]
        yield str(count), *kinds, _value("lifelong", f"{count}.abilities"), _value("lifelong", f"{count}.perplexity", 1)


DIMENSIONS = ("efficacy", "generalisation", "portability", "locality", "robustness")


def _quiz() -> Rows:
    versions = dict.fromkeys(name.rpartition(".")[0] for name in names_below(BENCH, "quiz"))
    for version in versions:
        shares = [_value("quiz", f"{version}.{name}") for name in DIMENSIONS]
        yield version, *shares, n_of(BENCH, f"quiz.{version}.efficacy")


TREATED = {
    "none": "nothing silenced",
    "ranked": "{heads} for {side} silent",
    "random": "{heads} at random, of the layers of those for {side}, silent",
    "weakest": "of all the weakest, {heads}, silent",
    "mean": "{heads} for {side} at their mean",
    "instruction": "an instruction against {side}",
    "context-aware decoding": "context-aware decoding",
}


def _conflict() -> Rows:
    for name in names_below(BENCH, "conflict"):
        if name.endswith(".RM"):
            treatment, side, count, _ = name.rsplit(".", 3)
            said = TREATED[treatment].format(heads=_heads_of(int(count)), side=SIDES.get(side, side))
            cells = [_value("conflict", name.removesuffix("RM") + what, 2) for what in ("RM", "RC", "clean_accuracy")]
            yield said, *cells, n_of(BENCH, f"conflict.{name}")


def _neurons() -> Rows:
    yield "as it stands", _value("neurons", "clean", 2), ""
    for role in ("value", "query"):
        counts = [name for name in names_below(BENCH, f"neurons.{role}") if name.isdigit()]
        for count in counts:
            drawn = _value("neurons", f"{role}.{count}.random", 2)
            off = f"the strongest {role} neuron off" if count == "1" else f"the {count} strongest {role} neurons off"
            yield off, _value("neurons", f"{role}.{count}", 2), drawn


SIDES = {"context": "the page"}


def _heads_of(count: int) -> str:
    return "1 head" if count == 1 else f"{count} heads"


def _reach() -> Rows:
    versions = dict.fromkeys(name.rpartition(".")[0] for name in names_below(BENCH, "reach"))
    for version in versions:
        shares = [_value("reach", f"{version}.{name}") for name in ("edit_wise", "instance_wise", "multi_hop")]
        yield version, *shares, n_of(BENCH, f"reach.{version}.edit_wise")


REPAIRED = {"state": "hidden state", "mlp": "MLP outputs", "attn": "attention outputs"}


def _average() -> Rows:
    n = n_of(BENCH, "average.total_effect")
    yield "everything", "", "", _value("average", "total_effect"), n
    for kind, words in REPAIRED.items():
        for row in ("last subject token", "last token"):
            yield words, row, _value("average", f"{kind}.{row}.layer"), _value("average", f"{kind}.{row}"), n


SHOWN: dict[str, tuple[tuple[str, ...], Callable[[], Rows]]] = {
    "trace": (("run", "where", "P(Paris)", "noise samples"), _trace),
    "lens": (("layer", "place of Paris among all words", "P(Paris), %"), _lens),
    "facts": (("", "facts", "of"), _facts),
    "abilities": (("group", "right, %", "questions"), _abilities),
    "hops": (("asked", "right", "chains"), _hops),
    "heads": (("run", "P(Paris)", "P(Rome)"), _heads),
    "knockout": (("cut", "answer", "change of its probability, %", "layer", "prompts"), _knockout),
    "edit": (("kind", "prompt", "P(new), %", "P(old), %"), _edit("edit")),
    "edit_memit": (("kind", "prompt", "P(new), %", "P(old), %"), _edit("edit_memit")),
    "drift": (("run", "drift", "P(Paris)", "P(Rome)"), _drift),
    "layers": (("layer", "rewrite score", "said otherwise, %", "neighbours kept, %", "brought back"), _layers),
    "lifelong": (
        ("edits", "facts, %", "said otherwise, %", "neighbours, %", "abilities, %", "perplexity"),
        _lifelong,
    ),
    "neurons": (("run", "P(Paris)", "as many at random off"), _neurons),
    "conflict": (("treatment", "memory wins, RM", "the page wins, RC", "known still", "prompts"), _conflict),
    "reach": (("method", "edit-wise, %", "instance-wise, %", "multi-hop, %", "chains"), _reach),
    "quiz": (("method", *(f"{name}, %" for name in DIMENSIONS), "cases"), _quiz),
    "average": (("repaired", "token", "layer", "points of probability brought back", "facts"), _average),
}
