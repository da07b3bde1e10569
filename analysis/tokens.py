"""Tokens, and where a piece of text lies among them.

Most published bugs of locate-and-edit code sit here: spaces, BOS, byte pieces, a subject that
shares a token with its neighbour. Positions are found by character offsets and refused, never
guessed, where the tokenizer glues the subject to other text.
"""

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.errors import BadRequest, EmptyAnswer, SubjectAmbiguous, SubjectNotFound, SubjectSharesToken

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Tokens:
    """A text as the model reads it.

    `spans[i]` are the characters [from, to) of token i in `text`; special tokens have an empty span.
    In a chat (`analysis.chat`) `own` are the characters of a person's own prompt, `roles` says whose words each token
    is, and `gap` what the template puts between the text and an answer, where it tells.
    """

    text: str
    ids: tuple[int, ...]
    labels: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    own: tuple[int, int] | None = None
    roles: tuple[str, ...] = ()
    gap: str | None = None

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


def encode(tokenizer: Any, text: str) -> Tokens:
    """Tokenise `text` with the tokenizer's own rule about BOS; an EOS it appends is taken off.

    A prompt is a text to be continued, so nothing may stand behind its last word.
    """
    refuse_empty(text)
    if getattr(tokenizer, "is_fast", False):
        encoded = tokenizer(text, return_offsets_mapping=True)
        ids, spans = list(encoded["input_ids"]), [tuple(span) for span in encoded["offset_mapping"]]
    else:
        ids = list(tokenizer(text)["input_ids"])
        spans = _spans_from_prefixes(tokenizer, text, ids)
    special = {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id} - {None}
    while len(ids) > 1 and ids[-1] in special and _is_empty(spans[-1]):
        ids.pop()
        spans.pop()
    labels = tuple(label(tokenizer, token) for token in ids)
    return Tokens(text, tuple(ids), labels, tuple(spans))


def _is_empty(span: tuple[int, int]) -> bool:
    return span[0] == span[1]


def _spans_from_prefixes(tokenizer: Any, text: str, ids: list[int]) -> list[tuple[int, int]]:
    """Spans for tokenizers without offsets, from the prefixes of `text` that are read as the first tokens of `ids`.

    Tokens no prefix tells apart, such as the bytes of one character, share the span of all of them.
    """
    marks = set(getattr(tokenizer, "all_special_ids", ())) - {getattr(tokenizer, "unk_token_id", None)}

    def bare(ids: list[int]) -> list[int]:
        while ids and ids[-1] in marks:
            ids = ids[:-1]
        return ids

    body = bare(ids)
    front = next((index for index, token in enumerate(body) if token not in marks), len(body))
    ends = {front: 0}
    for cut in range(1, len(text)):
        part = bare(list(tokenizer(text[:cut])["input_ids"]))
        if len(part) > front and part == body[: len(part)]:
            ends[len(part)] = cut
    ends[len(body)] = len(text)
    spans, before = [(0, 0)] * front, front
    for count in sorted(ends)[1:]:
        spans += [(spans[-1][1] if spans else 0, ends[count])] * (count - before)
        before = count
    return spans + [(len(text), len(text))] * (len(ids) - len(body))


def label(tokenizer: Any, token: int) -> str:
    """The text of one token, its leading space kept; pieces of a character show as their byte."""
    text = tokenizer.decode([token], clean_up_tokenization_spaces=False)
    piece = tokenizer.convert_ids_to_tokens(token)
    if isinstance(piece, str):
        if piece.startswith("▁") and not text.startswith(" "):
            text = " " + text
        if "\ufffd" in text:
            text = piece
    return text


def find_text(text: str, part: str, *, occurrence: int | None = None, what: str = "subject") -> tuple[int, int]:
    """Characters [from, to) of `part` in `text`; whole words are preferred over parts of words.

    `occurrence` counts from 0 and is needed when there is more than one.
    """
    wanted = part.strip()
    if not wanted:
        raise SubjectNotFound(f"The {what} is empty. Name the words of the prompt it stands for.")
    places = [match.start() for match in re.finditer(rf"(?<!\w){re.escape(wanted)}(?!\w)", text)]
    places = places or [match.start() for match in re.finditer(re.escape(wanted), text)]
    if not places:
        suggestion = _nearest(text, wanted)
        hint = f" Did you mean “{suggestion}”?" if suggestion else ""
        raise SubjectNotFound(f"“{wanted}” is not in the prompt.{hint}", suggestion)
    if occurrence is None:
        if len(places) > 1:
            raise SubjectAmbiguous(
                f"“{wanted}” occurs {len(places)} times in the prompt. Choose which one (0 to {len(places) - 1}).",
                len(places),
            )
        occurrence = 0
    if not 0 <= occurrence < len(places):
        raise SubjectNotFound(
            f"“{wanted}” occurs {len(places)} times in the prompt; there is no occurrence {occurrence} "
            f"(the first is 0)."
        )
    return places[occurrence], places[occurrence] + len(wanted)


def _nearest(text: str, wanted: str) -> str | None:
    """The run of whole words of `text` most like `wanted`."""
    words = list(re.finditer(r"\w[\w'’.-]*", text))
    size = len(wanted.split())
    runs = [
        text[words[i].start() : words[j].end()]
        for i in range(len(words))
        for j in range(i, min(len(words), i + size + 1))
    ]
    by_folded = {run.casefold(): run for run in reversed(runs)}
    close = difflib.get_close_matches(wanted.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


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
    prompt = tokens.prompt.casefold() if folded else tokens.prompt
    start, end = find_text(prompt, part.casefold() if folded else part, occurrence=occurrence, what=what)
    return tokens.begin + start, tokens.begin + end


def answer_tokens(tokenizer: Any, prompt: Tokens, answer: str) -> tuple[int, ...]:
    """The tokens of `answer` as they would follow `prompt`.

    The answer is read in its place, so the space before it and SentencePiece's own marks come
    out as the model would write them. Where prompt and answer melt into one token, the answer
    is encoded alone after a space.
    """
    answer = answer.strip()
    if not answer:
        raise EmptyAnswer(
            "The answer is empty. Write the word the prompt should continue with, or leave it to the model."
        )
    gap = " " if prompt.gap is None else prompt.gap
    whole = encode(tokenizer, f"{prompt.text}{gap}{answer}").ids
    if whole[: len(prompt)] == prompt.ids and len(whole) > len(prompt):
        return whole[len(prompt) :]
    alone = tokenizer(f"{gap}{answer}", add_special_tokens=False)["input_ids"]
    named = [index for index, token in enumerate(alone) if label(tokenizer, token).strip()]
    if not named:
        raise EmptyAnswer(f"The tokenizer has no token for the answer “{answer}”.")
    return tuple(alone[named[0] :])


def answer_token(tokenizer: Any, prompt: Tokens, answer: str) -> int:
    """First of the answer's tokens."""
    return answer_tokens(tokenizer, prompt, answer)[0]
