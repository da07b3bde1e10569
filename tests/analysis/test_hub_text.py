"""Text of a dataset on the hub: the parquet copy is read, and what cannot be read is told in a sentence."""

from pathlib import Path

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis.errors import BadRequest
from analysis.moments.corpus import read_text
from analysis.moments.request import MomentsRequest
from analysis.moments.second_moments import moments


@pytest.fixture
def hub(monkeypatch, tmp_path) -> Path:
    """A hub with one dataset: two configs, the first with running text."""

    def put(name: str, **columns: list) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), tmp_path / name)

    put("a/train/0000.parquet", text=["the old tower", "", None, "near a river"])
    put("a/test/0000.parquet", text=["never read"])
    put("b/train/0000.parquet", label=[1, 2])
    files = [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.parquet")]
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda self, name, **_: files)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda name, file, **_: str(tmp_path / file))
    return tmp_path


def test_the_training_text_of_the_first_config_is_read(hub, tiny):
    corpus = read_text(tiny, "hf:someone/texts", 1000)
    assert corpus.name == "hf:someone/texts"
    said = [tiny.tokenizer.decode(piece) for piece in corpus.pieces]
    assert said == ["the old tower", "near a river"]
    found = moments(tiny, MomentsRequest(layers=(1,), source="hf:someone/texts"))
    assert (found[1].tokens, found[1].corpus) == (corpus.tokens, "hf:someone/texts")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("hf:someone", "names no dataset"),
        ("hf:someone/texts/c", "no parquet files under “c”. There are: a, b"),
        ("hf:someone/texts/b", "no column of running text"),
    ],
)
def test_what_cannot_be_read_is_told(hub, tiny, source, said):
    with pytest.raises(BadRequest, match=said):
        read_text(tiny, source, 1000)


def test_without_the_hub_a_file_is_advised(tiny, monkeypatch):
    def away(*_, **__):
        raise huggingface_hub.errors.OfflineModeIsEnabled("offline")

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", away)
    with pytest.raises(BadRequest, match="could not be read from the hub"):
        read_text(tiny, "hf:someone/texts", 1000)
