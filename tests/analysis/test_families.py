"""Every causal family of transformers: read exactly or refused with a sentence, at load and by each study after it."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from analysis import NeuronsRequest, TraceRequest, neurons, trace
from analysis.errors import UnknownArchitecture
from analysis.forward.architecture import told
from analysis.internals.frozen_lens import FrozenLens
from analysis.internals.residual_stream import read_residual_stream
from analysis.model import load_check
from analysis.model.capabilities import CAPABILITIES, SLOWER, lacking
from analysis.model.language_model import LanguageModel
from app.bench.families import PROMPT, STUDIES, SUBJECT, TEXTS, VOCABULARY, try_family
from app.bench.models.tiny_families import FAMILIES, tiny_model, tokenizer

CHEAP = {name: STUDIES[name] for name in ("lens", "silence", "knockout", "generate")}
PARTS = 8


def loaded(family: str) -> LanguageModel:
    return LanguageModel(tiny_model(family, VOCABULARY), tokenizer(TEXTS, VOCABULARY), name=family)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_family_is_read_exactly_or_refused_with_a_sentence(part):
    tried = []
    for family in list(FAMILIES)[part::PARTS]:
        try:
            model = tiny_model(family, VOCABULARY)
        except Exception:  # the family's own code makes no model of this size
            continue
        if model is not None:
            tried.append(try_family(family, model, CHEAP))
    assert len(tried) > 12
    assert [fault for one in tried for fault in one.defects] == []
    for one in tried:
        refusals = [outcome for outcome in one.outcomes.values() if outcome.startswith("refused")]
        assert all(outcome.endswith(".") for outcome in refusals), one
        assert not any("size of tensor" in outcome or "has no attribute" in outcome for outcome in refusals), one


READ = (
    "granite, all multipliers", "cohere", "olmo3", "exaone4", "bloom", "mpt", "falcon", "falcon, ALiBi", "xglm", "phi",
    "stablelm, parallel",
)  # fmt: skip


@pytest.mark.parametrize("family", READ)
def test_these_families_are_read_and_their_neurons_too(family):
    lm = loaded(family)
    assert lm.check.largest < 2e-5
    assert set(lm.capabilities) == set(CAPABILITIES)
    assert {name for name, one in lm.capabilities.items() if one.refused} <= {"stream"}
    assert STUDIES["neurons"](lm) < 1e-4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
@pytest.mark.parametrize("family", ["olmo", "olmo3", "flex_olmo", "gpt_oss", "gemma3_text", "cohere2", "phi3"])
def test_half_precision_is_read_as_its_own_code_reads_it(family, dtype):
    """Rotated queries that stayed longer than the values (OLMo) were refused."""
    lm = LanguageModel(tiny_model(family, VOCABULARY).to(dtype), tokenizer(TEXTS, VOCABULARY), name=family)
    assert lm.check.largest == 0.0
    can = {name for name, one in lm.capabilities.items() if not one.refused}
    assert can == {name for name, one in loaded(family).capabilities.items() if not one.refused}


@pytest.mark.parametrize(
    ("family", "scale", "factor"),
    [("granite, all multipliers", 0.25, 0.3), ("cohere", 0.0625, 1.0), ("llama", 1.0, 1.0)],
)
def test_scales_enter_wherever_logits_and_contributions_are_read(family, scale, factor):
    lm = loaded(family)
    assert lm.readout.scale == scale
    assert lm.factors == {"attn": factor, "mlp": factor}
    ids = lm.encode(PROMPT).tensor()
    stream = read_residual_stream(lm, ids)
    lens = FrozenLens(lm, stream.passage.last[0], 5)
    with torch.no_grad():
        assert torch.allclose(lens.logits(stream.passage.last[0]), lm.logits(ids)[0, -1], atol=1e-5)
    whole = stream.passage.hidden[0][0] + sum(
        stream.weights(part, layer) @ stream.vectors(part, layer) + stream.constant(part, layer)
        for layer in range(lm.n_layers)
        for part in ("attn", "mlp")
    )
    assert torch.allclose(whole, stream.passage.hidden[-1][0], atol=1e-4)


def test_a_factor_is_the_one_its_config_names():
    config = AutoModelForCausalLM.from_config(tiny_model("granite, all multipliers").config).config
    assert told(0.2501, config) == 0.25
    assert told(0.2995, config) == 0.3
    assert told(0.77, config) == 1.0


@pytest.mark.parametrize("study", ["neurons", "rome", "ft"])
def test_experts_are_read_and_traced_but_not_written(study):
    lm = loaded("mixtral")
    assert trace(lm, TraceRequest(prompt=PROMPT, subject=SUBJECT, samples=2, sigma=0.2, kinds=("mlp",))).complete
    with pytest.raises(UnknownArchitecture, match=r"mixtral cannot be asked this, which needs .* mixture of experts"):
        STUDIES[study](lm)


def test_a_gate_behind_the_heads_is_found():
    """Patterns can be read there, not written over: values times pattern is not what the output matrix is given."""
    lm = loaded("bitnet")
    assert lm.can("looks")
    assert not lm.can("patterns")
    with pytest.raises(UnknownArchitecture, match="a gate or a norm stands between"):
        neurons(lm, NeuronsRequest(prompt=PROMPT))


@pytest.mark.parametrize("name", ["rows", "memory", "generation", "texts", "packed"])
def test_what_fails_at_load_is_refused_by_every_study_that_needs_it(name, monkeypatch):
    def broken(_: object) -> float:
        raise RuntimeError("The size of tensor a (4) must match the size of tensor b (8)")

    monkeypatch.setitem(load_check.TRIALS, name, broken)
    lm = loaded("llama")
    assert not lm.can(name)
    assert "size of tensor" not in lm.capabilities[name].sentence()
    refusal = lacking((name,), lm.capabilities, lm.name)
    assert (refusal is None) == (name in SLOWER)
    outcomes = try_family("llama", tiny_model("llama", VOCABULARY), CHEAP | {"rome": STUDIES["rome"]}).outcomes
    assert not any(outcome.startswith("defect") for outcome in outcomes.values())


def test_blocks_are_handed_what_depends_on_the_length_alone():
    """A family whose blocks are handed something of the tokens themselves must not be read with another prompt's."""
    with pytest.raises(UnknownArchitecture, match="Gemma4ForCausalLM"):
        loaded("gemma4_text")
