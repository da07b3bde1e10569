"""How a model goes on by itself; side by side as each prompt alone, in every family."""

from typing import Any

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


def test_going_on_is_the_likeliest_word_each_time(family):
    ids = torch.tensor([[5, 9, 2, 31, 7, 12, 3], [1, 2, 3, 4, 5, 6, 7]])
    said = torch.stack(list(continuations(family, ids, 12)), 1)
    plain = ids
    for _ in range(12):
        with torch.no_grad():
            plain = torch.cat([plain, family.logits(plain)[:, -1:].argmax(-1)], 1)
    assert torch.equal(said, plain[:, ids.shape[1] :])


def test_drawing_is_the_generators_alone(tiny):
    ids = torch.tensor([[5, 9, 2], [1, 2, 3]])

    def drawn(**options: Any) -> list[list[int]]:
        return torch.stack(list(continuations(tiny, ids, 8, **options)), 1).tolist()

    state = torch.get_rng_state()
    assert drawn(seed=1) == drawn(seed=1) != drawn(seed=2)
    assert drawn(seed=1, top_k=1) == drawn() != drawn(seed=1)
    assert drawn(seed=3, top_k=10_000) == drawn(seed=3)
    assert torch.equal(torch.get_rng_state(), state)


def test_drawn_words_come_as_often_as_they_are_likely(tiny):
    ids = torch.tensor([[5, 9, 2]])
    with torch.no_grad():
        wanted = tiny.logits(ids)[0, -1].softmax(-1)
    (said,) = continuations(tiny, ids.repeat(20_000, 1), 1, seed=0)
    shares = torch.bincount(said, minlength=len(wanted)) / len(said)
    assert (shares - wanted).abs().max() < 5 * (wanted * (1 - wanted) / len(said)).sqrt().max()


def test_text_goes_on_piece_by_piece_until_the_end(tiny, monkeypatch):
    prompt = "the old tower"
    ids = torch.tensor([tiny.encode(prompt).ids])
    said = [int(token) for token in continuations(tiny, ids, 8)]
    end = tiny.tokenizer.eos_token_id
    kept = said[: said.index(end)] if end in said else said
    texts = list(continued(tiny, prompt, 8))
    assert texts == [tiny.tokenizer.decode(kept[: n + 1], skip_special_tokens=True) for n in range(len(kept))]
    monkeypatch.setattr(tiny.model.generation_config, "eos_token_id", [end, said[3]])
    stopped = said.index(said[3])
    assert len(list(continued(tiny, prompt, 8))) == min(stopped, len(kept))
    assert list(continued(tiny, prompt, 0)) == []
