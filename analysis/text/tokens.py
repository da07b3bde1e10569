"""Tokens, and where a piece of text lies among them.

Most published bugs of locate-and-edit code sit here: spaces, BOS, byte pieces, a subject that
shares a token with its neighbour. Positions are found by character offsets and refused, never
guessed, where the tokenizer glues the subject to other text.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.errors import BadRequest, EmptyAnswer, SubjectNotFound, SubjectSharesToken
from analysis.text.boundary import Boundary, continuation, parted
from analysis.text.finding import find_text
from analysis.text.labels import label, labels

if TYPE_CHECKING:
    import torch

__all__ = [
    "Tokens", "answer_token", "answer_tokens", "encode", "find_own", "find_text", "label", "subject_range",
    "token_range",
]  # fmt: skip
ANCHORS = ("", "\n", '"', "(", ".", "=", "。", "a")
"""Texts an answer is read behind where its own prompt melts with it; the first that leaves it whole is taken."""
_ID = re.compile(r"[␣‿]?⟨id (\d+)⟩")
"""An answer that is a token without text, named as it is shown."""


@dataclass(frozen=True)
class Tokens:
    """A text as the model reads it.

    `spans[i]` are the characters [from, to) of token i in `text`; special tokens have an empty span. `boundary`: what
    stands between this prompt and its answer. `rows`: ids the model has embeddings for, where that is known. In a chat
    (`analysis.text.chat`) `own` are the characters of a person's own prompt; `roles` says whose words each token is.
    """

    text: str
    ids: tuple[int, ...]
    labels: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    boundary: Boundary = "auto"
    rows: int | None = None
    own: tuple[int, int] | None = None
    roles: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def begin(self) -> int:
        """Where in `text` the person's own prompt begins."""
        return self.own[0] if self.own else 0

    @property
    def prompt(self) -> str:
        """The person's own prompt, all of `text` outside a chat."""
        return self.text[self.own[0] : self.own[1]] if self.own else self.text

    def tensor(self, device: "torch.device | str" = "cpu") -> "torch.Tensor":
        """Token ids as a batch of one, (1, tokens)."""
        import torch  # here, so that a page can show tokens before torch has been read

        return torch.tensor([self.ids], device=device)


def refuse_empty(text: str) -> None:
    """Raise `BadRequest` where nothing is asked."""
    if not text.strip():
        raise BadRequest("The prompt is empty. Write a sentence that ends just before its answer.")


def encode(tokenizer: Any, text: str, boundary: Boundary = "auto", rows: int | None = None) -> Tokens:
    """Tokenise `text` with the tokenizer's own rule about BOS; a BOS the text brings itself is not put a second time.

    A prompt is a text to be continued, so nothing may stand behind its last word: an EOS the tokenizer appends is taken
    off, and a space at its end is the one before the answer.
    """
    refuse_empty(text)
    text, typed = parted(text)
    return as_it_stands(tokenizer, text, typed if boundary == "auto" else boundary, rows)


def as_it_stands(tokenizer: Any, text: str, boundary: Boundary, rows: int | None = None) -> Tokens:
    """`encode` of a text whose end is part of it, whatever stands there."""
    ids, front, left_out = _read(tokenizer, text)
    if getattr(tokenizer, "is_fast", False):
        offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
        spans = [tuple(span) for span in offsets][left_out : left_out + len(ids)]
    else:
        spans = _spans_from_prefixes(tokenizer, text, ids, front)
    found = Tokens(text, ids, labels(tokenizer, ids), tuple(spans), boundary, rows)
    refuse_beyond(tokenizer, ids, rows, "The prompt")
    return found


def _read(tokenizer: Any, text: str) -> tuple[tuple[int, ...], int, int]:
    """Ids of a text; how many of them stand before it, and how many that would stand there are left out.

    What the tokenizer puts behind a text is taken off, and its BOS where the text brings one.
    """
    ids, own = (tuple(tokenizer(text, add_special_tokens=special)["input_ids"]) for special in (True, False))
    places = range(len(ids) - len(own) + 1) if own else ()
    front = next((at for at in places if ids[at : at + len(own)] == own), None)
    if front is None:
        return ids, 0, 0
    twice = int(front == 1 and ids[0] == own[0] == tokenizer.bos_token_id)
    return ids[twice : front + len(own)], front - twice, twice


def refuse_beyond(tokenizer: Any, ids: Iterable[int], rows: int | None, where: str) -> None:
    """Raise `BadRequest` for ids of a text, `where`, that a model with embeddings for so many has none for."""
    if rows is not None and (beyond := [token for token in ids if token >= rows]):
        raise BadRequest(
            f"{where} holds “{label(tokenizer, beyond[0]).strip()}”, which the tokenizer reads as id {beyond[0]}; the "
            f"model has ids 0 to {rows - 1} only. Write it otherwise, or load the model with its own tokenizer."
        )


