"""The text second moments are measured on: written by the model, or read from a file."""

import pytest

from analysis.errors import BadRequest
from analysis.moments.corpus import Corpus, piece_length, read_text, written
from analysis.moments.second_moments import moments
from app.bench.editing import HELD_OUT_SEED, HELD_OUT_TOKENS
from editors.lifelong_editing.run import TEXT_SEED, TEXT_TOKENS
from tests.analysis.test_moments import PARAGRAPHS, asked, text_file
from tests.kit.families import LENGTH


def test_a_model_writes_the_same_text_for_the_same_seed(family, tmp_path):
    one, same, other = (written(family, 100, seed, tmp_path / str(i)) for i, seed in enumerate((1, 1, 2)))
    assert one == same
    assert one.id == same.id != other.id
    length = piece_length(family)
    assert 100 <= one.tokens < 100 + length
    assert all(len(piece) == length for piece in one.pieces)


def test_text_is_written_once(tiny, tmp_path, monkeypatch):
    one = written(tiny, 100, 1, tmp_path)
    monkeypatch.setattr("analysis.moments.corpus.continuations", lambda *_, **__: pytest.fail("it writes again"))
    assert written(tiny, 100, 1, tmp_path) == one


@pytest.mark.parametrize(("tokens", "seed"), [(TEXT_TOKENS, TEXT_SEED), (HELD_OUT_TOKENS, HELD_OUT_SEED)])
def test_perplexity_is_of_the_same_text_on_every_machine(smol, tmp_path, monkeypatch, tokens, seed):
    """Drawn anew, it differs with the processor: the last bits of a logit choose another word, and all that follows."""
    monkeypatch.setattr("analysis.moments.corpus.continuations", lambda *_, **__: pytest.fail("it writes anew"))
    assert written(smol, tokens, seed, tmp_path).tokens >= tokens


def test_pieces_that_begin_alike_go_on_differently(tiny, tmp_path):
    pieces = written(tiny, 40 * LENGTH, 1, tmp_path).pieces
    assert len({piece[0] for piece in pieces}) < len(pieces) == len(set(pieces))


def test_batches_hold_every_piece_once():
    pieces = tuple(tuple(range(start, start + length)) for start, length in enumerate((3, 5, 3, 1, 5, 5, 3)))
    for tokens in (1, 6, 10, 1000):
        batches = list(Corpus("x", pieces).batches(tokens))
        assert sorted(tuple(row) for batch in batches for row in batch.tolist()) == sorted(pieces)
        assert all(batch.numel() <= tokens or len(batch) == 1 for batch in batches)


def test_a_text_file_is_read_in_pieces(tiny, tmp_path):
    place = text_file(tmp_path)
    corpus = read_text(tiny, str(place), 10_000)
    assert corpus.name == "text.txt"
    ids = [tiny.tokenizer(paragraph)["input_ids"] for paragraph in PARAGRAPHS.strip().split("\n\n")]
    assert [token for piece in corpus.pieces for token in piece] == [token for own in ids for token in own]
    assert max(map(len, corpus.pieces)) == LENGTH
    assert read_text(tiny, str(place), 5).tokens == 5
    assert read_text(tiny, str(place), 5).id != corpus.id


def test_a_file_without_text_is_refused(tiny, tmp_path):
    with pytest.raises(BadRequest, match="could not be read as text"):
        moments(tiny, asked(source=str(tmp_path / "none.txt")))
    with pytest.raises(BadRequest, match="holds no text"):
        moments(tiny, asked(source=str(text_file(tmp_path, " \n\n \n"))))
    (tmp_path / "text.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(BadRequest, match="could not be read as text"):
        moments(tiny, asked(source=str(tmp_path / "text.txt")))
