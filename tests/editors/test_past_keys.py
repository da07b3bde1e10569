"""Keys of facts written before: what they are of, and that a stream reads each once."""

import pytest
import torch

from analysis import LanguageModel
from editors.edit.apply import written_over
from editors.edit.edit import Edit
from editors.edit.request import EditRequest, Rewrite
from editors.methods import past_keys
from editors.methods.past_keys import PastKeys
from editors.methods.run import write
from editors.methods.search.last_token import subject_keys
from editors.methods.search.token_rows import contexts, rows_of

FACTS = tuple(
    Rewrite(prompt="the old {} stands in a", subject=subject, target=target)
    for subject, target in (("tower of Aldra", "river"), ("river", "mother"), ("mother", "tower"))
)


@pytest.fixture(scope="module")
def stream(tiny: LanguageModel) -> list[Edit]:
    made: list[Edit] = []
    for fact in FACTS:
        made.append(write(tiny, asked(fact), stack=made, glance=False))
    return made


def asked(fact: Rewrite, **changes: object) -> EditRequest:
    return EditRequest.model_validate(
        {"facts": (fact,), "method": "alphaedit", "layers": (0, 1), "steps": 4, "contexts": 2, "tokens": 400} | changes
    )


def gathered(lm: LanguageModel, edits: list[Edit], request: EditRequest) -> PastKeys:
    past = PastKeys(lm, request, edits)
    for number, edit in enumerate(edits):
        with written_over(lm, edits[: number + 1]):
            lm.edits = ()  # as while writing: the edits below are not the model's own
            past.read(edit)
    return past


def forget(lm: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lm, "memo", {name: one for name, one in lm.memo.items() if name[0] != "past keys"})


def test_each_key_is_of_the_model_with_its_own_edit_on_and_none_after(tiny: LanguageModel, stream: list[Edit]) -> None:
    past = gathered(tiny, stream, stream[0].request)
    texts = contexts(tiny, stream[0].request)
    for layer in (0, 1):
        keys = []
        for number, edit in enumerate(stream):
            with written_over(tiny, stream[: number + 1]):
                rows = rows_of(tiny, edit.request.facts, texts)
                keys.append(subject_keys(tiny, rows, layer, halved=True)[0])
        whole = torch.cat(keys, 1)
        found = past.moment(layer)
        assert found is not None
        assert torch.allclose(found, whole @ whole.T, atol=1e-4)


def test_a_stream_reads_each_fact_once(
    tiny: LanguageModel, stream: list[Edit], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[object] = []

    def spy(*args: object, **options: object) -> object:
        read.append(args)
        return subject_keys(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(past_keys, "subject_keys", spy)
    forget(tiny, monkeypatch)
    write(tiny, asked(FACTS[0], clamp=2.0), stack=stream[:-1], glance=False)
    read.clear()
    again = asked(FACTS[0], clamp=3.0)
    first = write(tiny, again, stack=stream, glance=False)
    assert len(read) == 2  # the last edit of the stream, at both layers
    forget(tiny, monkeypatch)
    anew = write(tiny, again, stack=stream, glance=False)
    assert len(read) == 2 + 2 * len(stream)
    assert all((a.right == b.right).all() for a, b in zip(first.changes, anew.changes, strict=True))


@pytest.mark.parametrize("changes", [{"spare": False}, {"method": "memit"}])
def test_who_spares_nothing_reads_nothing(tiny: LanguageModel, stream: list[Edit], changes: dict) -> None:
    assert gathered(tiny, stream, asked(FACTS[0], **changes)).moment(0) is None
