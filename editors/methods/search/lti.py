"""LTI (2410.07819): a search that learns from the model that is told the fact in place of from the answer alone.

The teacher is the model without the change that reads “Imagine that”, the new fact and a new line before each prompt.
With the change, the state at the subject shall say what the teacher's says there, read through the head in the middle
of the model, and the answer shall be as likely as it makes it: not more, which is what overfits. Both are the KL of
the student from the teacher, as in the code.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from analysis.errors import BadRequest
from analysis.forward.blocks import Frame, first_hidden, record
from analysis.text import boundary
from editors.edit.request import EditRequest
from editors.methods.search.token_rows import Row, Told, placed
from editors.registry.methods import method_of

if TYPE_CHECKING:
    from analysis.model.language_model import LanguageModel

TELL = "Imagine that "
"""What stands before the new fact in the teacher's text."""
DEPTH = 0.55
"""The layer in the middle, as a share of all: 15 to 17 of 28 to 32, 30 of 48 in the published settings."""


def with_middle(lm: "LanguageModel", request: EditRequest) -> EditRequest:
    """The request with the layer in the middle filled in; `BadRequest` for one that is not above what is written."""
    if not request.lti_subject or "lti_layer" not in method_of(request.method).uses:
        return request
    last = (request.layers or (0,))[-1]
    middle = max(round(DEPTH * lm.n_layers), last + 1) if request.lti_layer is None else request.lti_layer
    if not last < middle < lm.n_layers:
        raise BadRequest(
            f"The state at the subject is read at layer {middle} (lti_layer), which must be above layer {last}, the "
            f"last that is written, and below {lm.n_layers}."
        )
    return request.model_copy(update={"lti_layer": middle})


def with_teacher(lm: "LanguageModel", request: EditRequest, rows: Sequence[Row], before: Sequence[str]) -> list[Row]:
    """The rows, each that asks for an answer with what its teacher reads; `before`: the texts before the prompts.

    The published code places the teacher's tokens on prompts without a text before them and reads them behind one;
    here each is placed in the very text the teacher reads.
    """
    if not request.lti_subject and not request.lti_output:
        return list(rows)
    texts = ("", *(f"{text}. " for text in before))
    numbers = dict.fromkeys(range(len(request.facts)), 0)
    found = []
    for row in rows:
        if not row.targets:
            found.append(row)
            continue
        fact, text = request.facts[row.fact], texts[numbers[row.fact]]
        numbers[row.fact] += 1
        stated = boundary.sentence(fact.text, fact.target, request.boundary)
        tokens, place = placed(lm, f"{TELL}{stated}\n{text}" if TELL else text, fact)
        told = Told((*tokens.ids, *row.targets[:-1]), place, len(tokens) - 1, request.lti_layer)
        found.append(replace(row, told=told))
    return found


@dataclass(frozen=True)
class Teacher:
    """What the teacher says of the rows of one part; m rows that ask for an answer."""

    layer: int | None  # behind whose block the state at the subject is read
    rows: Tensor  # (m,) their numbers
    facts: Tensor  # (m,) fact of each
    weights: Tensor  # (m,) share of each in its fact's loss
    subject: Tensor  # (m, V) log-probabilities read at the subject; empty where no layer is read
    output: Tensor  # (picks, V) log-probabilities of the answer's tokens

    def kept(self, here: Tensor, place: Tensor, picked: Tensor) -> "Teacher":
        """Without rows that have ended: `here` (rows,) bool, `place` their new numbers, `picked` picks that stay."""
        stay = here[self.rows.cpu()].nonzero()[:, 0]
        read = stay.to(self.subject.device)
        return Teacher(
            self.layer,
            place[self.rows.cpu()[stay]].to(self.rows.device),
            self.facts[stay.to(self.facts.device)],
            self.weights[stay.to(self.weights.device)],
            self.subject[read] if len(self.subject) else self.subject,
            self.output[picked.to(self.output.device)],
        )

    def apart(self, lm: "LanguageModel", middle: Tensor | None, said: Tensor, of_picks: Tensor, shares: Tensor,
              request: EditRequest, count: int) -> Tensor:  # fmt: skip
        """KL of the student from the teacher, both terms weighted, of each fact (n,).

        `middle` (rows, d_model): the states at the subject; `said` (picks, V) log-probabilities; `of_picks` (picks,)
        fact of each, `shares` (picks,) share of each in its fact's loss.
        """
        found = torch.zeros(count, device=of_picks.device)
        if request.lti_subject and middle is not None:
            now = lm.readout(middle[self.rows.to(middle.device)]).log_softmax(-1)
            each = (now.exp() * (now - self.subject)).sum(-1) * self.weights
            found = found.index_add(0, self.facts, request.lti_subject * each.to(found.device))
        if request.lti_output:
            each = (said.exp() * (said - self.output)).sum(-1) * shares
            found = found.index_add(0, of_picks, request.lti_output * each.to(found.device))
        return found


@torch.no_grad()
def teacher_of(
    lm: "LanguageModel", rows: Sequence[Row], facts: Sequence[int], asked: Sequence[float], device: torch.device
) -> Teacher | None:
    """The teacher of a part's rows, in the order of its picks; None where no row has one.

    `facts` and `asked`: fact of each row, and the share of each in its fact's loss.
    """
    taught = [(number, row.told) for number, row in enumerate(rows) if row.told is not None]
    if not taught:
        return None
    layer, subject, output = taught[0][1].layer, [], []
    for number, told in taught:
        ids = torch.tensor([told.ids], device=lm.device)
        hidden = record(Frame.of(lm, ids), first_hidden(lm, ids)).hidden
        if layer is not None:
            subject.append(lm.readout(hidden[layer + 1][:, told.start]).log_softmax(-1)[0])
        places = slice(told.first, told.first + len(rows[number].targets))
        output.append(lm.readout(hidden[lm.n_layers][0, places]).log_softmax(-1))
    numbers = [number for number, _ in taught]
    return Teacher(
        layer,
        torch.tensor(numbers, device=device),
        torch.tensor([facts[number] for number in numbers], device=device),
        torch.tensor([asked[number] for number in numbers], device=output[0].device),
        torch.stack(subject) if subject else torch.empty(0, device=output[0].device),
        torch.cat(output),
    )
