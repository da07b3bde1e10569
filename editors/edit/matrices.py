"""The matrices of a model that edits change, by name and shape: enough to hold a recipe against, without the model."""

from dataclasses import dataclass

from analysis.errors import BadRequest, UnknownArchitecture
from editors.edit.edit import Edit


@dataclass(frozen=True)
class Matrix:
    """One output matrix W (d, d_k)."""

    name: str
    """Parameter in the Hugging Face model."""
    shape: tuple[int, int]
    transposed: bool
    """Whether the parameter is kept as (d_k, d)."""


@dataclass(frozen=True)
class Matrices:
    """The output matrix of every layer's MLP and of its attention; the sentence that says why where there is none."""

    model: str
    mlp: tuple[Matrix | str, ...]
    attention: tuple[Matrix | str, ...]


def refuse_other_matrices(there: Matrices, edit: Edit) -> None:
    """`BadRequest` where an edit changes a matrix that the model has not so named, in this shape, this way round.

    `UnknownArchitecture` where the model has no such matrix in that layer.
    """
    layers = there.attention if edit.request.silences else there.mlp
    for change in edit.changes:
        matrix = layers[change.layer] if 0 <= change.layer < len(layers) else None
        if isinstance(matrix, str):
            raise UnknownArchitecture(matrix)
        shape = (len(change.left), change.right.shape[1])
        if matrix is None or matrix.name != change.name or matrix.shape != shape:
            raise BadRequest(f"“{edit.title}” changes {change.name}, which {there.model} does not have in this shape.")
        if matrix.transposed != change.transposed:
            raise BadRequest(
                f"“{edit.title}” says that {change.name} is kept {'turned round' if change.transposed else 'upright'}; "
                f"{there.model} keeps it the other way. Nothing was changed."
            )
