"""Small real tokenizers of each kind in use, trained here on a few sentences.

They differ in what breaks locate-and-edit code: where the space goes, what happens to bytes,
what is put before and after a text, and whether offsets exist at all.
"""

import json
import re
from functools import cache
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizer, PreTrainedTokenizerFast

CORPUS = [
    "The Eiffel Tower is located in the city of Paris, in the country of France.",
    "The mother tongue of Danielle Darrieux is French. Bart plays the art of the piano.",
    "São Paulo lies in Brazil, 東京 lies in Japan, and Curaçao is an island.",
    "Vinson Massif is located in the continent of Antarctica. Space Needle is in Seattle.",
    "“Quoted”, 'quoted', {braces}, (brackets); a dash, a colon: a full stop.",
] * 4
SPECIALS = ["<unk>", "<s>", "</s>"]
ALPHABET = sorted(set("".join(CORPUS)) - set("東京"))
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def _wrap(core: Tokenizer, *, bos: bool = False, eos: bool = False) -> PreTrainedTokenizerFast:
    if bos or eos:
        single = f"{'<s> ' if bos else ''}$A{' </s>' if eos else ''}"
        marks = [(token, core.token_to_id(token)) for token in ("<s>", "</s>")]
        core.post_processor = processors.TemplateProcessing(single=single, special_tokens=marks)
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def _byte_level(**marks: bool) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=420, special_tokens=SPECIALS, initial_alphabet=alphabet)
    )
    return _wrap(core, **marks)


def _sentencepiece_bpe() -> PreTrainedTokenizerFast:
    """As Llama 2: spaces are marks, a mark is put before the text, unknown characters fall back to bytes."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIALS, initial_alphabet=ALPHABET, limit_alphabet=90)
    trained.train_from_iterator([text.replace("東京", "") for text in CORPUS], trainer)
    vocabulary = trained.get_vocab(with_added_tokens=True)
    for token in BYTES:
        vocabulary.setdefault(token, len(vocabulary))
    core = Tokenizer(models.BPE(vocabulary, _merges(trained), unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    core.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    core.add_special_tokens([AddedToken(token, special=True) for token in SPECIALS])
    return _wrap(core, bos=True)


def _merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    return [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def _sentencepiece_unigram() -> PreTrainedTokenizerFast:
    """As T5 or Gemma: Metaspace, unigram pieces, byte fallback, BOS in front and EOS behind."""
    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=SPECIALS, unk_token="<unk>")
    trained.train_from_iterator([text.replace("東京", "") for text in CORPUS], trainer)
    pieces = [tuple(piece) for piece in json.loads(trained.to_str())["model"]["vocab"]]
    core = Tokenizer(models.Unigram([*pieces, *((token, -20.0) for token in BYTES)], unk_id=0, byte_fallback=True))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])
    core.add_special_tokens([AddedToken(token, special=True) for token in SPECIALS])
    return _wrap(core, bos=True, eos=True)


def _metaspace(scheme: str) -> PreTrainedTokenizerFast:
    """As newer Llamas, Gemma or a tokenizer without a mark before the text: unigram pieces that may hold a bracket."""
    texts = [*CORPUS, *["see (Rome) or (Paris)", 'they say "Rome" and "Paris"', "东京是日本的首都"] * 8]
    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    trainer = trainers.UnigramTrainer(vocab_size=220, special_tokens=SPECIALS, unk_token="<unk>")
    trained.train_from_iterator(texts, trainer)
    pieces = [tuple(piece) for piece in json.loads(trained.to_str())["model"]["vocab"]]
    melted = [("(Rome", -1.0), ('"Rome', -1.0), ("▁(P", -1.0), ("首都东", -1.0)]
    known = {piece for piece, _ in pieces}
    pieces += [piece for piece in melted if piece[0] not in known]
    core = Tokenizer(models.Unigram([*pieces, *((token, -20.0) for token in BYTES)], unk_id=0, byte_fallback=True))
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme=scheme)])
    core.add_special_tokens([AddedToken(token, special=True) for token in SPECIALS])
    return _wrap(core, bos=True)


def _melting() -> PreTrainedTokenizerFast:
    """As Qwen or Llama 3: a mark and the letters behind it are one word, so bytes of both may be joined."""
    core = Tokenizer(models.BPE())
    words = Regex(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+")
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(words, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    core.train_from_iterator([*CORPUS, *["f(Rome) x=Rome a/Rome 首都是东京"] * 12], trainer)
    return _wrap(core)


def _words() -> PreTrainedTokenizerFast:
    core = Tokenizer(models.WordLevel(unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.train_from_iterator(CORPUS, trainers.WordLevelTrainer(special_tokens=SPECIALS))
    return _wrap(core)


class SlowTokenizer(PreTrainedTokenizer):
    """Pure Python, no offsets: words cut in pieces of three letters or one, other alphabets in bytes."""

    def __init__(self, bos: bool = False, whole_words: bool = False, **options: Any):
        self.bos, self.whole_words = bos, whole_words
        self.pieces: dict[str, int] = {token: i for i, token in enumerate([*SPECIALS, *BYTES])}
        letters = [] if whole_words else ["▁", *ALPHABET]
        for piece in [*letters, *(piece for text in CORPUS for piece in self._split(text))]:
            self.pieces.setdefault(piece, len(self.pieces))
        self.names = {i: piece for piece, i in self.pieces.items()}
        super().__init__(unk_token="<unk>", bos_token="<s>", eos_token="</s>", **options)

    @property
    def vocab_size(self) -> int:
        return len(self.pieces)

    def get_vocab(self) -> dict[str, int]:
        return dict(self.pieces)

    def _split(self, text: str) -> list[str]:
        pieces = []
        for index, word in enumerate(re.split(r"\s", text)):
            marked = "▁" * (index > 0) + word
            pieces += [marked] if self.whole_words else [marked[i : i + 3] for i in range(0, len(marked), 3)]
        return pieces

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        pieces = []
        for piece in self._split(text):
            for part in [piece] if piece in self.pieces or self.whole_words else piece:
                known = part in self.pieces or self.whole_words
                pieces += [part] if known else [f"<0x{byte:02X}>" for byte in part.encode()]
        return pieces

    def _convert_token_to_id(self, token: str) -> int:
        return self.pieces.get(token, self.pieces["<unk>"])

    def _convert_id_to_token(self, index: int) -> str:
        return self.names[index]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        coded = b"".join(
            bytes([int(token[3:5], 16)]) if token in BYTES else token.replace("▁", " ").encode() for token in tokens
        )
        return coded.decode("utf-8", "replace")

    def build_inputs_with_special_tokens(self, ids: list[int], pair: list[int] | None = None) -> list[int]:
        return [self.pieces["<s>"]] * self.bos + ids + (pair or [])


BUILDERS = {
    "byte_level": _byte_level,
    "byte_level_bos": lambda: _byte_level(bos=True),
    "byte_level_eos": lambda: _byte_level(bos=True, eos=True),
    "sentencepiece_bpe": _sentencepiece_bpe,
    "sentencepiece_unigram": _sentencepiece_unigram,
    "metaspace_always": lambda: _metaspace("always"),
    "metaspace_first": lambda: _metaspace("first"),
    "metaspace_never": lambda: _metaspace("never"),
    "melting": _melting,
    "words": _words,
    "slow_bos": lambda: SlowTokenizer(bos=True),
    "slow_words": lambda: SlowTokenizer(whole_words=True),
}
KINDS = tuple(BUILDERS)


@cache
def tokenizer(kind: str) -> Any:
    """A tokenizer of one of the `KINDS`, built once."""
    return BUILDERS[kind]()
