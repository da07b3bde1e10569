"""A language model of every family: what it says is what Hugging Face says, whole or block by block."""

from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from analysis.errors import PromptTooLong, UnknownArchitecture
from analysis.forward.blocks import Frame, PrefixCache, at_sites, first_hidden, record
from analysis.forward.resumed_forward import Cell, groups, resume
from analysis.model.language_model import LanguageModel
from analysis.tracing.run import trace
from tests.kit.families import FAMILIES, LENGTH, VOCABULARY, build, language_model, word_tokenizer
from tests.kit.traces import asked

CLOSE = 2e-5
IDS = torch.tensor([[5, 9, 2, 31, 7, 12, 40]])


def reference(name: str, ids: Tensor) -> Tensor:
    """Logits of the plain Hugging Face model, never wrapped."""
    with torch.no_grad():
        return build(name)(input_ids=ids, use_cache=False).logits


def far(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


def hooks(lm: LanguageModel) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in lm.model.modules())


def test_logits_are_hugging_faces(family):
    assert family.check.largest < CLOSE
    assert far(family.logits(IDS), reference(family.name.removeprefix("tiny-"), IDS)) < CLOSE


def test_logits_of_the_last_tokens_are_those_of_all(family):
    assert family.logits(IDS, 2).shape[1] == 2
    assert far(family.logits(IDS, 2), family.logits(IDS)[:, -2:]) < CLOSE


def test_reading_the_last_block_out_gives_the_logits(family):
    with torch.no_grad():
        passage = record(Frame(family, IDS), first_hidden(family, IDS))
        assert len(passage.hidden) == family.n_layers + 1
        assert far(family.readout(passage.hidden[-1]), family.logits(IDS)) < CLOSE


def test_nothing_in_the_model_asks_for_gradients_or_draws_at_random(family):
    """Also what the bridge adds, such as the split halves of a joint projection."""
    assert not family.logits(IDS).requires_grad
    assert not any(module.training for module in family.bridge.modules())


def test_sub_blocks_add_up_to_the_block(family):
    """What is called an MLP's or an attention's output is what it adds to the residual stream."""
    if family.name == "tiny-opt_post_norm":
        pytest.skip("norms stand behind the additions here")
    with torch.no_grad():
        passage = record(Frame(family, IDS), first_hidden(family, IDS), ("mlp", "attn"))
        for layer in range(family.n_layers):
            added = passage.outputs["mlp"][layer] + passage.outputs["attn"][layer]
            assert far(passage.hidden[layer] + added, passage.hidden[layer + 1]) < CLOSE


def test_every_suffix_resumed_gives_what_the_full_run_gives(family):
    """From every token on and every block on, several rows at once, each with its own prefix."""
    ids = torch.cat((IDS, IDS.flip(1)))
    frame = Frame(family, IDS)
    with torch.no_grad():
        passage = record(frame, torch.cat([first_hidden(family, row[None]) for row in ids]))
        for start in range(ids.shape[1]):
            for layer in range(family.n_layers):
                cache = PrefixCache(passage.prefix_before(layer, start))
                output = frame.run(layer, passage.hidden[layer][:, start:], start=start, cache=cache)
                assert far(output, passage.hidden[layer + 1][:, start:]) < CLOSE
                assert far(cache.keys, passage.prefix[layer][0]) < CLOSE


def test_cells_that_join_late_do_not_disturb_those_under_way(family):
    frame, token = Frame(family, IDS), 3
    with torch.no_grad():
        base = record(frame, first_hidden(family, IDS))
        cells = [Cell(i, join, base.hidden[join][:, token:]) for i, join in enumerate((0, 0, 1, 2, family.n_layers))]
        last = resume(frame, base, token, cells)
    assert last.shape == (5, 1, family.d_model)
    assert far(last, base.last.expand_as(last)) < CLOSE


def test_groups_keep_order_and_budget():
    cells = [Cell(i, join, torch.zeros(2, 3, 4)) for i, join in enumerate((2, 0, 1, 1, 0))]
    parts = list(groups(cells, 12))
    assert [[cell.join for cell in part] for part in parts] == [[0, 0], [1, 1], [2]]
    assert [len(part) for part in groups(cells, 1)] == [1] * 5
    assert list(groups([], 12)) == []


def test_overwriting_a_sub_block_reaches_only_what_comes_later(family):
    def silence(site: str, layer: int, output: Tensor) -> Tensor | None:
        if layer != 1:
            return None
        output = output.clone()
        output[:, 4] = 0
        return output

    before = hooks(family)
    with torch.no_grad(), at_sites(family, ("mlp",), silence):
        changed = family.logits(IDS)
    assert far(changed[:, :4], family.logits(IDS)[:, :4]) < CLOSE
    assert far(changed[:, 4:], family.logits(IDS)[:, 4:]) > 1e-3
    assert hooks(family) == before


def test_hooks_are_gone_after_a_failure(tiny):
    def fail(*_: object) -> None:
        raise RuntimeError("on purpose")

    before = hooks(tiny)
    with pytest.raises(RuntimeError, match="on purpose"), at_sites(tiny, ("mlp", "attn"), fail):
        tiny.logits(IDS)
    assert hooks(tiny) == before


