"""Second moments of keys: what the output matrix of an MLP is used to reading.

C = E[k kᵀ] over the tokens of a text, uncentred, a mean per token (ROME, appendix B; MEMIT, section
4.2). Editors keep what they write away from C's strong directions. All layers are measured in
one pass; products in float32, sums in float64.
"""

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from analysis.cache_home import cache_home
from analysis.errors import BadFile, BadRequest, Cancelled, Unreadable
from analysis.free_memory import demand
from analysis.internals.key_value_memory import keys, output_matrix
from analysis.moments import steady
from analysis.moments.corpus import (
    WRITTEN,
    Corpus,
    piece_length,
    portions,
    read_text,
    ready,
    rows_beside,
    shipped,
    written,
)
from analysis.moments.request import OWN, SHIPPED, MomentsRequest
from analysis.study import Report, silent
from analysis.whole_files import replacing, there

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

log = logging.getLogger(__name__)
SQUARES = 32
"""Bytes for each square of a key's width: sums, what they are loaded as, their factor and what it is of."""
BATCH = {"cpu": 2048, "cuda": 1 << 15, "mps": 1 << 13}
"""Tokens read together."""
TOKENS_PER_DIMENSION = 10
"""Tokens for each dimension of a key when no number is asked for, at most: the rank needs 1, 2 to 10 give what millions
give (2506.04226)."""
WRITING = {"cpu": 8e12, "mps": 1e14, "cuda": 1e15}
"""Operations a model may take to write all that text; one that would take more reads the shipped text. On two cores
the first are two to three minutes."""


@dataclass(frozen=True)
class Moments:
    """Second moment of one layer's keys, with where it comes from."""

    layer: int
    matrix: Tensor  # (d_k, d_k) float64, mean per token
    tokens: int
    corpus: str
    corpus_id: str
    weights_hash: str
    grown: dict[str, Any] | None = None
    """How it was found that this text is enough; None where its length was given."""

    @cached_property
    def id(self) -> str:
        """Hash of the matrix: what a recipe says it was computed with."""
        return hashlib.sha256(self.matrix.numpy().tobytes()).hexdigest()[:24]

    def said(self) -> dict[str, Any]:
        """All but the matrix, as plain JSON data."""
        return {
            "layer": self.layer,
            "tokens": self.tokens,
            "corpus": self.corpus,
            "corpus_id": self.corpus_id,
            "weights_hash": self.weights_hash,
            "id": self.id,
        } | ({"grown": self.grown} if self.grown else {})


def moments(
    lm: "LanguageModel", request: MomentsRequest, report: Report = silent, *, home: Path | None = None
) -> dict[int, Moments]:
    """Second moments of the asked layers, from the cache where they are there.

    A run that was ended keeps its text, and the sums over a text of given length; the next one goes on from there.
    """
    layers = sorted(set(request.layers))
    width = max(output_matrix(lm, layer).weight.shape[1] for layer in layers)
    tokens = request.tokens or TOKENS_PER_DIMENSION * width
    home = (home or cache_home() / "moments") / lm.own_hash[:24]
    whole = request.source == OWN and ready(lm, tokens, request.seed, home)
    if request.tokens is None and request.source in (OWN, SHIPPED) and not whole:
        return _grown(lm, request, layers, tokens, home, report)
    if request.source == OWN:
        corpus = written(lm, tokens, request.seed, home, report)
    elif request.source == SHIPPED:
        corpus = shipped(lm, tokens)
    else:
        corpus = read_text(lm, request.source, tokens)
    places = {layer: home / f"{corpus.id}-{layer}.safetensors" for layer in layers}
    found = _stored(places, lm)
    missing = [layer for layer in layers if layer not in found]
    if missing:
        _may_measure(lm, missing)
        sums, _ = _summed(lm, corpus, missing, home / f"{corpus.id}-part.safetensors", report)
        for layer in missing:
            mean = sums.pop(layer) / corpus.tokens
            found[layer] = Moments(layer, mean, corpus.tokens, corpus.name, corpus.id, lm.own_hash)
            _keep(found[layer], places[layer])
    return {layer: found[layer] for layer in layers}


def _stored(places: dict[int, Path], lm: "LanguageModel") -> dict[int, Moments]:
    """Moments that lie there whole. Those that do not, or cannot be read now, are measured anew, to the same bits."""
    found: dict[int, Moments] = {}
    for layer, place in places.items():
        if there(place):
            try:
                made = load(place, lm)
                if made.layer != layer:
                    raise BadFile(f"{place.name} holds layer {made.layer}.")
                found[layer] = made
            except (BadFile, Unreadable) as error:
                log.warning("%s They are measured anew.", error)
    return found


def _keep(moments: Moments, place: Path) -> None:
    """Save for later runs; this one goes on where the disk takes nothing."""
    try:
        save(moments, place)
    except (OSError, SafetensorError) as error:
        log.warning("The second moments of layer %d are not kept in %s (%s).", moments.layer, place.parent, error)


