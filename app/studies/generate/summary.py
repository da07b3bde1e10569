"""Texts that go on, as the terminal shows them."""

from analysis.text.boundary import parted
from editors.generation.result import Generated


def generated_summary(result: Generated) -> str:
    """Each prompt with what follows it: with the edits, where there are any."""
    between = "\n" if result.request.chat else ""
    texts = result.after or result.before
    return "\n".join(
        f"{parted(prompt)[0]}{between}{text}" for prompt, text in zip(result.request.prompt, texts, strict=True)
    )
