"""Where a subject lies among the tokens, for every kind of tokenizer."""

import copy
import re

import pytest

from analysis.errors import BadRequest, EmptyAnswer, SubjectAmbiguous, SubjectNotFound, SubjectSharesToken
from analysis.text.boundary import joined
from analysis.text.tokens import (
    Tokens,
    answer_token,
    answer_tokens,
    encode,
    find_text,
    label,
    subject_range,
    token_range,
)
from tests.kit.stub_tokenizers import KINDS, tokenizer

PLACES = {
    "at the start": ("Paris is the capital of", "Paris"),
    "at the end": ("The mother tongue of Danielle Darrieux", "Danielle Darrieux"),
    "in the middle": ("The Eiffel Tower is located in the city of", "Eiffel Tower"),
    "given with spaces around": ("The Eiffel Tower is located in", "  Eiffel Tower "),
    "the whole prompt": ("Vinson Massif", "Vinson Massif"),
    "one word": ("The art of", "art"),
    "accents": ("In São Paulo they speak", "São Paulo"),
    "accents, composed of two characters": ("In Sa\u0303o Paulo they speak", "Sa\u0303o Paulo"),
    "characters of several tokens": ("Today 東京 lies in", "東京"),
    "a character cut in bytes": ("They say 😀 means", "😀"),
    "characters cut in bytes, at the start": ("😀🜨 means", "😀🜨"),
    "two spaces before": ("In  Paris they speak", "Paris"),
    "spaces at the start": ("  Paris is in", "Paris"),
    "after a line break": ("Here is Paris.\nParis Hilton is", "Paris Hilton"),
    "curly quotes": ("He said “ Paris ” and", "Paris"),
    "braces": ("The set { Paris } is", "Paris"),
    "a regular expression's characters": ("Is Paris (France) [x]+ in", "[x]+"),
    "with punctuation inside": ("In Paris, France they speak", "Paris, France"),
    "far in": ("The Eiffel Tower is located in the city. " * 12 + "Vinson Massif is in", "Vinson Massif"),
}
SENTENCES = {place: case for place, case in PLACES.items() if place not in ("spaces at the start", "two spaces before")}


@pytest.fixture(scope="module", params=KINDS)
def reader(request: pytest.FixtureRequest):
    return tokenizer(request.param)


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def whole(tokens: Tokens, begin: int, end: int) -> str:
    """The characters tokens [begin, end) touch."""
    spans = [span for span in tokens.spans[begin:end] if span[0] < span[1]]
    return tokens.text[spans[0][0] : spans[-1][1]]


@pytest.mark.parametrize("place", PLACES)
def test_the_range_holds_the_subject_and_nothing_else(reader, place):
    prompt, subject = PLACES[place]
    tokens = encode(reader, prompt)
    begin, end = subject_range(tokens, subject)
    assert 0 <= begin < end <= len(tokens)
    assert whole(tokens, begin, end).strip() == subject.strip()
    decoded = reader.decode(list(tokens.ids[begin:end]))
    if reader.unk_token_id not in tokens.ids:
        assert squeezed(subject) == squeezed(decoded)


@pytest.mark.parametrize("place", SENTENCES)
def test_offsets_agree_with_counting_the_tokens_up_to_the_subject(reader, place):
    """Specification 0.4.3: the last subject token is the last token of prompt-up-to-the-subject."""
    prompt, subject = SENTENCES[place]
    tokens = encode(reader, prompt)
    _, stop = find_text(prompt, subject)
    until = encode(reader, prompt[:stop])
    _, end = subject_range(tokens, subject)
    assert end == len(until)
    assert tokens.ids[:end] == until.ids


def test_marks_stand_once_in_front_and_never_behind(reader):
    tokens = encode(reader, "The Eiffel Tower is located in")
    fronted = reader("The")["input_ids"][0] == reader.bos_token_id
    assert tokens.ids.count(reader.bos_token_id) == int(fronted)
    assert reader.eos_token_id not in tokens.ids
    assert len(tokens.ids) == len(tokens.labels) == len(tokens.spans)
    assert tokens.tensor().shape == (1, len(tokens))


