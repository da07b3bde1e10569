"""Attribution patching: a first-order guess, and true where first order is all there is (specification 2)."""

import numpy as np
import pytest
import torch

from analysis.forward.blocks import Frame, at_sites, first_hidden, record
from analysis.tracing.attribution_patching import preview
from analysis.tracing.corruption import noisy
from analysis.tracing.result import KINDS
from analysis.tracing.run import trace
from tests.kit.families import language_model
from tests.kit.traces import BEGIN, END, PROMPT, TOKENS, asked, far, traced

SOME = [END - 1, TOKENS - 1]


def test_a_preview_has_a_number_for_every_cell(family):
    previews = traced(family).previews
    assert set(previews) == set(KINDS)
    for estimate in previews.values():
        assert estimate.shape == (family.n_layers, TOKENS)
        assert np.isfinite(estimate).all()
        assert far(estimate[:, :BEGIN], 0) < 1e-6


def test_no_difference_gives_no_effect(family):
    tokens = family.encode(PROMPT).tensor()
    frame, hidden = Frame(family, tokens), first_hidden(family, tokens)
    with torch.no_grad():
        clean = record(frame, hidden, ("mlp", "attn"))
    for estimate in preview(frame, clean, hidden, 5, KINDS, 2).values():
        assert far(estimate, 0) < 1e-6


@pytest.mark.parametrize("kind", ["state", "mlp", "attn"])
def test_the_error_vanishes_with_the_noise(family, kind):
    """|preview - exact| / |exact| falls as the noise does: a tenth of the noise, a tenth of the error."""
    # Effects this small drown in float32, so the same weights in float64. ReLU has kinks a smaller step rarely crosses.
    errors = []
    for noise in (0.03, 0.0003) if "opt" in family.name else (0.03, 0.003):
        result = in_double(family.name.removeprefix("tiny-"), asked(noise=noise, window=1, kinds=(kind,)))
        errors.append(np.abs(result[0] - result[1]).max() / np.abs(result[1]).max())
    assert errors[1] < 0.35 * errors[0]
    assert errors[1] < 0.1


def in_double(name, request):
    """Preview and exact effect in float64 arithmetic at some tokens, each (L, 2)."""
    lm = language_model(name)
    lm.model.double()
    tokens = lm.encode(request.prompt)
    frame, ids = Frame(lm, tokens.tensor()), tokens.tensor()
    scale = request.noise * request.sigma
    corrupted = noisy(lm, tokens, (BEGIN, END), scale=scale, samples=request.samples, seed=request.seed)
    kind, answer = request.kinds[0], 5
    sites = () if kind == "state" else (kind,)
    with torch.no_grad():
        clean, base = (record(frame, hidden, sites) for hidden in (first_hidden(lm, ids), corrupted))
    guess = preview(frame, clean, corrupted, answer, (kind,), 1)[kind]
    return guess[:, SOME], patched(lm, frame, clean, base, kind, answer)


@torch.no_grad()
def patched(lm, frame, clean, base, kind, answer):
    """Exact effects, one run from the patched block on for every cell."""

    def spoken(hidden):
        logits = lm.readout.exactly(hidden[:, -1])
        return logits.log_softmax(-1)[:, answer].mean()

    grid = np.zeros((lm.n_layers, len(SOME)))
    for layer in range(lm.n_layers):
        for column, token in enumerate(SOME):
            hidden = base.hidden[layer + 1].clone()
            if kind == "state":
                hidden[:, token] = clean.hidden[layer + 1][:, token]
                start = layer + 1
            else:
                hidden, start = base.hidden[layer], layer
            with one_output(lm, kind, layer, token, clean):
                for at in range(start, lm.n_layers):
                    hidden = frame.run(at, hidden)
            grid[layer, column] = (spoken(hidden) - spoken(base.hidden[-1])).item()
    return grid


def one_output(lm, kind, layer, token, clean):
    def put(site, at, output):
        if at != layer:
            return None
        output = output.clone()
        output[:, token] = clean.outputs[kind][layer][:, token]
        return output

    return at_sites(lm, () if kind == "state" else (kind,), put)


def test_windows_add_their_layers(tiny):
    single, double = (trace(tiny, asked(window=window, kinds=("mlp", "attn"))) for window in (1, 2))
    for kind in ("mlp", "attn"):
        layers = single.previews[kind]
        assert far(double.previews[kind][0], layers[0]) < 1e-6
        assert far(double.previews[kind][1:], layers[1:] + layers[:-1]) < 1e-6


def test_severed_kinds_share_the_preview_of_the_state(family):
    previews = traced(family).previews
    assert far(previews["severed_mlp"], previews["state"]) == far(previews["severed_attn"], previews["state"]) == 0


def test_small_noise_is_ranked_rightly(family):
    """The rank agreement a page shows: near one where the guess is good."""
    result = trace(family, asked(noise=0.01, window=1, kinds=("mlp",)))
    assert result.agreement("mlp") > 0.9
    assert -1 <= traced(family).agreement("state") <= 1
    exact = np.log(result.grids["mlp"].probability) - np.log(result.corrupted.probability)[:, None, None]
    assert far(result.previews["mlp"], exact.mean(0)) < 0.01
