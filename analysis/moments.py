"""Second moments of keys: what the output matrix of an MLP is used to reading.

C = E[k kᵀ] over the tokens of a text, uncentred, a mean per token (ROME, appendix B; MEMIT, section
4.2). Editors keep what they write away from C's strong directions. All layers are measured in
one pass; products in float32, sums in float64.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from analysis.cache_home import cache_home
from analysis.corpus import Corpus, read_text, written
from analysis.errors import BadFile, BadRequest, Cancelled
from analysis.key_value import keys, output_matrix
from analysis.moments_request import OWN, MomentsRequest
from analysis.study import Report, silent

if TYPE_CHECKING:
    from analysis.model import LanguageModel

BATCH = {"cpu": 2048, "cuda": 1 << 15, "mps": 1 << 13}
"""Tokens read together."""
TOKENS_PER_DIMENSION = 10
"""Tokens for each dimension of a key when no number is asked for: the rank needs 1, 2 to 10 give what millions give
(2506.04226)."""


@dataclass(frozen=True)
class Moments:
    """Second moment of one layer's keys, with where it comes from."""

    layer: int
    matrix: Tensor  # (d_k, d_k) float64, mean per token
    tokens: int
    corpus: str
    corpus_id: str
    weights_hash: str

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
        }


def moments(
    lm: "LanguageModel", request: MomentsRequest, report: Report = silent, *, home: Path | None = None
) -> dict[int, Moments]:
    """Second moments of the asked layers, from the cache where they are there.

    A cancelled run keeps its sums, and the next one goes on from there.
    """
    layers = sorted(set(request.layers))
    matrices = [output_matrix(lm, layer) for layer in layers]
    tokens = request.tokens or TOKENS_PER_DIMENSION * max(matrix.weight.shape[1] for matrix in matrices)
    home = (home or cache_home() / "moments") / lm.own_hash[:24]
    if request.source == OWN:
        corpus = written(lm, tokens, request.seed, home, report)
    else:
        corpus = read_text(lm, request.source, tokens)
    places = {layer: home / f"{corpus.id}-{layer}.safetensors" for layer in layers}
    missing = [layer for layer in layers if not places[layer].exists()]
    if missing and lm.edits:
        raise BadRequest("Second moments are those of the model as it was trained. Switch the edits off and try again.")
    if missing:
        sums = _summed(lm, corpus, missing, home / f"{corpus.id}-part.safetensors", report)
        for layer, total in sums.items():
            made = Moments(layer, total / corpus.tokens, corpus.tokens, corpus.name, corpus.id, lm.own_hash)
            save(made, places[layer])
    return {layer: load(places[layer], lm) for layer in layers}


def _summed(
    lm: "LanguageModel", corpus: Corpus, layers: Sequence[int], part: Path, report: Report
) -> dict[int, Tensor]:
    """Sums of k kᵀ over a corpus, continued from `part` where a run with the same layers was cancelled."""
    batches = list(corpus.batches(BATCH.get(lm.device.type, 2048)))
    begun, sums = _begun(part, layers, len(batches))
    try:
        for index in range(begun, len(batches)):
            report(index, len(batches), "batches of text read")
            for layer, key in keys(lm, batches[index], layers).items():
                flat = key.flatten(0, 1).float()
                product = (flat.T @ flat).cpu().double()  # half the bytes to move, and some devices have no float64
                sums[layer] = sums[layer] + product if layer in sums else product
            begun = index + 1
    except (Cancelled, KeyboardInterrupt):
        if sums:
            _write({str(layer): total for layer, total in sums.items()}, {"batches": begun, "of": len(batches)}, part)
        raise
    part.unlink(missing_ok=True)
    report(len(batches), len(batches), "batches of text read")
    return sums


def _begun(part: Path, layers: Sequence[int], batches: int) -> tuple[int, dict[int, Tensor]]:
    with suppress(OSError, SafetensorError, KeyError, TypeError, ValueError), safe_open(part, "pt") as file:
        about = json.loads(file.metadata()["about"])
        if about["of"] == batches and set(file.keys()) == {str(layer) for layer in layers}:
            return int(about["batches"]), {layer: file.get_tensor(str(layer)) for layer in layers}
    return 0, {}


def _write(tensors: dict[str, Tensor], about: dict[str, Any], place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f".new-{place.name}")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, new, {"about": json.dumps(about)})
    new.replace(place)


def save(moments: Moments, place: Path) -> None:
    """Write the second moment of a layer to a safetensors file, whole or not at all."""
    about = {name: value for name, value in moments.said().items() if name != "id"}
    _write({"second_moment": moments.matrix}, about, place)


def load(place: Path, lm: "LanguageModel") -> Moments:
    """Read what `save` wrote; `BadFile` for another form, `BadRequest` for another model's."""
    try:
        with safe_open(place, "pt") as file:
            about = json.loads(file.metadata()["about"])
            made = Moments(matrix=file.get_tensor("second_moment").double(), **about)
            if not re.fullmatch(r"[0-9a-f]{1,64}", made.corpus_id):
                raise ValueError("the id of its text is no hash")
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
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
    save(made, (home or cache_home() / "moments") / lm.own_hash[:24] / f"{made.corpus_id}-{made.layer}.safetensors")
    return made


def condition(moments: Moments) -> float:
    """Largest over smallest eigenvalue of the second moment with the ridge that closed forms add."""
    values = torch.linalg.eigvalsh(moments.matrix)
    ridge = 1e-5 * float(values.mean())
    return (float(values[-1]) + ridge) / (max(float(values[0]), 0.0) + ridge)