def _may_measure(lm: "LanguageModel", layers: Sequence[int]) -> None:
    """Raise where edits are on, or where the sums and what is solved with them would not fit."""
    if lm.edits:
        raise BadRequest("Second moments are those of the model as it was trained. Switch the edits off and try again.")
    squares = sum(output_matrix(lm, layer).weight.shape[1] ** 2 for layer in layers)
    largest = max(output_matrix(lm, layer).weight.shape[1] for layer in layers)
    read = BATCH.get("cpu", 2048) * 4 * (len(layers) + 3) * largest
    what = f"Measuring {len(layers)} layer{'s' * (len(layers) > 1)} of {lm.name} and solving with them"
    fewer = "Write to fewer layers (ROME writes to one), or take a smaller model."
    demand(SQUARES * squares + 20 * largest**2 + read, torch.device("cpu"), what, fewer)


def _grown(
    lm: "LanguageModel", request: MomentsRequest, layers: Sequence[int], most: int, home: Path, report: Report
) -> dict[int, Moments]:
    """Moments of as much text as each layer needs to be steady: see `analysis.moments.steady`."""
    source = request.source
    if source == OWN and 2 * lm.n_parameters * most > WRITING.get(lm.device.type, WRITING["cpu"]):
        source = SHIPPED
    width = most // TOKENS_PER_DIMENSION
    name = f"{source}-{request.seed if source == OWN else 0}-{width}"
    places = {layer: home / f"grown-{name}-{layer}.safetensors" for layer in layers}
    found = _stored(places, lm)
    if missing := [layer for layer in layers if layer not in found]:
        _may_measure(lm, missing)
        phase = _at_most(report)
        texts = _portions(lm, source, request.seed, most, home / f"{name}.jsonl", phase)
        for made in _grow(lm, texts, missing, f"grown-{name}", source, partial(phase, total=most)):
            found[made.layer] = made
            _keep(made, places[made.layer])
    return {layer: found[layer] for layer in layers}


def _at_most(report: Report) -> Report:
    """A report that says how long the text may still take, and what takes none."""
    began = time.monotonic()

    def told(done: int, total: int, note: str = "", partial: Any = None, share: float | None = None) -> None:
        left = (time.monotonic() - began) * (total - done) / max(done, 1)
        note += f", {left:.0f} s more at most" if done else ""
        if WRITTEN in note:
            note += f"; with the {SHIPPED} text or a file as source nothing is written"
        report(done, total, note, partial, share)

    return told


