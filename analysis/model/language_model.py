"""A language model as every analysis sees it.

One object over TransformerLens's bridge over the Hugging Face model: weights stay the Hugging
Face parameters, hook names are the bridge's, and a self-check says how far its logits are from
Hugging Face's own.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from analysis.errors import PromptTooLong, UnknownArchitecture
from analysis.forward.architecture import (
    Readout,
    build_bridge,
    context_length,
    factors_in,
    refuse_by_config,
    taken,
    text_config,
)
from analysis.forward.blocks import Frame, Passage, PrefixCache, Site, first_hidden, record
from analysis.forward.head_rows import whole_rows
from analysis.model.capabilities import Capability, lacking
from analysis.model.load_check import (
    FAILURES,
    SHORT,
    prompt,
    refuse_what_looks_ahead,
    rounding,
    tried,
    why,
    written_factors,
)
from analysis.study import edited_hash
from analysis.text.boundary import marked
from analysis.text.chat import in_chat
from analysis.text.framing import PLAIN, Chat, Framing
from analysis.text.labels import joins_with_spaces
from analysis.text.tokens import Tokens, encode, label


@dataclass(frozen=True)
class SelfCheck:
    """Largest absolute logit differences on a fixed sequence of tokens."""

    bridge: float
    """Bridge against the plain Hugging Face model."""
    blocks: float
    """Blocks called one at a time, on the whole prompt and on its second half, against the plain Hugging Face model."""

    @property
    def largest(self) -> float:
        """The larger of both."""
        return max(self.bridge, self.blocks)


def _nobody_listens() -> None:
    """Where no run is to be cancelled."""


class LanguageModel:
    """A decoder-only language model, ready for analysis.

    Build it with `analysis.load(...)`, or from objects at hand:
    `LanguageModel(model, tokenizer, name="mine")`. The model is wrapped in place, set to
    evaluation mode, and its parameters stop asking for gradients.
    """

    def __init__(self, model: nn.Module, tokenizer: Any, *, name: str, source: str = "", revision: str | None = None):
        self.name, self.source, self.revision = name, source or name, revision
        self.commit: str | None = None  # of the hub, where it was fetched from there
        self.tokenizer = tokenizer
        self.edits: tuple[str, ...] = ()  # ids of the edits written over these weights now
        self.framing: Framing = PLAIN  # how prompts are put now
        self.look: Callable[[], None] = _nobody_listens  # called before a text is read; may raise `Cancelled`
        self.frames: dict[int, Frame] = {}
        self.memo: dict[tuple, Any] = {}  # what was measured once on these weights
        self.model = model.eval().requires_grad_(False)
        self.parameters: dict[str, nn.Parameter] = dict(model.named_parameters())
        self.buffers: dict[str, Tensor] = dict(model.named_buffers())
        self.config = text_config(model.config)
        refuse_by_config(self.name, model.config)
        self.factors: dict[Site, float] = {"mlp": 1.0, "attn": 1.0}  # of what is added to the residual stream
        self.capabilities: dict[str, Capability] = {}
        probe = prompt(self.config.vocab_size)
        with torch.no_grad():
            plain = self._plain(probe)
            self.bridge = build_bridge(model)
        self.bridge.eval().requires_grad_(False)  # some families' joint projections are split into new parameters
        self.blocks = list(self.bridge.blocks)
        self.block_devices = [next(block.parameters()).device for block in self.blocks]
        self.readout = Readout.of(self.bridge, model.config)
        whole_rows(self.readout.steps[-1])
        self.check, frame, run = self._check(probe, plain)
        self.capabilities = tried(self, probe, plain, frame, run)

    def _plain(self, probe: Tensor) -> Tensor:
        """Logits of a prompt by the plain model, never wrapped."""
        try:
            plain, beginning = self.logits(probe), self.logits(probe[:, :SHORT])
        except torch.OutOfMemoryError:
            raise
        except FAILURES as error:
            raise UnknownArchitecture(
                f"{self.name} ({type(self.model).__name__}) does not read a plain prompt: {why(error)} Choose another "
                "model."
            ) from error
        refuse_what_looks_ahead(self, plain, beginning)
        return plain

    def _check(self, probe: Tensor, reference: Tensor) -> tuple[SelfCheck, Frame, Passage]:
        middle, way = probe.shape[1] // 2, "block by block"
        try:
            with torch.no_grad():
                bridged = self.logits(probe)
                frame = Frame(self, probe.flip(1))  # a frame serves every prompt of its length
                sites: tuple[Site, ...] = ("mlp", "attn")
                start = first_hidden(self, probe)
                passage = record(frame, start, sites)
                if len(factors_in(self.config)) > 1:
                    self.readout = self.readout.scaled(self.config, passage.hidden[-1], reference)
                    self.factors = written_factors(self, passage)
                    passage = record(frame, start, sites)
                whole = self.readout(passage.hidden[-1]).to(reference.device)
                way = "from a middle token on, with what was read before in store"
                hidden = passage.hidden[0][:, middle:].repeat(2, 1, 1)
                for layer in range(self.n_layers):
                    hidden = frame.run(
                        layer, hidden, start=middle, cache=PrefixCache(passage.prefix_before(layer, middle))
                    )
                resumed = self.readout(hidden).to(reference.device)
        except torch.OutOfMemoryError:
            raise
        except (*FAILURES, UnknownArchitecture) as error:
            raise UnknownArchitecture(
                f"{self.name} ({type(self.model).__name__}) cannot be read {way}: {why(error)} Choose another "
                "model, or report its architecture."
            ) from error
        blocks = max((whole - reference).abs().max(), (resumed - reference[:, middle:]).abs().max())
        check = SelfCheck(bridge=(bridged - reference).abs().max().item(), blocks=blocks.item())
        if not check.largest <= rounding(reference, self.dtype):
            raise UnknownArchitecture(
                f"{self.name} ({type(self.model).__name__}) cannot be read exactly: its logits differ from Hugging "
                f"Face's by {check.bridge:.2g} through the bridge and {check.blocks:.2g} block by block. "
                "Choose another model, or report its architecture."
            )
        return check, frame, passage

    def can(self, capability: str) -> bool:
        """Whether the model has one of `analysis.model.capabilities`; while they are tried, it is taken to."""
        return capability not in self.capabilities or not self.capabilities[capability].refused

    def require(self, needs: Iterable[str]) -> None:
        """Raise `UnknownArchitecture` where the model lacks one of the capabilities, with the reason."""
        if sentence := lacking(needs, self.capabilities, self.name):
            raise UnknownArchitecture(sentence)

    def logits(self, ids: Tensor, last: int = 0) -> Tensor:
        """Logits (rows, tokens, vocabulary) in float32 of the model's own full forward.

        `last`: of so many tokens at the end only; 0 for all.
        """
        options = taken(self.model, {"logits_to_keep": last})
        output = self.model(input_ids=ids.to(self.device), use_cache=False, **options)
        return output.logits[:, -last:].float()

    @torch.no_grad()
    def next_word(self, tokens: Tokens) -> Tensor:
        """Probabilities (vocabulary,) of the token after a prompt."""
        return self.logits(tokens.tensor(), 1)[0, -1].softmax(-1)

    @property
    def framing_key(self) -> tuple[Any, ...]:
        """The framing, as part of what measurements kept in `memo` are found by."""
        return (self.framing.boundary, self.framing.chat)

    @contextmanager
    def framed(self, framing: Framing) -> Iterator[None]:
        """Put prompts as `framing` says while the context is open."""
        before, self.framing = self.framing, framing
        try:
            yield
        finally:
            self.framing = before

    def encode(self, prompt: str) -> Tokens:
        """Tokens of a prompt, put as the framing says; refused where the model cannot read so many."""
        chat = self.framing.chat
        return self.encode_plain(prompt) if chat is None else self.encode_talk([prompt], chat)

    def encode_plain(self, text: str) -> Tokens:
        """Tokens of a text as it stands, whatever the framing: of corpora, and of what the model writes by itself."""
        self.look()
        return self._short_enough(encode(self.tokenizer, text, self.framing.boundary, self.n_ids))

    def encode_talk(self, talk: Sequence[str], chat: Chat) -> Tokens:
        """Tokens of a conversation, what the person says and what the model said in turn, in the model's template."""
        self.look()
        return self._short_enough(in_chat(self.tokenizer, talk, chat, self.name, self.framing.boundary, self.n_ids))

    def _short_enough(self, tokens: Tokens) -> Tokens:
        limit = context_length(self.config)
        if limit is not None and len(tokens) > limit:
            raise PromptTooLong(f"The prompt has {len(tokens)} tokens; {self.name} reads at most {limit}. Shorten it.")
        return tokens

    def words(self, ids: Any) -> list[str]:
        """The text of each token id, leading spaces kept."""
        return [label(self.tokenizer, int(token)) for token in ids]

    def said(self, after: Tokens, ids: Any) -> list[str]:
        """Each token id as the first of an answer: `words`, and ␣ or ‿ before those that begin otherwise than usual."""
        found = []
        for word in self.words(ids):
            unsaid = " " if word[:1].isalnum() and joins_with_spaces(self.tokenizer) else ""
            shown = marked(after.text, unsaid + word, after.boundary)
            found.append(word if shown == word.lstrip() else shown)
        return found

    @cached_property
    def n_ids(self) -> int:
        """Token ids the model can read and say; a tokenizer may have more, or fewer."""
        model: Any = self.model
        tables = (model.get_input_embeddings(), model.get_output_embeddings())
        return min(table.weight.shape[0] for table in tables if table is not None)

    @property
    def device(self) -> torch.device:
        """Device of the embedding, where token ids go."""
        return next(iter(self.parameters.values())).device

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights."""
        return next(iter(self.parameters.values())).dtype

    @property
    def n_layers(self) -> int:
        """Number of decoder blocks."""
        return len(self.blocks)

    @property
    def n_heads(self) -> int:
        """Query heads per block."""
        return self.config.num_attention_heads

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return self.config.hidden_size

    @cached_property
    def n_parameters(self) -> int:
        """Number of parameters, tied ones once."""
        return sum(parameter.numel() for parameter in self.parameters.values())

    @property
    def weights_hash(self) -> str:
        """The model's identity: that of its own weights, and of the edits written over them now."""
        return edited_hash(self.own_hash, self.edits)

    @cached_property
    def own_hash(self) -> str:
        """SHA-256 over names, types, shapes and bytes of all parameters as they were loaded."""
        digest = hashlib.sha256()
        for name in sorted(self.parameters):
            parameter = self.parameters[name].detach()
            digest.update(f"{name}|{parameter.dtype}|{tuple(parameter.shape)}|".encode())
            digest.update(parameter.contiguous().cpu().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def card(self) -> dict[str, Any]:
        """What a result must say about the model it was made with; `commit` is the hub’s, where it is from there."""
        return {
            "name": self.name,
            "source": self.source,
            "revision": self.revision,
            **({"commit": self.commit} if self.commit else {}),
            "weights_hash": self.weights_hash,
            "edits": list(self.edits),
            "architecture": (getattr(self.model.config, "architectures", None) or ["?"])[0],
            "layers": self.n_layers,
            "heads": self.n_heads,
            "d_model": self.d_model,
            "parameters": self.n_parameters,
            "dtype": str(self.dtype).removeprefix("torch."),
            "device": str(self.device),
            "max_logit_difference_to_hugging_face": self.check.largest,
        }
