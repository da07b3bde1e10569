"""What was read of a file of cases, in words: one sentence for the page and the terminal, and what is left out."""

from editors.cases.case import counted
from editors.cases.file_reader import CaseFile
from editors.cases.prompts import LeftOut


def read_words(found: CaseFile) -> str:
    """How many records were read as what, and how many were not."""
    whole = found.records - found.faulty
    parts = [f"{whole} of {counted(found.records, 'record')} read as {found.form}"]
    if found.faulty:
        parts.append(f"{found.faulty} with {'a fault' if found.faulty == 1 else 'faults'}, left out")
    return "; ".join(parts) + "."


def kept_words(found: CaseFile) -> str:
    """How many of the records' prompts are kept."""
    if not found.out:
        return "The one prompt is kept." if found.kept == 1 else f"All {found.kept} prompts of the records are kept."
    is_or_are = ("is" if found.kept == 1 else "are", "is" if found.out == 1 else "are")
    return f"{counted(found.kept, 'prompt')} of the records {is_or_are[0]} kept, {found.out} {is_or_are[1]} left out."


def held_words(found: CaseFile) -> str:
    """What is there to work with."""
    parts = [counted(len(found.cases), "case")]
    if found.chains:
        parts.append(counted(len(found.chains), "chain"))
    if found.questions:
        parts.append(f"{counted(len(found.questions), 'question')} ({purposes(found)})")
    return ", ".join(parts)


def purposes(found: CaseFile) -> str:
    """What questions are for: forget 40, retain 60."""
    kinds = [one.purpose for one in found.questions]
    return ", ".join(f"{kind} {kinds.count(kind)}" for kind in dict.fromkeys(kinds))


def left_words(one: LeftOut) -> str:
    """One field whose prompts are left out, and why."""
    more = " …" if one.prompts > len(one.rows) else ""
    return f"{one.field}: {counted(one.prompts, 'prompt')}, {one.reason} ({', '.join(one.rows)}{more})"
