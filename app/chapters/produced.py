"""What of a chapter is produced when it is read, so that nothing is copied by hand.

A chapter says `<!-- defaults: trace -->` where a table is to stand; `PRODUCERS` has every such word.
"""

import re
from collections.abc import Callable

from app.chapters import example, from_commands, from_program, locality_figures, machine_figures, method_figures

MARKER = re.compile(r"<!-- (\w+)(?:: ([\w-]+))? -->")
PRODUCERS: dict[str, Callable[[str], str]] = {
    one.__name__: one
    for one in (
        from_program.defaults,
        from_program.filled,
        from_program.protocols,
        from_program.kinds,
        from_program.forms,
        from_program.gate,
        from_program.studies,
        from_commands.commands,
        method_figures.evaluated,
        locality_figures.spared,
        locality_figures.in_a_row,
        locality_figures.worded,
        locality_figures.crosstalk,
        locality_figures.long,
        locality_figures.seconds,
        method_figures.traced,
        machine_figures.loaded,
        machine_figures.families,
        machine_figures.watched,
        machine_figures.shared,
        machine_figures.attacked,
        machine_figures.taken,
        example.example,
    )
}


def produced(markdown: str) -> str:
    """A chapter with every marker replaced; `KeyError` for a marker or a study there is none of."""
    return MARKER.sub(lambda found: PRODUCERS[found[1]](found[2] or ""), markdown)