def _portions(
    lm: "LanguageModel", source: str, seed: int, most: int, place: Path, report: Report
) -> Iterator[tuple[list[tuple[int, ...]], bool]]:
    """Portions of about a token a dimension, and whether each is the last."""
    width = most // TOKENS_PER_DIMENSION
    if source == OWN:
        rows = min(-(-width // piece_length(lm)), rows_beside(lm))
        number = -(-most // (rows * piece_length(lm)))
        for index, portion in enumerate(portions(lm, [rows] * number, seed, place, report)):
            yield portion, index == number - 1
        return
    portion, pieces = [], list(shipped(lm, most).pieces)
    for index, piece in enumerate(pieces):
        portion.append(piece)
        if sum(map(len, portion)) >= width or index == len(pieces) - 1:
            yield portion, index == len(pieces) - 1
            portion = []


def _grow(
    lm: "LanguageModel",
    texts: Iterator[tuple[list[tuple[int, ...]], bool]],
    layers: Sequence[int],
    name: str,
    source: str,
    report: Callable[..., None],
) -> Iterator[Moments]:
    """Read portion after portion, each layer until it is steady: its moments, under `name`."""
    growing: dict[int, steady.Growing] = {}
    pieces: list[tuple[int, ...]] = []
    pending = list(layers)
    for number, (portion, last) in enumerate(texts, start=1):
        pieces += portion
        part = Corpus(source, tuple(portion))
        read = sum(map(len, pieces))
        sums, keep = _summed(lm, part, pending, None, lambda *_, read=read: report(read, note="tokens of text read"))
        for layer in list(pending):
            excess = float("inf")
            if layer in growing:
                if number > steady.LEAST or last:
                    excess = growing[layer].excess(keep[layer])
                growing[layer].add(sums.pop(layer), part.tokens, keep[layer])
            else:
                growing[layer] = steady.Growing(sums.pop(layer), part.tokens, keep[layer])
            if excess <= steady.TOLERANCE or last:
                pending.remove(layer)
                whole = growing.pop(layer)
                told = {"name": name, **steady.said(number, excess)}
                text = Corpus(source, tuple(pieces)).id
                yield Moments(layer, whole.total / whole.count, whole.count, source, text, lm.own_hash, told)
        if not pending:
            return


def _summed(
    lm: "LanguageModel", corpus: Corpus, layers: Sequence[int], part: Path | None, report: Report
) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    """Sums of k kᵀ over a corpus, and some of its keys; continued from `part` where the same run was cancelled."""
    batches = list(corpus.batches(BATCH.get(lm.device.type, 2048)))
    begun, sums = _begun(part, layers, len(batches)) if part else (0, {})
    some: dict[int, list[Tensor]] = {layer: [] for layer in layers}
    try:
        for index in range(begun, len(batches)):
            report(index, len(batches), "batches of text read")
            for layer, key in keys(lm, batches[index], layers).items():
                flat = key.flatten(0, 1).float()
                product = (flat.T @ flat).cpu().double()  # half the bytes to move, and some devices have no float64
                sums[layer] = sums[layer] + product if layer in sums else product
                if not part:
                    some[layer].append(steady.few(flat).cpu())
            begun = index + 1
    except (Cancelled, KeyboardInterrupt):
        if sums and part:
            _keep_part(sums, {"batches": begun, "of": len(batches)}, part)
        raise
    if part:
        with suppress(OSError):
            part.unlink()
    report(len(batches), len(batches), "batches of text read")
    return sums, {layer: steady.few(torch.cat(keys)) for layer, keys in some.items() if keys}


def _keep_part(sums: dict[int, Tensor], about: dict[str, Any], part: Path) -> None:
    try:
        _write({str(layer): total for layer, total in sums.items()}, about, part)
    except (OSError, SafetensorError) as error:
        log.warning("What was measured until now is not kept in %s (%s).", part.parent, error)


def _begun(part: Path, layers: Sequence[int], batches: int) -> tuple[int, dict[int, Tensor]]:
    with suppress(OSError, SafetensorError, LookupError, TypeError, ValueError, RecursionError):
        about, tensors = _read(part)
        if about["of"] == batches and tensors.keys() == {str(layer) for layer in layers}:
            return int(about["batches"]), {layer: tensors[str(layer)] for layer in layers}
    return 0, {}


def _write(tensors: dict[str, Tensor], about: dict[str, Any], place: Path) -> None:
    said = json.dumps(about | {"hash": _hash(tensors)})
    with replacing(place) as new:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, new, {"about": said})


def _read(place: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What `_write` wrote; `ValueError` where the numbers are not those that were written."""
    with safe_open(place, "pt") as file:
        about = json.loads(file.metadata()["about"])
        tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    if about.pop("hash", None) not in (None, _hash(tensors)):
        raise ValueError("its numbers are not those that were written")
    return about, tensors


def _hash(tensors: dict[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode() + b"\0")
        found.update(tensors[name].contiguous().numpy().data)
    return found.hexdigest()


def save(moments: Moments, place: Path) -> None:
    """Write the second moment of a layer to a safetensors file, whole or not at all."""
    about = {name: value for name, value in moments.said().items() if name != "id"}
    _write({"second_moment": moments.matrix}, about, place)


def load(place: Path, lm: "LanguageModel") -> Moments:
    """Read what `save` wrote; `BadFile` for another form, `BadRequest` for another model's, `Unreadable` where the
    system does not let it be read."""
    try:
        with place.open("rb"):
            pass  # the system's errors are told here; the reader below has one kind for everything
        about, tensors = _read(place)
        made = Moments(matrix=tensors["second_moment"].double(), **about)
        if not re.fullmatch(r"[0-9a-f]{1,64}", made.corpus_id):
            raise ValueError("the id of its text is no hash")
        if made.grown and not re.fullmatch(rf"grown-({OWN}|{SHIPPED})-\d+-\d+", str(made.grown["name"])):
            raise ValueError("its name is none of ours")
        output_matrix(lm, made.layer)
    except OSError as error:
        if isinstance(error, FileNotFoundError | IsADirectoryError):
            raise BadFile(f"There are no second moments at {place}.") from error
        raise Unreadable(f"The second moments in {place} cannot be read now ({error.strerror or error}).") from error
    except (SafetensorError, LookupError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise BadFile(f"{place.name} holds no second moments this workbench wrote ({error}).") from error
    if made.weights_hash != lm.own_hash:
        raise BadRequest(f"The second moments in {place.name} were measured on other weights than {lm.name}'s.")
    width = output_matrix(lm, made.layer).weight.shape[1]
    if made.matrix.shape != (width, width):
        raise BadFile(
            f"{place.name} holds {tuple(made.matrix.shape)} numbers where {lm.name} needs ({width}, {width})."
        )
    return made


def adopt(lm: "LanguageModel", file: Path, home: Path | None = None) -> Moments:
    """Take over second moments that were measured elsewhere, for later runs with the same corpus and tokens."""
    made = load(file, lm)
    name = made.grown["name"] if made.grown else made.corpus_id
    save(made, (home or cache_home() / "moments") / lm.own_hash[:24] / f"{name}-{made.layer}.safetensors")
    return made


def condition(moments: Moments) -> float:
    """Largest over smallest eigenvalue of the second moment with the ridge that closed forms add."""
    values = torch.linalg.eigvalsh(moments.matrix)
    ridge = 1e-5 * float(values.mean())
    return (float(values[-1]) + ridge) / (max(float(values[0]), 0.0) + ridge)