def _spans_from_prefixes(tokenizer: Any, text: str, ids: tuple[int, ...], front: int) -> list[tuple[int, int]]:
    """Spans for tokenizers without offsets, from the prefixes of `text` that are read as the first tokens of `ids`.

    `front`: tokens before the text's own. Tokens no prefix tells apart, such as the bytes of one character, share the
    span of all of them.
    """
    ends = {front: 0}
    for cut in range(1, len(text)):
        part, *_ = _read(tokenizer, text[:cut])
        if len(part) > front and part == ids[: len(part)]:
            ends[len(part)] = cut
    ends[len(ids)] = len(text)
    spans, before = [(0, 0)] * front, front
    for count in sorted(ends)[1:]:
        spans += [(spans[-1][1] if spans else 0, ends[count])] * (count - before)
        before = count
    return spans


def token_range(tokens: Tokens, start: int, end: int) -> tuple[int, int]:
    """Tokens [b, e) that hold the characters [start, end), refused where they hold other text too."""
    part = tokens.text[start:end]
    touching = [i for i, (left, right) in enumerate(tokens.spans) if left < end and right > start and left < right]
    if not touching:
        raise SubjectNotFound(f"No token of the prompt belongs to “{part}”.")
    first, last = touching[0], touching[-1]
    before = tokens.text[min(tokens.spans[first][0], start) : start].strip()
    after = tokens.text[end : max(tokens.spans[last][1], end)].strip()
    for other, index in ((before, first), (after, last)):
        if other:
            left, right = tokens.spans[index]
            raise SubjectSharesToken(
                f"The tokenizer reads “{tokens.text[left:right].strip()}” as one token, so “{part}” cannot be told "
                f"from “{other}”. Widen the subject, or put a space between them."
            )
    return first, last + 1


def subject_range(tokens: Tokens, subject: str, occurrence: int | None = None) -> tuple[int, int]:
    """Tokens [b, e) of `subject` in the prompt."""
    return token_range(tokens, *find_own(tokens, subject, occurrence=occurrence))


def find_own(
    tokens: Tokens, part: str, *, occurrence: int | None = None, what: str = "subject", folded: bool = False
) -> tuple[int, int]:
    """Characters [from, to) of `part` in the person's own prompt; `folded`: whatever the case of letters."""
    start, end = find_text(tokens.prompt, part, occurrence=occurrence, what=what, fold=folded)
    return tokens.begin + start, tokens.begin + end


def answer_tokens(tokenizer: Any, prompt: Tokens, answer: str) -> tuple[int, ...]:
    """The tokens of `answer` as they follow the tokens of `prompt`: together they spell `boundary.joined` of both.

    The answer is read in its place. Where a tokenizer melts the prompt's end and the answer into one token, which could
    not follow the prompt as it was given, the answer's text is read by itself.
    """
    if named := _ID.fullmatch(answer.strip()):
        ids: tuple[int, ...] = (int(named[1]),)
        refuse_beyond(tokenizer, ids, prompt.rows, "The answer")
        return ids
    text = continuation(prompt.text, answer, prompt.boundary)
    if not text:
        raise EmptyAnswer(
            "The answer is empty. Write the word the prompt should continue with, or leave it to the model."
        )
    whole, *_ = _read(tokenizer, prompt.text + text)
    goes_on = len(whole) > len(prompt) and whole[: len(prompt)] == prompt.ids
    ids = whole[len(prompt) :] if goes_on else _alone(tokenizer, prompt, text, whole)
    if not ids or not _spelt(tokenizer, ids):
        raise EmptyAnswer(f"The tokenizer has no token for the answer “{answer.strip()}”.")
    refuse_beyond(tokenizer, ids, prompt.rows, "The answer")
    return ids


def _spelt(tokenizer: Any, ids: Iterable[int]) -> str:
    return tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)


def _alone(tokenizer: Any, prompt: Tokens, text: str, whole: tuple[int, ...]) -> tuple[int, ...]:
    """The tokens of `text` read behind a text that does not melt with it; `whole`, prompt and answer read as one."""
    wanted, found = _spelt(tokenizer, whole), []
    for anchor in ANCHORS:
        head = tokenizer(anchor, add_special_tokens=False)["input_ids"] if anchor else []
        ids = tokenizer(anchor + text, add_special_tokens=False)["input_ids"]
        if list(ids[: len(head)]) == list(head) and len(ids) > len(head):
            found.append(tuple(ids[len(head) :]))
            if _spelt(tokenizer, (*prompt.ids, *found[-1])) == wanted:
                return found[-1]
    return min(found, key=len, default=())  # a tokenizer that cannot spell this text exactly


def answer_token(tokenizer: Any, prompt: Tokens, answer: str) -> int:
    """First of the answer's tokens."""
    return answer_tokens(tokenizer, prompt, answer)[0]