def test_a_trace_leaves_the_parameters_as_they_were(family):
    before = {name: parameter.clone() for name, parameter in family.parameters.items()}
    count = hooks(family)
    trace(family, asked(samples=2))
    assert all(torch.equal(before[name], parameter) for name, parameter in family.parameters.items())
    assert not any(p.requires_grad or p.grad is not None for p in family.parameters.values())
    assert hooks(family) == count


@pytest.mark.parametrize("name", ["gpt2", "llama_tied"])
def test_the_weights_hash_names_the_weights(name):
    first, again, other = language_model(name), language_model(name), language_model(name, seed=1)
    assert first.weights_hash == again.weights_hash != other.weights_hash
    changed = build(name)
    parameter = list(changed.parameters())[-2]
    parameter.data.view(-1)[3] += 1e-3
    assert LanguageModel(changed, word_tokenizer(), name="changed").weights_hash != first.weights_hash


def test_the_weights_hash_does_not_depend_on_the_name(tiny):
    assert LanguageModel(build("llama"), word_tokenizer(), name="other").weights_hash == tiny.weights_hash


def test_the_card_says_what_was_used(family):
    card = family.card()
    assert card["weights_hash"] == family.weights_hash
    assert (card["layers"], card["heads"], card["d_model"]) == (3, 4, 32)
    assert card["parameters"] == sum(p.numel() for p in build(family.name.removeprefix("tiny-")).parameters())
    assert card["dtype"] == "float32"


_SMALL = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_attention_heads": 4}
UNREADABLE: dict[str, tuple[transformers.PreTrainedConfig, str]] = {
    "an encoder with a decoder": (
        transformers.T5Config(vocab_size=VOCABULARY, d_model=32, d_ff=32, num_layers=2),
        "an encoder with a decoder, such as BART or T5",
    ),
    "no attention": (
        transformers.MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2),
        "has no attention heads",
    ),
    "attention in some blocks only": (
        transformers.Lfm2Config(
            **_SMALL, num_key_value_heads=2, num_hidden_layers=2, layer_types=["conv", "full_attention"]
        ),
        "not every block is attention and an MLP",
    ),
    "unknown to the bridge": (
        transformers.CTRLConfig(vocab_size=VOCABULARY, n_embd=32, dff=32, n_layer=2, n_head=4),
        "has no map of CTRLLMHeadModel",
    ),
    "tokens that see those behind them": (
        transformers.BertConfig(**_SMALL, num_hidden_layers=2),
        "is an encoder, such as BERT",
    ),
    "tokens that see those behind them, which no field says": (
        transformers.XLNetConfig(vocab_size=VOCABULARY, d_model=32, n_layer=2, n_head=4, d_inner=32),
        "reads every token together with those behind it",
    ),
    "a readout with steps of its own": (
        transformers.BertConfig(**_SMALL, is_decoder=True, num_hidden_layers=2),
        "cannot be read exactly: its logits differ",
    ),
    "blocks that keep nothing of what they read": (
        transformers.OpenAIGPTConfig(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=LENGTH),
        "keeps no keys and values",
    ),
}


def random(config: transformers.PreTrainedConfig) -> Any:
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(config, name, 0)
    kind = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)
        return kind.from_config(config, attn_implementation="eager")


@pytest.mark.parametrize("why", UNREADABLE)
def test_other_architectures_are_refused_with_the_reason(why):
    config, reason = UNREADABLE[why]
    with pytest.raises(UnknownArchitecture, match=reason) as refusal:
        LanguageModel(random(config), word_tokenizer(), name="mine")
    assert str(refusal.value).endswith(".")
    assert "shape" not in str(refusal.value)


def test_a_model_whose_blocks_do_not_add_up_is_refused(monkeypatch):
    """The self-check stands between a wrong reading of an architecture and every result."""
    monkeypatch.setattr(
        "analysis.forward.architecture.Readout.__call__", lambda self, hidden: hidden @ torch.ones(32, 64)
    )
    with pytest.raises(UnknownArchitecture, match="cannot be read exactly: its logits differ"):
        language_model("llama")


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma3"])
def test_bfloat16_models_work(name):
    lm = LanguageModel(build(name).to(torch.bfloat16), word_tokenizer(), name=name)
    assert lm.dtype is torch.bfloat16
    assert lm.logits(IDS).dtype is torch.float32
    result = trace(lm, asked(samples=2))
    assert result.complete
    assert abs(result.grids["state"].probability[:, -1, -1] - result.high).max() < 0.02
    assert len(lm.weights_hash) == 64


def test_a_prompt_longer_than_the_positions_is_refused(family):
    if family.name == "tiny-bloom":  # its bias by distance goes on for ever
        assert len(family.encode("the " * (LENGTH + 1))) == LENGTH + 1
        return
    assert len(family.encode("the " * LENGTH)) == LENGTH
    with pytest.raises(PromptTooLong, match=f"{LENGTH + 1} tokens; {family.name} reads at most {LENGTH}"):
        family.encode("the " * (LENGTH + 1))


def test_families_are_distinct():
    assert len({type(build(name)).__name__ for name in FAMILIES}) >= 10
