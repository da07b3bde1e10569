"""Second moments and own text on a disk that misbehaves: measured all the same, and never from broken numbers."""

import threading

import numpy as np
import pytest
import torch

from analysis.errors import BadFile, Unreadable
from analysis.model.language_model import LanguageModel
from analysis.moments.corpus import written
from analysis.moments.second_moments import load, moments
from tests.analysis.test_moments import asked
from tests.kit.families import language_model
from tests.kit.faults import AT_FAULT, PASSING, WRITING, disk_fails

LAYERS = asked().layers


def equal(one, other) -> bool:
    return all(torch.equal(one[layer].matrix, other[layer].matrix) for layer in LAYERS)


@pytest.fixture
def whole(tiny, tmp_path):
    return moments(tiny, asked(), home=tmp_path / "here")


@pytest.mark.parametrize("number", WRITING)
@pytest.mark.parametrize("tokens", [None, 600])
def test_a_disk_that_takes_nothing_costs_no_measurement(tiny, tmp_path, number, tokens):
    request = asked(tokens=tokens, source="own")
    with disk_fails(tmp_path, number, reading=False):
        found = moments(tiny, request, home=tmp_path / "none")
    assert not list(tmp_path.rglob("*.*"))
    assert equal(found, moments(tiny, request, home=tmp_path / "here"))


@pytest.mark.parametrize("number", PASSING)
def test_a_passing_fault_deletes_nothing(tiny, tmp_path, whole, number):
    places = [path for path in tmp_path.rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in places}
    with disk_fails(tmp_path, number):
        assert equal(moments(tiny, asked(), home=tmp_path / "here"), whole)
        for place in places:
            if place.suffix == ".safetensors":
                with pytest.raises(Unreadable, match="cannot be read now"):
                    load(place, tiny)
    assert {path: path.read_bytes() for path in places} == before


@pytest.mark.parametrize("damage", AT_FAULT)
def test_content_at_fault_is_measured_anew(tiny, tmp_path, whole, damage):
    for place in tmp_path.rglob("*.safetensors"):
        place.write_bytes(AT_FAULT[damage](place.read_bytes()))
        with pytest.raises(BadFile, match="no second moments"):
            load(place, tiny)
    assert equal(moments(tiny, asked(), home=tmp_path / "here"), whole)
    assert all(load(place, tiny) for place in tmp_path.rglob("*.safetensors"))


def test_no_flipped_bit_of_the_numbers_is_read(tiny, tmp_path, whole):
    place = next(tmp_path.rglob("*.safetensors"))
    content = place.read_bytes()
    for at in np.random.default_rng(2).integers(0, 8 * len(content), 60):
        bits = bytearray(content)
        bits[at // 8] ^= 1 << at % 8
        place.write_bytes(bytes(bits))
        try:
            found = load(place, tiny)
        except (BadFile, Unreadable):
            continue
        except Exception as error:  # another model's hash
            assert "other weights" in str(error)
            continue
        assert any(torch.equal(found.matrix, one.matrix) for one in whole.values())


@pytest.mark.parametrize("damage", AT_FAULT)
def test_own_text_at_fault_is_written_again(tiny, tmp_path, damage):
    first = written(tiny, 300, 1, tmp_path)
    (place,) = tmp_path.glob("own-*.json")
    place.write_bytes(AT_FAULT[damage](place.read_bytes()))
    assert written(tiny, 300, 1, tmp_path) == first
    assert written(tiny, 300, 1, tmp_path) == first


def test_a_line_that_was_cut_short_spoils_no_other(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.moments.corpus.rows_beside", lambda lm: 4)
    first = written(tiny, 600, 1, tmp_path)
    begun = tmp_path / "own-1-600-part.jsonl"
    begun.write_bytes(b'{"before": 0, "pieces": [[1, 2')
    assert written(tiny, 600, 1, tmp_path / "other") == first
    (tmp_path / "own-1-600.json").unlink()
    assert written(tiny, 600, 1, tmp_path) == first


def test_three_that_measure_the_same_do_not_run_into_each_other(tmp_path):
    found, faults = [], []

    def measure(lm: LanguageModel) -> None:
        try:
            found.append(moments(lm, asked(source="own"), home=tmp_path))
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=measure, args=(language_model("llama"),)) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert faults == []
    assert equal(found[0], found[1])
    assert equal(found[0], found[2])
