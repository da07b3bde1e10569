"""Path patching, its cheap rivals and silenced heads: laws that hold in every family."""

import pytest
import torch
from torch import Tensor

from analysis.errors import BadRequest, UnknownArchitecture
from analysis.forward.blocks import Frame, at_sites, first_hidden, record
from analysis.internals.frozen_norm import FrozenNorm
from analysis.internals.head_outputs import Endings, at_heads, attention_given, endings, given
from analysis.model.language_model import LanguageModel
from analysis.patching.direct_effects import adds_up, direct_effects, estimated_effects, to_logits, to_residual
from analysis.patching.head_ablation import said_without
from analysis.patching.path_patching import patched_heads
from analysis.patching.path_patching_qkv import Receiver, heads_of, patched_pathways
from app.bench.plain.path_patching import PlainPaths
from tests.kit.conflicts import tokens

PROMPTS = [tokens(*range(1, 9)), tokens(*range(3, 9))]
TWINS = [tokens(*range(11, 19)), tokens(*range(13, 19))]
ANSWERS = torch.tensor([[5, 6], [7, 8]])


def runs(lm: LanguageModel) -> tuple[Endings, Tensor]:
    return endings(lm, PROMPTS), endings(lm, TWINS).z


def test_the_fast_form_is_the_full_frozen_forward(family):
    clean, corrupted = runs(family)
    fast = patched_heads(family, clean, corrupted, ANSWERS)
    assert fast.relative.abs().max() > 1e-3
    for row, prompt in enumerate(PROMPTS):
        plain = PlainPaths(family, prompt)
        for layer in range(family.n_layers):
            for head in range(family.n_heads):
                logits = plain.sender(layer, head, corrupted[layer, row, head])
                assert torch.allclose(logits[ANSWERS[row]], fast.logit[row, layer, head], atol=2e-5)
                exact = logits.softmax(-1)[ANSWERS[row]]
                assert torch.allclose(exact, fast.log_probability[row, layer, head].exp(), atol=1e-6)


def test_all_heads_frozen_is_the_clean_run_and_a_head_given_its_own_changes_nothing(family):
    for prompt in PROMPTS:
        plain = PlainPaths(family, prompt)
        assert torch.equal(plain.frozen(), plain.clean)
    clean, _ = runs(family)
    same = patched_heads(family, clean, clean.z, ANSWERS)
    assert not same.relative.any()
    assert not same.logit_difference.any()


def test_a_head_of_the_last_layer_has_no_effect_but_its_path(family):
    clean, corrupted = runs(family)
    fast = patched_heads(family, clean, corrupted, ANSWERS)
    total = torch.empty_like(fast.logit)
    for row, prompt in enumerate(PROMPTS):
        for layer in range(family.n_layers):
            for head in range(family.n_heads):

                def patch(at: int, z: Tensor, layer=layer, head=head, row=row) -> Tensor | None:
                    if at == layer:
                        z = z.clone()
                        z[0, -1, head] = corrupted[layer, row, head]
                        return z
                    return None

                with torch.no_grad(), at_heads(family, patch):
                    total[row, layer, head] = family.logits(prompt.tensor())[0, -1][ANSWERS[row]]
    assert torch.allclose(total[:, -1], fast.logit[:, -1], atol=2e-5)
    assert not torch.allclose(total[:, 0], fast.logit[:, 0], atol=1e-3)


def test_direct_effects_add_up_with_mlps_and_scales_frozen_and_not_otherwise(family):
    if not adds_up(family):
        assert direct_effects(family, *runs(family), ANSWERS) is None
        return
    clean, corrupted = runs(family)
    prompt, ids = PROMPTS[0], PROMPTS[0].tensor()
    run = record(Frame.of(family, ids), first_hidden(family, ids), ("attn", "mlp"))
    normed = hasattr(family.blocks[0], "ln1_post")
    parts = [
        to_residual(family, layer, clean.z[layer, :1], (corrupted - clean.z)[layer, :1])[0]
        for layer in range(family.n_layers)
    ]
    with torch.no_grad():
        whole = run.hidden[0][0, -1] + sum(out[0, -1] for site in ("attn", "mlp") for out in run.outputs[site])
        assert torch.allclose(whole, run.last[0], atol=1e-4)
        if not normed:  # scales behind attention are frozen in the parts, not in a run
            for layer in range(family.n_layers):
                own = to_residual(family, layer, clean.z[layer, :1], clean.z[layer, :1])[0].sum(0)
                bias = given(family, layer, torch.zeros_like(clean.z[layer, :1]))[0]
                assert torch.allclose(own + bias, run.outputs["attn"][layer][0, -1], atol=1e-4)
            outputs = {layer: given(family, layer, corrupted[layer, :1])[:, None] for layer in range(family.n_layers)}
            frame = Frame.of(family, ids)

            def held(_: str, layer: int, __: Tensor) -> Tensor:
                return run.outputs["mlp"][layer][:, -1:]

            joint = {}
            for frozen in (True, False):
                hidden = run.hidden[0][:, -1:]
                with attention_given(family, outputs), at_sites(family, ("mlp",) if frozen else (), held):
                    for layer in range(family.n_layers):
                        hidden = frame.run(layer, hidden, start=len(prompt) - 1)
                joint[frozen] = hidden[0, -1] - run.last[0]
            together = torch.stack(parts).sum((0, 1))
            assert torch.allclose(joint[True], together, atol=1e-4)
            assert not torch.allclose(joint[False], together, atol=1e-2)
        read = to_logits(family, run.last[0])
        each = direct_effects(family, clean, corrupted, ANSWERS)[0].sum((0, 1))
        assert torch.allclose(each, read(torch.stack(parts).sum((0, 1)))[ANSWERS[0]], atol=1e-4)


