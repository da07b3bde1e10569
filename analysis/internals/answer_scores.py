"""From logits to scores: what a run says about the answer, measured."""

from dataclasses import dataclass

from torch import Tensor

from analysis.internals.scores import TOP, Scores


@dataclass(frozen=True)
class Judge:
    """Knows the answer, the foil and the clean run's distribution."""

    answer: int
    foil: int
    clean: Tensor  # (vocabulary,) log-probabilities of the clean run

    def __call__(self, logits: Tensor) -> Scores:
        """Scores of logits (..., S, vocabulary) at the last token."""
        clean = self.clean.to(logits.device)
        probabilities = logits.softmax(-1)
        largest = logits.max(-1)
        normaliser = largest.values - probabilities.gather(-1, largest.indices[..., None])[..., 0].log()
        top = probabilities.mean(-2).topk(TOP, dim=-1)
        return Scores(
            probability=probabilities[..., self.answer].cpu().numpy(),
            logit_difference=(logits[..., self.answer] - logits[..., self.foil]).cpu().numpy(),
            kl=(clean.exp().mul(clean).sum() - (logits @ clean.exp() - normaliser)).cpu().numpy(),
            top_ids=top.indices.cpu().numpy(),
            top_probabilities=top.values.cpu().numpy(),
        )


def foil_token(logits: Tensor, answer: int) -> int:
    """The corrupted run's favourite that is not the answer: the default to compare the answer with.

    `logits` (S, vocabulary); favourites are taken of the mean distribution.
    """
    mean = logits.softmax(-1).mean(0)
    mean[answer] = -1
    return int(mean.argmax())
