"""How the subject is corrupted: the noise, its scale, other subjects, and the noise severed modules see."""

from contextlib import ExitStack

import numpy as np
import pytest
import torch

from analysis.errors import ReplacementMismatch
from analysis.facts.facts import Fact
from analysis.forward.blocks import at_sites, first_hidden
from analysis.model.language_model import LanguageModel
from analysis.tracing.corruption import noisy, subject_scale
from analysis.tracing.run import trace
from tests.kit.traces import BEGIN, END, EXACT, PROMPT, REQUEST, asked, far, same, traced


def test_noise_goes_onto_the_embedding_of_the_subject_only(family):
    tokens = family.encode(PROMPT)
    clean = first_hidden(family, tokens.tensor())
    corrupted = noisy(family, tokens, (BEGIN, END), scale=0.5, samples=4, seed=1)
    assert corrupted.shape == (4, *clean.shape[1:])
    assert torch.equal(corrupted[:, :BEGIN], clean[:, :BEGIN].expand(4, -1, -1))
    assert torch.equal(corrupted[:, END:], clean[:, END:].expand(4, -1, -1))
    width = family.bridge.embed(tokens.tensor()).shape[-1]
    draw = np.random.RandomState(1).randn(4, END - BEGIN, width) * 0.5
    if family.name in ("tiny-gpt2", "tiny-llama", "tiny-gemma3", "tiny-opt"):
        assert far((corrupted - clean)[:, BEGIN:END], draw) < 1e-5


def test_sigma_is_one_deviation_over_all_subject_tokens_and_dimensions(family, monkeypatch):
    subjects = ("tower of Aldra", "Brin", "river city")
    facts = [Fact(id=s, relation="r", subject=s, object="on", prompt="{} is") for s in subjects]
    monkeypatch.setattr("analysis.tracing.corruption.read_facts", lambda: facts)
    ids = torch.tensor([family.tokenizer.convert_tokens_to_ids(" ".join(subjects).split())])
    expected = family.bridge.embed(ids).flatten().double().std(unbiased=True).item()
    assert subject_scale(family) == pytest.approx(expected, rel=1e-5)
    measured = trace(family, asked(sigma=None, kinds=("state",), samples=1))
    assert measured.sigma == pytest.approx(expected, rel=1e-5)


def test_severing_with_equal_noise_equals_the_published_with_its_own_draws(tiny):
    """The published code seeds one generator and draws twice: held outputs and run see different noise."""
    published = trace(tiny, asked(severing_noise="published"))
    equal = traced(tiny)
    assert same(published, equal, kinds=("state", "mlp", "attn"))
    for kind, site in (("severed_mlp", "mlp"), ("severed_attn", "attn")):
        assert far(published.grids[kind].probability, equal.grids[kind].probability) > 1e-3
        expected = published_severing(tiny, site, published.answer_id)
        assert far(expected, published.grids[kind].probability[:, :, BEGIN:]) <= EXACT


def published_severing(lm: LanguageModel, site: str, answer: int) -> np.ndarray:
    """`trace_with_repatch` of the published code, one cell at a time, (S, L, T - BEGIN)."""
    ids = lm.encode(PROMPT).tensor()
    rows, samples, tokens = ids.expand(1 + REQUEST.samples, -1), REQUEST.samples, ids.shape[1]

    @torch.no_grad()
    def cell(layer: int, token: int) -> np.ndarray:
        random = np.random.RandomState(REQUEST.seed)
        kept: dict[int, torch.Tensor] = {}

        def corrupt(_, __, output):
            output = output.clone()
            draw = random.randn(samples, END - BEGIN, output.shape[-1]) * REQUEST.noise * REQUEST.sigma
            output[1:, BEGIN:END] += torch.from_numpy(draw).to(output)
            return output

        def keep(_, at, output):
            kept[at] = output[1:, token].clone()

        def sever(_, at, output):
            output = output.clone()
            output[1:, token] = kept[at]
            return output

        def repair(_, __, output):
            hidden = output.clone()
            hidden[1:, token] = hidden[0, token]
            return hidden

        with ExitStack() as hooks:
            hooks.callback(lm.bridge.embed.register_forward_hook(corrupt).remove)
            with at_sites(lm, (site,), keep):
                lm.logits(rows)
            hooks.callback(lm.blocks[layer].register_forward_hook(repair).remove)
            hooks.enter_context(at_sites(lm, (site,), sever))
            return lm.logits(rows)[1:, -1].softmax(-1)[:, answer].numpy()

    grid = [[cell(layer, token) for token in range(BEGIN, tokens)] for layer in range(lm.n_layers)]
    return np.array(grid).transpose(2, 0, 1)


@pytest.mark.parametrize("text", ["Brin", "tower of Aldra", "river city near Brin"])
def test_replacements_that_do_not_fit_are_refused(tiny, text):
    with pytest.raises(ReplacementMismatch, match="Choose"):
        trace(tiny, asked(corruption="replace", replacement=text))


def test_a_stored_subject_of_equal_length_is_found(tiny, monkeypatch):
    rows = (
        ("Brin", "capital"),
        ("city of Corvo", "river"),
        ("city near Brin", "capital"),
        ("tower of Aldra", "capital"),
    )
    facts = [Fact(id=s, relation=r, subject=s, object=f"w{len(s)}", prompt="{} is") for s, r in rows]
    facts[-1] = facts[-1].model_copy(update={"object": "Corvo"})
    monkeypatch.setattr("analysis.tracing.corruption.read_facts", lambda: facts)
    assert trace(tiny, asked(corruption="replace", kinds=("state",))).replacement == "city near Brin"
    monkeypatch.setattr("analysis.tracing.corruption.read_facts", lambda: facts[:1])
    with pytest.raises(ReplacementMismatch, match="3 tokens"):
        trace(tiny, asked(corruption="replace", kinds=("state",)))