@pytest.mark.parametrize("centred", [True, False])
def test_a_norm_frozen_at_a_state_gives_that_state_what_the_norm_gives(centred):
    norm = torch.nn.LayerNorm(16) if centred else torch.nn.RMSNorm(16, eps=1e-6)
    draw = torch.Generator().manual_seed(0)
    for parameter in norm.parameters():
        parameter.data = torch.randn(16, generator=draw)
    state, change = torch.randn(2, 16, generator=draw), 1e-4 * torch.randn(2, 16, generator=draw)
    frozen = FrozenNorm.of(norm, state)
    bias = norm.bias if centred else 0
    assert torch.allclose(frozen(state) + bias, norm(state), atol=1e-4)
    assert torch.allclose(frozen(state + change) - frozen(state), frozen(change), atol=1e-5)
    with pytest.raises(UnknownArchitecture, match="Softmax"):
        FrozenNorm.of(torch.nn.Softmax(-1), state)


def test_attribution_patching_is_exact_to_first_order_and_no_further(family):
    clean, corrupted = runs(family)
    errors = []
    for share in (1e-3, 1.0):
        near = clean.z + share * (corrupted - clean.z)
        exact = patched_heads(family, clean, near, ANSWERS).logit_difference
        guess = estimated_effects(family, clean, near, ANSWERS)
        errors.append(float((guess - exact).norm() / exact.norm()))
    assert errors[0] < 0.05
    assert errors[1] > errors[0]


def test_silenced_heads_are_heads_set_to_zero_at_every_token(family):
    choices = [(), ((1, 2),), ((0, 1), (2, 3))]
    said = said_without(family, PROMPTS, ANSWERS, choices)
    scaled = said_without(family, PROMPTS, ANSWERS, choices, scale=0.5)
    held = said_without(family, PROMPTS, ANSWERS, choices, mean=endings(family, PROMPTS).z.mean(1))
    assert torch.equal(said.probability[0], scaled.probability[0])
    assert not torch.allclose(said.probability[1], held.probability[1])
    for choice, own, half in zip(choices, said.probability, scaled.probability, strict=True):
        for factor, found in ((0.0, own), (0.5, half)):

            def scale(layer: int, z: Tensor, choice=choice, factor=factor) -> Tensor:
                z = z.clone()
                for at, head in choice:
                    if at == layer:
                        z[:, :, head] *= factor
                return z

            for row, prompt in enumerate(PROMPTS):
                with torch.no_grad(), at_heads(family, scale):
                    exact = family.logits(prompt.tensor())[0, -1].softmax(-1)
                assert torch.allclose(exact[ANSWERS[row]], found[row], atol=1e-6)


def test_paths_to_queries_keys_and_values(family):
    receivers = {name: Receiver(2, heads_of(family, name) - 1, name) for name in ("q", "k", "v")}
    prompt, twin, answers = PROMPTS[0], TWINS[0], ANSWERS[0]
    for receiver in receivers.values():
        nothing = patched_pathways(family, prompt, prompt, [receiver], answers)
        assert nothing.relative.abs().max() < 1e-4
    found = {name: patched_pathways(family, prompt, twin, [one], answers) for name, one in receivers.items()}
    for patched in found.values():
        assert patched.relative[:, :2].abs().max() > 1e-5
        assert not patched.relative[:, 2:].any()
    last = patched_pathways(family, prompt, twin, [receivers["q"]], answers, positions="last")
    assert torch.allclose(last.logit, found["q"].logit, atol=1e-4)  # only the last token asks in the last layer
    with pytest.raises(BadRequest, match="as many in both"):
        patched_pathways(family, prompt, TWINS[1], [receivers["q"]], answers)
    with pytest.raises(BadRequest, match="layers with"):
        patched_pathways(family, prompt, twin, [Receiver(9, 0, "q")], answers)
