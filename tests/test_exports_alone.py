"""Each form of an edit from each kind of source, in an empty folder, by an interpreter that has no Palimpsest."""

from pathlib import Path

import pytest
import torch

from analysis.loading import load
from analysis.model import LanguageModel
from app.bench.alone import LOADS, hub_at, logits_alone, mirror
from app.take_edit import save_as
from editors.edit import Edit
from editors.writing import write
from tests.families import build, word_tokenizer
from tests.recipes import IDS, edited_logits, same
from tests.test_editing import asked
from tests.test_loading import gguf_file, saved  # noqa: F401 - fixtures

NAME, BRANCH = "owner/tiny", "v1"
OTHER_COMMIT = "f" * 40
KINDS = ("hub", "branch", "folder", "gguf")


class Sources:
    """A tiny model in every kind of source, an edit of each, and its logits here."""

    def __init__(self, folder: Path, gguf: Path, work: Path):
        self.home, self.work = work / "hf", work
        self.places = {"hub": NAME, "branch": NAME, "folder": str(folder), "gguf": str(gguf)}
        other = work / "other"
        build("llama", seed=5).save_pretrained(other)
        word_tokenizer().save_pretrained(other)
        mirror(other, self.home, "owner/tiny", "main", OTHER_COMMIT)
        mirror(folder, self.home, "owner/tiny", BRANCH)
        self.made: dict[str, tuple[LanguageModel, Edit]] = {}

    def of(self, kind: str) -> tuple[LanguageModel, Edit]:
        if kind not in self.made:
            revision = BRANCH if kind == "branch" else None
            with hub_at(self.home):
                lm = load(self.places[kind], revision=revision, device="cpu")
            self.made[kind] = lm, write(lm, asked())
        return self.made[kind]

    def taken(self, kind: str, form: str) -> Path:
        lm, edit = self.of(kind)
        place = self.work / kind / form
        if not place.exists():
            save_as(edit, form, place, lm)
        return place


@pytest.fixture(scope="module")
def sources(saved, gguf_file, tmp_path_factory) -> Sources:  # noqa: F811
    return Sources(saved, gguf_file, tmp_path_factory.mktemp("sources"))


@pytest.mark.parametrize("form", list(LOADS))
@pytest.mark.parametrize("kind", KINDS)
def test_each_form_of_each_kind_of_source_says_what_the_edited_model_says(sources, tmp_path, kind, form):
    lm, edit = sources.of(kind)
    taken = sources.taken(kind, form)
    found = torch.from_numpy(logits_alone(LOADS[form], taken, IDS.tolist(), tmp_path / "empty", sources.home))
    assert same(found, edited_logits(lm, edit))
    assert not same(found, lm.logits(IDS))
