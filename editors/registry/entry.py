"""What a method of editing says of itself, in one place: its words, its defaults, what it needs, where it writes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from analysis.declared import Declared, Named

ONE_LAYER, FEW_LAYERS = "editors.methods.layer_rules:one_layer", "editors.methods.layer_rules:few_layers"
TEXTS = ("contexts", "context_tokens", "seed")
MOMENTS = ("source", "tokens", "seed")
SADR = ("sadr", "sadr_selective", "sadr_steps", "sadr_epsilon")
VALUES = ("others", "others_weight", "neighbours", "behind_weight", "near_weight")
LTI = ("lti_subject", "lti_output", "lti_layer", "answer_weight")
STOPS = ("stop_after", "stop_at")
SEARCH = ("layers", "steps", "rate", "clamp", "kl", "decay", "enough", "norm_anchor", *STOPS, *VALUES, *LTI, *SADR)
PROTECTION = ("protect_keys", "protected", "protect_weight", "subjects_weight", "held_out")
CLOSED_FORM = tuple(dict.fromkeys((*SEARCH, *TEXTS, *MOMENTS, *PROTECTION)))
"""Fields of the request that every closed form reads: of search, texts, second moments and what must not move."""


@dataclass(frozen=True)
class Method(Declared):
    """One method. It writes facts by `write`, or makes the whole edit by `whole`; all else it may do without."""

    kind: ClassVar[str] = "method"
    label: str
    """Its name as people read it, the same on every page."""
    does: str
    """What it does, in a few words that begin with a verb."""
    source: str
    """The paper it is from."""

    write: Named = ""
    """Function of model, settled request, report and past keys, called before any edit is on. What it returns is called
    without arguments on top of the edits below, and gives changes, how they were found (`Found`), and warnings."""
    whole: Named = ""
    """Function of model, request, report and stack in its place: one that settles and asks in its own way."""

    uses: tuple[str, ...] = CLOSED_FORM
    """Fields of `EditRequest` it reads, beside facts and how prompts are put."""
    layers: Named = FEW_LAYERS
    """Function of a model: the layers it writes to when none are named."""
    most_layers: int | None = None
    most_facts: int | None = None
    """How many of them one edit may have; as many as there are when None."""
    defaults: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Values of fields that are left out, where they are not those of `editors.methods.defaults`."""
    settle: Named = ""
    """Function of model, request and a function to call meanwhile: the request with more of its fields filled in."""
    aim: Literal["", "block", "mlp"] = ""
    """Where its targets stand unless the request says so: in the stream behind a block, so that something must read
    it there, or where the block's parts write (PMET's way); empty where neither is so, as for ROME and fine-tuning."""
    at_end: bool = False
    """Whether its keys stand at the prompt's last token, where an answer is predicted, and not at the subject's."""
    spares: bool = False
    """Whether it reads the keys of the edits below, and so is found on top of those that are on."""
    solvable: bool = False
    """Whether its edits keep keys and residuals, so that any of them can be solved together, and it reads those of
    edits below in place of reading their keys anew."""
    without: tuple[str, ...] = ()
    """What of `editors.registry.versions` a comparison does not offer beside it, though it reads the field."""

    needs: tuple[str, ...] = ("memory", "gradient")
    """What of `analysis.model.capabilities` it needs whatever is asked."""
    chosen_with: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Fields that are chosen by what the model does where they are left out, by what that needs of it."""
    searches: float = 1.0
    """How long its search takes, in ROME's: for what a page says beforehand, and what a public server takes."""
    edition: int = 0
    """Raised when it has come to write something else: what was computed with it before is then computed anew."""

    @property
    def one_layer(self) -> bool:
        """Whether it writes to one layer when none is named."""
        return self.most_layers == 1 or self.layers == ONE_LAYER

    def where(self, asked: str | None = None) -> str:
        """Where its targets stand: `aim`, or what is asked for in its place of one that can be asked."""
        return asked or self.aim if "aim" in self.uses else self.aim

    @property
    def silences(self) -> bool:
        """Whether it multiplies heads; all others add to what MLPs write."""
        return "heads" in self.uses