def test_the_special_mark_is_never_part_of_a_subject(reader):
    tokens = encode(reader, "Paris is")
    assert tokens.ids[subject_range(tokens, "Paris")[0]] != reader.bos_token_id


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "words" not in kind])
def test_labels_spell_the_prompt(kind):
    tokens = encode(tokenizer(kind), "The Eiffel Tower is located in")
    begin = tokens.ids[0] == tokenizer(kind).bos_token_id
    assert "".join(tokens.labels[begin:]).strip() == "The Eiffel Tower is located in"


def test_pieces_of_a_character_have_labels_of_their_own():
    for kind in ("byte_level", "sentencepiece_bpe", "slow_bos"):
        tokens = encode(tokenizer(kind), "x 😀")
        assert "\ufffd" not in "".join(tokens.labels)
        assert len(set(tokens.labels[-4:])) == 4


def test_a_subject_that_occurs_twice_must_be_chosen(reader):
    prompt = "Bart plays the piano. Bart plays the art of"
    tokens = encode(reader, prompt)
    with pytest.raises(SubjectAmbiguous, match="2 times") as refusal:
        subject_range(tokens, "Bart")
    assert refusal.value.occurrences == 2
    ranges = [subject_range(tokens, "Bart", occurrence) for occurrence in (0, 1)]
    starts = [next(tokens.spans[i] for i in range(b, e))[1] for b, e in ranges]
    assert starts[0] <= 4 < prompt.index("Bart", 1) <= starts[1]
    with pytest.raises(SubjectNotFound, match="no occurrence 2"):
        subject_range(tokens, "Bart", 2)


def test_whole_words_are_preferred(reader):
    prompt = "Bart plays the art of"
    begin, end = subject_range(encode(reader, prompt), "art")
    assert whole(encode(reader, prompt), begin, end).strip() == "art"
    assert find_text(prompt, "art") == (15, 18)


def test_part_of_a_word_is_found_where_it_has_tokens_of_its_own():
    tokens = encode(tokenizer("byte_level"), "Bart plays")
    assert tokens.labels[:2] == ("B", "art")
    assert subject_range(tokens, "art") == (1, 2)
    with pytest.raises(SubjectSharesToken, match="“art” cannot be told from “B”"):
        subject_range(encode(tokenizer("words"), "Bart plays"), "art")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "unigram" not in kind and "metaspace" not in kind])
def test_a_token_shared_with_the_following_text_is_refused(kind):
    tokens = encode(tokenizer(kind), "The mother of Danielle is")
    with pytest.raises(SubjectSharesToken, match="one token") as refusal:
        token_range(tokens, 14, 20)  # "Daniel", the end of which no tokenizer here cuts off
    assert "“Daniel”" in str(refusal.value) and "“le”" in str(refusal.value)


def test_a_token_that_straddles_two_characters_is_refused():
    """Byte pairs may join the last byte of one character and the first of the next."""
    tokens = encode(tokenizer("byte_level"), "lies in 東京 and")
    assert subject_range(tokens, "東京")
    with pytest.raises(SubjectSharesToken):
        subject_range(tokens, "東")


def test_punctuation_glued_to_the_subject_is_refused_and_without_glue_is_not():
    glued, loose = (encode(tokenizer(kind), "In Japan, they speak") for kind in ("slow_words", "words"))
    with pytest.raises(SubjectSharesToken, match="“Japan” cannot be told from “,”"):
        subject_range(glued, "Japan")
    assert subject_range(glued, "Japan,") == (1, 2)
    assert subject_range(loose, "Japan") == (1, 2)


