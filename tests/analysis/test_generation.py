"""Texts that go on side by side are the texts each prompt gives alone, in every family."""

import pytest
import torch

from analysis.errors import PromptTooLong
from analysis.forward import generation
from analysis.forward.generation import SHARED, continuations, continued, texts_after, together
from analysis.model.language_model import LanguageModel
from tests.kit.families import LENGTH, VOCABULARY

SHORT, LONG = [3, 9, 1], [5, 8, 2, 2, 7, 30, 11, 4, 6]
HEAD = [int(token) for token in torch.randint(1, VOCABULARY, (SHARED + 3,), generator=torch.Generator().manual_seed(4))]
PROMPTS = {
    "of different length": [LONG, SHORT, [17], [*SHORT, 12]],
    "alike in front": [[*HEAD, 1], [*HEAD, 2, 3, 4], [*HEAD, 2]],
    "one the beginning of another": [HEAD, [*HEAD, 9], [*HEAD, 9, 4]],
    "the same": [SHORT, SHORT],
    "one": [LONG],
}


def alone(lm: LanguageModel, prompt: list[int], tokens: int, **options: int) -> list[int]:
    return [int(token) for token in continuations(lm, torch.tensor([prompt]), tokens, **options)]


@pytest.mark.parametrize("name", list(PROMPTS))
def test_greedy_texts_are_those_of_each_prompt_alone(family: LanguageModel, name: str) -> None:
    prompts = PROMPTS[name]
    tokens = [7 - place for place in range(len(prompts))]
    found = together(family, prompts, tokens)
    assert found == [alone(family, prompt, count) for prompt, count in zip(prompts, tokens, strict=True)]


def test_drawn_texts_are_those_of_each_seed(family: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "ROWS", 3)
    prompts = PROMPTS["of different length"]
    found = together(family, prompts, [6] * 4, seeds=[1, 2, 3, 4], top_k=5)
    assert found == [alone(family, prompt, 6, seed=seed, top_k=5) for seed, prompt in enumerate(prompts, start=1)]


def test_a_text_that_ends_leaves_the_others_as_they_were(tiny: LanguageModel) -> None:
    whole = [alone(tiny, prompt, 8) for prompt in (LONG, SHORT, HEAD)]
    ends = {whole[0][2], whole[1][4]}
    found = together(tiny, [LONG, SHORT, HEAD], [8, 8, 8], over=lambda said: said[-1] in ends)
    for said, every in zip(found, whole, strict=True):
        cut = next((place for place, token in enumerate(every) if token in ends), 7)
        assert said == every[: cut + 1]
    assert together(tiny, [SHORT, LONG], [0, 2]) == [[], whole[0][:2]]
    assert together(tiny, [], []) == []


def test_words_end_where_one_text_alone_ends(tiny: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = ["the old tower of Aldra", "Brin wrote", " ".join(["river"] * (LENGTH - 2))]
    whole = [[*continued(tiny, prompt, 9)][-1] for prompt in prompts]
    assert texts_after(tiny, prompts, 9) == whole
    first = whole[0].split()[1]
    assert texts_after(tiny, prompts[:1], 9, over=lambda text: first in text.split()) == [
        " ".join(whole[0].split()[:2])
    ]
    end = tiny.encode(prompts[0]).ids
    monkeypatch.setattr(generation, "_ends", lambda lm: {together(tiny, [end], [1])[0][0]})
    assert texts_after(tiny, prompts[:1], 9) == [""]
    with pytest.raises(PromptTooLong):
        texts_after(tiny, ["river " * (LENGTH + 1), "Brin"], 2)


def test_notebooks_of_earlier_versions_still_find_what_they_import():
    from analysis import continued
    from analysis.generation import continued as printed_before

    assert printed_before is continued
