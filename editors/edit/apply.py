"""Edits over a model's weights, for the length of a context and for nobody else."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from analysis.errors import BadRequest, UnknownArchitecture
from analysis.internals.key_value_memory import OutputMatrix, attention_matrix, output_matrix
from analysis.study import edited_hash
from editors.edit.edit import Edit, LayerChange
from editors.edit.matrices import Matrices, Matrix, refuse_other_matrices
from editors.edit.weight_overlay import Overlay

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel


def tensor_hash(tensor: torch.Tensor) -> str:
    """SHA-256 over type, shape and bytes."""
    digest = hashlib.sha256(f"{tensor.dtype}|{tuple(tensor.shape)}|".encode())
    digest.update(tensor.detach().contiguous().cpu().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:24]


def apply(lm: "LanguageModel", edit: Edit, overlay: Overlay) -> None:
    """Write an edit into an overlay of the model it was made for; `BadRequest` for other weights."""
    refuse_other_weights(lm, edit)
    find = _finder(edit)
    for change in edit.changes:
        if edit.request.silences:
            columns = torch.from_numpy(np.flatnonzero(change.right.any(0)))
            overlay.scale(find(lm, change.layer), columns, edit.request.scale)
        else:
            overlay.add(change.layer, torch.from_numpy(change.left), torch.from_numpy(change.right))


def matrices_of(lm: "LanguageModel") -> Matrices:
    """Names and shapes of the matrices that edits of a model change; kept with it, for every edit asks."""

    def all_of(find: Callable[["LanguageModel", int], OutputMatrix]) -> tuple[Matrix | str, ...]:
        return tuple(_matrix(find, lm, layer) for layer in range(lm.n_layers))

    if ("matrices",) not in lm.memo:
        lm.memo[("matrices",)] = Matrices(lm.name, all_of(output_matrix), all_of(attention_matrix))
    found: Matrices = lm.memo[("matrices",)]
    return found


def _matrix(find: "Callable[[LanguageModel, int], OutputMatrix]", lm: "LanguageModel", layer: int) -> Matrix | str:
    try:
        found = find(lm, layer)
    except UnknownArchitecture as error:
        return str(error)
    rows, columns = found.weight.shape
    return Matrix(found.name, (rows, columns), found.transposed)


def refuse_other_weights(lm: "LanguageModel", edit: Edit) -> None:
    """`BadRequest` where an edit was made for other weights, or changes what the model does not have."""
    if edit.model["weights_hash"] != lm.own_hash:
        raise BadRequest(
            f"“{edit.title}” was written on other weights ({edit.model['name']}, "
            f"{edit.model['weights_hash'][:12]}) than {lm.name}'s ({lm.own_hash[:12]}). Nothing was changed."
        )
    refuse_other_matrices(matrices_of(lm), edit)


def _finder(edit: Edit) -> "Callable[[LanguageModel, int], OutputMatrix]":
    return attention_matrix if edit.request.silences else output_matrix


def card_over(lm: "LanguageModel", edits: Sequence[Edit]) -> dict[str, Any]:
    """The card of the model as it would be with edits over it: for results that look at it without them as well."""
    keys = [edit.key for edit in edits]
    return lm.card() | {"edits": keys, "weights_hash": edited_hash(lm.own_hash, keys)}


@contextmanager
def adding(lm: "LanguageModel", edit: Edit, changes: Sequence[LayerChange]) -> Iterator[None]:
    """Other changes of the matrices an edit changes, over the model for the length of a context."""
    find = _finder(edit)
    with Overlay(lm) as overlay:
        for change in changes:
            overlay.put(find(lm, change.layer), torch.from_numpy(change.left), torch.from_numpy(change.right))
        yield


@contextmanager
def written_over(lm: "LanguageModel", edits: Sequence[Edit]) -> Iterator["LanguageModel"]:
    """The model with edits applied; results made inside say so, and its bytes are as before afterwards.

    Whoever shares the model must hold its lock meanwhile: in the app only the worker computes.

    Args:
        lm: a loaded model without edits on.
        edits: edits made on its weights, lowest first.
    Raises:
        `BadRequest` for edits of other weights, or where some are on already.
    Example:
        >>> prompt = lm.encode("The Eiffel Tower is located in the city of")
        >>> with written_over(lm, [edit]):
        ...     lm.words([int(lm.next_word(prompt).argmax())])
        [' Rome']
    """
    with Overlay(lm) as overlay:
        try:
            for edit in edits:
                apply(lm, edit, overlay)
            lm.edits = tuple(edit.key for edit in edits)
            yield lm
        finally:
            lm.edits = ()