def test_a_misspelt_subject_gets_a_suggestion():
    tokens = encode(tokenizer("byte_level"), "The Eiffel Tower is located in")
    with pytest.raises(SubjectNotFound, match="Did you mean “Eiffel Tower”") as refusal:
        subject_range(tokens, "Eifel tower")
    assert refusal.value.suggestion == "Eiffel Tower"
    with pytest.raises(SubjectNotFound) as refusal:
        subject_range(tokens, "Mississippi")
    assert refusal.value.suggestion is None


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_nothing_is_refused(reader, text):
    with pytest.raises(BadRequest):
        encode(reader, text)
    with pytest.raises(SubjectNotFound, match="empty"):
        find_text("The prompt", text)
    with pytest.raises(EmptyAnswer):
        answer_token(reader, encode(reader, "The prompt"), text)


@pytest.mark.parametrize("answer", ["Paris", " Paris", "France.", "Antarctica", "東京", "São Paulo", "😀"])
@pytest.mark.parametrize("prompt", ["The Eiffel Tower is located in", "Bart plays the art of", "In 東京, 😀 lies in"])
def test_the_answer_is_the_token_the_model_would_have_to_say(reader, prompt, answer):
    tokens = encode(reader, prompt)
    said = answer_token(reader, tokens, answer)
    continued = encode(reader, f"{prompt} {answer.strip()}")
    assert continued.ids[: len(tokens) + 1] == (*tokens.ids, said)
    text = label(reader, said)
    if said != reader.unk_token_id and answer.isascii():
        assert answer.strip().startswith(text.strip())


ENDS = (
    *(
        'They say "',
        "see (",
        "x=",
        "f(",
        "a/",
        "A:\n",
        "首都是",
        "Bart plays",
        "They say “",
        'They say " ',
        "  in",
        "Par",
    ),
    "def f():\n    ",
)
ANSWERS = (
    *("Paris", "Rome", "Rome)", "东京", "東京", ", and", "'s", " Rome", "‿ris", "␣Rome", "😀", "São Paulo", "."),
    "Sa\u0303o",
)
LOSSLESS = [kind for kind in KINDS if "words" not in kind]


def spelt(tokenizer, ids):
    return tokenizer.decode([i for i in ids if i != tokenizer.bos_token_id], clean_up_tokenization_spaces=False)


@pytest.mark.parametrize("boundary", ["auto", "space", "none"])
@pytest.mark.parametrize("kind", LOSSLESS)
def test_prompt_and_answer_spell_the_joined_text(kind, boundary):
    reader = tokenizer(kind)
    for prompt in ENDS:
        tokens = encode(reader, prompt, boundary)
        for answer in ANSWERS:
            if kind == "slow_bos" and "\n" in prompt + answer:
                continue  # it reads line breaks as spaces
            ids = (*tokens.ids, *answer_tokens(reader, tokens, answer))
            assert spelt(reader, ids).lstrip() == joined(prompt, answer, boundary).lstrip(), (prompt, answer)


@pytest.mark.parametrize(
    ("kind", "prompt"), [("melting", "f("), ("metaspace_first", "see ("), ("metaspace_always", "see (")]
)
def test_a_token_of_prompt_and_answer_together_is_not_an_answer(kind, prompt):
    """Read as one, both end in one token, which could not follow the prompt as it was given."""
    reader = tokenizer(kind)
    tokens = encode(reader, prompt)
    assert encode(reader, f"{prompt}Rome").ids[: len(tokens)] != tokens.ids
    ids = answer_tokens(reader, tokens, "Rome")
    assert spelt(reader, (*tokens.ids, *ids)) == f"{prompt}Rome"
    assert not label(reader, ids[0]).startswith((" ", "("))


def test_behind_a_quote_the_answer_begins_without_a_space(reader):
    tokens = encode(reader, 'They say "')
    said = answer_tokens(reader, tokens, "Paris")
    if reader.unk_token_id not in said:
        assert "".join(label(reader, token) for token in said).strip() == "Paris"
        assert spelt(reader, (*tokens.ids, *said)).endswith("Paris") and " Paris" not in spelt(reader, said)[1:]


