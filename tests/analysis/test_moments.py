"""Second moments of the keys of layers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from analysis.errors import BadFile, BadRequest, Cancelled, ModelTooLarge
from analysis.forward.generation import continuations
from analysis.internals.key_value_memory import keys, output_matrix
from analysis.model.language_model import LanguageModel
from analysis.moments import second_moments as measuring
from analysis.moments import steady
from analysis.moments.corpus import read_text, rows_beside, written
from analysis.moments.request import MomentsRequest
from analysis.moments.second_moments import adopt, condition, load, moments, save
from app.bench.editing import HELD_OUT_SEED, HELD_OUT_TOKENS
from tests.conftest import cached
from tests.kit.families import LAYERS, LENGTH, TEXT, language_model

ALL = tuple(range(LAYERS))
LONG = " ".join(TEXT.split()[1:] * 3)
PARAGRAPHS = f"the old tower of Aldra\n\n{LONG}\n\nBrin Corvo wrote\n\nnear a river mother plays\n"


def asked(**changes: Any) -> MomentsRequest:
    return MomentsRequest(**{"layers": ALL, "tokens": 200} | changes)


def text_file(folder: Path, text: str = PARAGRAPHS) -> Path:
    place = folder / "text.txt"
    place.write_text(text, encoding="utf-8")
    return place


def plain_moment(lm: LanguageModel, pieces: tuple[tuple[int, ...], ...], layer: int) -> Tensor:
    """The mean of k kᵀ, one token after another."""
    seen: list[Tensor] = []
    module = output_matrix(lm, layer).module
    handle = module.register_forward_pre_hook(lambda _, args: seen.append(args[0].reshape(-1, args[0].shape[-1])))
    with torch.no_grad():
        for piece in pieces:
            lm.logits(torch.tensor([piece]))
    handle.remove()
    total, count = torch.zeros(1), 0
    for read in seen:
        for key in read.double():
            total, count = total + torch.outer(key, key), count + 1
    assert count == sum(map(len, pieces))
    return total / count


def near(one: Tensor, other: Tensor) -> bool:
    return float((one - other).norm() / other.norm()) < 1e-5


def stopping(after: int, fault: type[BaseException] = Cancelled) -> Callable[..., None]:
    def report(done: int, total: int, note: str = "", *_: Any, **__: Any) -> None:
        if note == "batches of text read" and done == after:
            raise fault

    return report


@pytest.mark.parametrize("family_name", ["gpt2", "neox", "llama", "gemma2", "phi3", "opt"])
@pytest.mark.parametrize("source", ["own", "file"])
def test_it_is_the_mean_over_all_tokens(tmp_path, family_name, source):
    lm = cached(family_name)
    if source == "own":
        corpus = written(lm, 200, 1, tmp_path / "corpus")
        found = moments(lm, asked())
    else:
        place = text_file(tmp_path)
        corpus = read_text(lm, str(place), 200)
        assert len({len(piece) for piece in corpus.pieces}) > 2
        found = moments(lm, asked(source=str(place)))
    for layer in ALL:
        one = found[layer]
        assert (one.layer, one.tokens, one.corpus_id) == (layer, corpus.tokens, corpus.id)
        assert one.matrix.dtype == torch.float64
        assert near(one.matrix, plain_moment(lm, corpus.pieces, layer))


def test_all_layers_in_one_pass_are_the_layers_one_by_one(tiny, tmp_path):
    together = moments(tiny, asked(), home=tmp_path / "together")
    for layer in ALL:
        alone = moments(tiny, asked(layers=(layer,)), home=tmp_path / "alone")
        assert list(alone) == [layer]
        assert torch.equal(alone[layer].matrix, together[layer].matrix)


def test_the_size_of_a_batch_changes_nothing(tiny, tmp_path, monkeypatch):
    large = moments(tiny, asked(), home=tmp_path / "large")
    monkeypatch.setitem(measuring.BATCH, "cpu", 1)
    small = moments(tiny, asked(), home=tmp_path / "small")
    assert all(near(small[layer].matrix, large[layer].matrix) for layer in ALL)


def test_without_a_number_text_grows_until_the_moments_are_steady(tiny, tmp_path):
    d_k = output_matrix(tiny, 1).weight.shape[1]
    found = moments(tiny, asked(tokens=None), home=tmp_path)
    for layer in ALL:
        one = found[layer]
        assert one.grown is not None
        portions = one.grown["portions"]
        assert one.grown["steady"] and 1 < one.grown["excess"] <= one.grown["tolerance"] == steady.TOLERANCE
        assert steady.LEAST < portions <= 10 and portions * d_k <= one.tokens <= portions * (d_k + LENGTH)
        assert torch.linalg.matrix_rank(one.matrix) == d_k
        alone = moments(tiny, asked(tokens=None, layers=(layer,)), home=tmp_path / "alone")[layer]
        assert torch.equal(alone.matrix, one.matrix) and alone.said() == one.said()


def test_steadiness_is_what_is_said_of_it(tiny, tmp_path):
    """Each portion asked anew, in full: the first that is within the tolerance is the last that is read."""
    one = moments(tiny, asked(tokens=None, layers=(1,)), home=tmp_path)[1]
    (stored,) = (tmp_path / tiny.own_hash[:24]).glob("own-1-*.jsonl")
    texts = [json.loads(line)["pieces"] for line in stored.read_text().splitlines()]
    assert sum(len(piece) for text in texts for piece in text) == one.tokens

    def second(texts: list[list[list[int]]]) -> Tensor:
        return plain_moment(tiny, tuple(tuple(piece) for text in texts for piece in text), 1).double()

    excess = []
    for number in range(1, len(texts)):
        before = second(texts[:number])
        size = len(before)
        whitened = torch.linalg.inv(before + 1e-5 * before.trace() / size * torch.eye(size))
        excess.append(float((whitened @ second(texts[number : number + 1])).trace() / (whitened @ before).trace()))
    assert one.grown is not None and excess[-1] == pytest.approx(one.grown["excess"], rel=0.01)
    assert all(value > steady.TOLERANCE for value in excess[steady.LEAST - 1 : -1])
    assert near(one.matrix, second(texts))


def test_text_that_never_is_enough_is_read_to_its_end_and_says_so(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(steady, "TOLERANCE", 1.0)
    d_k = output_matrix(tiny, 1).weight.shape[1]
    one = moments(tiny, asked(tokens=None, layers=(1,)), home=tmp_path)[1]
    assert one.grown is not None and not one.grown["steady"]
    assert 10 * d_k <= one.tokens < 10 * d_k + 2 * LENGTH


def test_text_that_lies_ready_is_read_whole(tiny, tmp_path):
    d_k = output_matrix(tiny, 1).weight.shape[1]
    corpus = written(tiny, 10 * d_k, 1, tmp_path / tiny.own_hash[:24])
    one = moments(tiny, asked(tokens=None, layers=(1,)), home=tmp_path)[1]
    assert (one.grown, one.tokens, one.corpus_id) == (None, corpus.tokens, corpus.id)
    assert "grown" not in one.said()


def test_a_model_that_writes_for_long_reads_the_shipped_text(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(measuring.WRITING, "cpu", 1.0)
    monkeypatch.setattr("analysis.moments.corpus.continuations", lambda *_, **__: pytest.fail("it writes"))
    one = moments(tiny, asked(tokens=None, layers=(1,)), home=tmp_path)[1]
    assert one.corpus == "shipped" and one.grown is not None and one.grown["name"].startswith("grown-shipped-")
    chosen = moments(tiny, asked(tokens=None, layers=(1,), source="shipped"), home=tmp_path)[1]
    assert chosen.id == one.id


def test_text_that_was_written_before_a_run_was_killed_is_not_written_again(tiny, tmp_path, monkeypatch):
    """Killed between two portions, and in the middle of putting one down."""
    whole = moments(tiny, asked(tokens=None), home=tmp_path / "whole")
    (stored,) = (tmp_path / "whole" / tiny.own_hash[:24]).glob("own-1-*.jsonl")
    lines = stored.read_text().splitlines(keepends=True)
    begun = tmp_path / "part" / tiny.own_hash[:24] / stored.name
    begun.parent.mkdir(parents=True)
    begun.write_text("".join(lines[:2]) + lines[2][:50])
    drawn: list[int] = []
    monkeypatch.setattr(
        "analysis.moments.corpus.continuations",
        lambda *a, seed, **k: (drawn.append(seed), continuations(*a, seed=seed, **k))[1],
    )
    found = moments(tiny, asked(tokens=None), home=tmp_path / "part")
    assert drawn[0] == 1 + sum(len(json.loads(line)["pieces"]) for line in lines[:2])
    assert len(drawn) == len(lines) - 2
    assert all(torch.equal(found[layer].matrix, whole[layer].matrix) for layer in ALL)


def test_text_of_a_given_length_goes_on_as_well(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.moments.corpus.rows_beside", lambda lm: 2)
    whole = written(tiny, 8 * LENGTH, 1, tmp_path / "whole")

    def stop(done: int, total: int, note: str = "", *_: Any, **__: Any) -> None:
        if done > 5 * LENGTH:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        written(tiny, 8 * LENGTH, 1, tmp_path / "part", stop)
    told: list[int] = []
    assert written(tiny, 8 * LENGTH, 1, tmp_path / "part", lambda done, *_, **__: told.append(done)) == whole
    assert told[0] > 4 * LENGTH
    assert [path.name for path in (tmp_path / "part").iterdir()] == [f"own-1-{8 * LENGTH}.json"]


def test_a_large_vocabulary_writes_fewer_texts_side_by_side(tiny, monkeypatch):
    for words, rows in ((64, 128), (49_152, 128), (151_936, 55), (262_144, 32), (10**7, 16)):
        monkeypatch.setattr(tiny.config, "vocab_size", words)
        assert rows_beside(tiny) == rows


def test_moments_that_would_not_fit_are_refused_before_anything_is_written(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.free_memory.free_bytes", lambda *_, **__: 1000)
    monkeypatch.setattr("analysis.moments.corpus.continuations", lambda *_, **__: pytest.fail("it writes"))
    with pytest.raises(ModelTooLarge, match=r"Measuring 3 layers of .* needs .* GB on cpu; .*fewer layers"):
        moments(tiny, asked(tokens=None), home=tmp_path)
    with pytest.raises(ModelTooLarge, match="side by side"):
        written(tiny, 100, 1, tmp_path)


@pytest.mark.real
def test_what_is_steady_edits_as_the_full_count_does(smol, tmp_path):
    """On the embedded model: text it never read is moved at most 15 % more than by ten tokens a dimension."""
    layer = 6
    full = moments(smol, MomentsRequest(layers=(layer,)))[layer]
    assert full.tokens == 15_360 and full.grown is None
    few = moments(smol, MomentsRequest(layers=(layer,), source="shipped"), home=tmp_path)[layer]
    assert few.grown is not None and few.grown["steady"] and few.tokens < 10_000
    held = written(smol, HELD_OUT_TOKENS, HELD_OUT_SEED, tmp_path)
    seen = keys(smol, torch.tensor(held.pieces), (layer,))[layer].flatten(0, 1).double()
    asked_of, other = seen[::20], seen[1::2]

    def moved(one: measuring.Moments) -> Tensor:
        ridge = 1e-5 * one.matrix.trace() / len(one.matrix) * torch.eye(len(one.matrix))
        u = torch.linalg.solve(one.matrix + ridge, asked_of.T)
        return (other @ (u / (u * asked_of.T).sum(0))).square().mean(0).sqrt()

    assert float((moved(few) / moved(full)).median()) < 1.15


def test_the_second_time_nothing_is_measured(tiny, monkeypatch):
    first = moments(tiny, asked(layers=(0, 1)))
    monkeypatch.setattr("analysis.moments.corpus.continuations", lambda *_, **__: pytest.fail("it writes again"))
    third = moments(tiny, asked(layers=(2,)))
    monkeypatch.setattr("analysis.moments.second_moments.keys", lambda *_: pytest.fail("it measures again"))
    again = moments(tiny, asked())
    assert all(torch.equal(again[layer].matrix, (first | third)[layer].matrix) for layer in ALL)
    assert [again[layer].id for layer in ALL] == [(first | third)[layer].id for layer in ALL]


@pytest.mark.parametrize("fault", [Cancelled, KeyboardInterrupt])
def test_a_cancelled_run_goes_on_where_it_stopped(tiny, tmp_path, monkeypatch, fault):
    monkeypatch.setitem(measuring.BATCH, "cpu", 64)
    whole = moments(tiny, asked(), home=tmp_path / "whole")
    home = tmp_path / "part"
    with pytest.raises(fault):
        moments(tiny, asked(), stopping(2, fault), home=home)
    left = {path.name for path in (home / tiny.own_hash[:24]).iterdir()}
    assert sum(name.endswith("-part.safetensors") for name in left) == 1
    assert len(left) == 2
    told: list[int] = []
    found = moments(tiny, asked(), lambda done, *_, **__: told.append(done), home=home)
    assert told[0] == 2
    for layer in ALL:
        assert torch.equal(found[layer].matrix, whole[layer].matrix)
        assert found[layer].said() == whole[layer].said()
    assert not list(home.rglob("*-part*"))


def test_sums_of_other_layers_are_not_gone_on_from(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(measuring.BATCH, "cpu", 64)
    with pytest.raises(Cancelled):
        moments(tiny, asked(layers=(0, 1)), stopping(2), home=tmp_path / "part")
    found = moments(tiny, asked(), home=tmp_path / "part")
    whole = moments(tiny, asked(), home=tmp_path / "whole")
    assert all(torch.equal(found[layer].matrix, whole[layer].matrix) for layer in ALL)


@pytest.mark.parametrize("content", [b"", b"nothing", b"\xff" * 100])
def test_broken_sums_are_measured_anew(tiny, tmp_path, content):
    corpus = written(tiny, 200, 1, tmp_path / "part" / tiny.own_hash[:24])
    (tmp_path / "part" / tiny.own_hash[:24] / f"{corpus.id}-part.safetensors").write_bytes(content)
    found = moments(tiny, asked(), home=tmp_path / "part")
    assert torch.equal(found[1].matrix, moments(tiny, asked(), home=tmp_path / "whole")[1].matrix)


def test_cancelling_while_the_text_is_written_leaves_nothing(tiny, tmp_path):
    def stop(done: int, total: int, note: str = "", *_: Any, **__: Any) -> None:
        assert note == "tokens written by the model"
        raise Cancelled

    with pytest.raises(Cancelled):
        moments(tiny, asked(), stop, home=tmp_path / "home")
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


# Files


def test_a_file_holds_what_was_saved(tiny, tmp_path):
    one = moments(tiny, asked())[1]
    save(one, tmp_path / "new" / "one.safetensors")
    read = load(tmp_path / "new" / "one.safetensors", tiny)
    assert torch.equal(read.matrix, one.matrix)
    assert read.said() == one.said()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["one.safetensors"]


def test_what_was_measured_elsewhere_is_taken_over(tiny, tmp_path, monkeypatch):
    there = moments(tiny, asked(), home=tmp_path / "there")
    for layer in ALL:
        save(there[layer], tmp_path / f"{layer}.safetensors")
        assert adopt(tiny, tmp_path / f"{layer}.safetensors", tmp_path / "here").id == there[layer].id
    monkeypatch.setattr("analysis.moments.second_moments.keys", lambda *_: pytest.fail("it measures again"))
    here = moments(tiny, asked(), home=tmp_path / "here")
    assert [here[layer].id for layer in ALL] == [there[layer].id for layer in ALL]


def test_another_models_file_is_refused(tiny, tmp_path):
    save(moments(tiny, asked())[1], tmp_path / "one.safetensors")
    other = language_model("llama", seed=5)
    for read in (load, lambda place, lm: adopt(lm, place, tmp_path / "here")):
        with pytest.raises(BadRequest, match="measured on other weights"):
            read(tmp_path / "one.safetensors", other)
    assert not (tmp_path / "here").exists()


def test_a_broken_file_is_refused(tiny, tmp_path):
    place = tmp_path / "one.safetensors"
    save(moments(tiny, asked())[1], place)
    whole = place.read_bytes()
    for content in (b"", b"nothing", whole[:20], whole[: len(whole) // 2]):
        place.write_bytes(content)
        with pytest.raises(BadFile, match="no second moments"):
            load(place, tiny)
    for about in (None, {}, {"about": "nothing"}, {"about": "[]"}, {"about": "{}"}, {"about": '{"layer": 1}'}):
        save_file({"second_moment": torch.eye(3)}, place, about)
        with pytest.raises(BadFile, match="no second moments"):
            load(place, tiny)
    save_file({"other": torch.eye(3)}, place, {"about": "{}"})
    with pytest.raises(BadFile, match="no second moments"):
        load(place, tiny)
    with pytest.raises(BadFile, match="no second moments"):
        load(tmp_path / "none.safetensors", tiny)


def test_the_condition_counts_the_ridge(tiny):
    one = moments(tiny, asked())[1]
    assert condition(one) >= 1
    flat = measuring.Moments(1, torch.eye(5, dtype=torch.float64), 1, "", "", "")
    assert condition(flat) == pytest.approx(1)
    empty = torch.diag(torch.tensor([1.0, 0.0], dtype=torch.float64))
    assert condition(measuring.Moments(1, empty, 1, "", "", "")) == pytest.approx(1 + 1 / 0.5e-5)
