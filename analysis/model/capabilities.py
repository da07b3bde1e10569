"""What a model can do, by name: tried when it is loaded, asked for by studies, told on pages.

No torch here: a page reads what a study needs, and what the loaded model has, before torch has been read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

CAPABILITIES: dict[str, str] = {
    "parts": "what MLPs and attention add",
    "rows": "prompts of different length side by side",
    "gradient": "gradients through blocks",
    "memory": "MLPs with one output matrix each",
    "stream": "MLPs that write into the residual stream as it is",
    "heads": "attention heads one by one",
    "looks": "attention patterns that can be read",
    "patterns": "attention patterns that can be written over",
    "neurons": "neurons and heads whose writings add up",
    "generation": "text that goes on from stored keys and values",
    "texts": "texts of any length that go on side by side",
    "packed": "products laid out for the processor",
}
"""In plain words."""
SLOWER: dict[str, str] = {
    "rows": "prompts of different length are run one after another",
    "texts": "texts go on one after another",
    "packed": "products are those of torch",
}
"""What is done instead where a capability only saves time."""


INSTEAD: dict[str, str] = {"stream": "Take ROME or PMET, which aim at what an MLP writes, or another model."}
"""What to do where it is not only another model."""


@dataclass(frozen=True)
class Capability:
    """One of `CAPABILITIES` of one model: tried and exact, or refused with a reason."""

    name: str
    difference: float | None
    """Largest difference to the plain way; None where it is refused."""
    reason: str = ""

    @property
    def refused(self) -> bool:
        """Whether the model cannot do it."""
        return self.difference is None

    def sentence(self) -> str:
        """For a line of a list."""
        if not self.refused:
            return f"exact (largest difference {self.difference:.1g})"
        return f"{f'slower, {SLOWER[self.name]}' if self.name in SLOWER else 'refused'}: {self.reason}"


def lacking(needs: Iterable[str], capabilities: Mapping[str, Capability], name: str) -> str | None:
    """The sentence that refuses a study which needs what the model `name` cannot do; None where it can."""
    for need in needs:
        found = capabilities.get(need)
        if found is not None and found.refused and need not in SLOWER:
            instead = INSTEAD.get(need, "Choose another model.")
            return f"{name} cannot be asked this, which needs {CAPABILITIES[need]}: {found.reason} {instead}"
    return None