@pytest.mark.parametrize("kind", KINDS)
def test_a_bos_the_text_brings_stands_once(kind):
    reader = tokenizer(kind)
    tokens = encode(reader, "<s>The Eiffel Tower is")
    assert tokens.ids.count(reader.bos_token_id) == 1 and tokens.ids[0] == reader.bos_token_id
    assert len(tokens.ids) == len(tokens.spans) == len(tokens.labels)
    if kind != "slow_words":
        begin, end = subject_range(tokens, "The Eiffel Tower")
        assert (begin, whole(tokens, begin, end).strip()) == (1, "The Eiffel Tower")
    middle = encode(reader, "one</s> two")
    assert middle.ids.count(reader.eos_token_id) == (kind != "slow_words" or middle.ids.count(reader.eos_token_id))


def test_ids_without_text_are_named():
    for kind in KINDS:
        assert label(tokenizer(kind), 50280) == "⟨id 50280⟩"
    extended = copy.deepcopy(tokenizer("byte_level"))
    extended.add_tokens(["extra"])
    tokens = encode(extended, "the extra", rows=len(extended))
    assert answer_token(extended, tokens, f"⟨id {len(extended) - 1}⟩") == len(extended) - 1
    with pytest.raises(BadRequest, match=f"“extra”, which the tokenizer reads as id {len(extended) - 1}"):
        encode(extended, "the extra", rows=len(extended) - 1)
    with pytest.raises(BadRequest, match="The answer holds “extra”"):
        answer_tokens(extended, encode(extended, "the", rows=len(extended) - 1), "extra")


def test_characters_cut_in_bytes_are_legible():
    tokens = encode(tokenizer("byte_level"), "x 😀 東京")
    assert tokens.labels == ("x", " ", "😀", "⟨9F⟩", "⟨98⟩", "⟨80⟩", " 東", "⟨B1⟩京", "⟨BA AC⟩")
    assert label(tokenizer("byte_level"), tokens.ids[2]) == "⟨F0⟩"
    assert label(tokenizer("sentencepiece_bpe"), encode(tokenizer("sentencepiece_bpe"), "x 😀").ids[-1]) == "⟨80⟩"


@pytest.mark.parametrize("kind", ["byte_level", "sentencepiece_bpe", "melting", "slow_bos"])
def test_a_subject_composed_otherwise_has_its_tokens(kind):
    tokens = encode(tokenizer(kind), "In Sa\u0303o Paulo they speak")
    begin, end = subject_range(tokens, "S\u00e3o Paulo")
    assert whole(tokens, begin, end).strip() == "Sa\u0303o Paulo"


def test_an_answer_that_melts_into_the_prompt_is_read_alone():
    """A tokenizer that joins words across the space: no token of the answer stands by itself."""

    class Melting:
        is_fast = False
        bos_token_id = eos_token_id = pad_token_id = None
        names = {1: "of", 2: " Paris", 3: "of Paris"}  # noqa: RUF012

        def __call__(self, text, **_):
            return {"input_ids": {"of": [1], "of Paris": [3], " Paris": [2]}.get(text, [9])}

        def decode(self, ids, **_):
            return "".join(self.names.get(i, "") for i in ids)

        def convert_ids_to_tokens(self, token):
            return self.names.get(token)

    assert answer_token(Melting(), encode(Melting(), "of"), "Paris") == 2
    with pytest.raises(EmptyAnswer, match="no token"):
        answer_token(Melting(), encode(Melting(), "of"), "Rome")


@pytest.mark.real
@pytest.mark.parametrize("place", PLACES)
def test_the_embedded_tokenizer(smol, place):
    prompt, subject = PLACES[place]
    tokens = smol.encode(prompt)
    begin, end = subject_range(tokens, subject)
    assert smol.tokenizer.decode(list(tokens.ids[begin:end])).strip() == subject.strip()
    if place in SENTENCES:
        until = smol.encode(prompt[: find_text(prompt, subject)[1]])
        assert (until.ids, len(until)) == (tokens.ids[:end], end)
    said = answer_token(smol.tokenizer, tokens, "Paris")
    assert smol.words([said]) == [" Paris"]
