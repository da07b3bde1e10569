"""Where an edit comes from, as a person is told: measured here or brought, and by whose key it is signed."""

from editors.edit.edit import Edit
from editors.recipes.recipe import BROUGHT, SEARCH_BROUGHT, recipe_of
from editors.recipes.signatures import standings

FALSE = "gpp_bad"


def colour_of(icon: str) -> str:
    """The colour a mark is written in."""
    return "red" if icon == FALSE else "gray"


def marks(edit: Edit) -> list[tuple[str, str]]:
    """Icon and words, one for each thing to say; nothing of an edit that was found here and nobody signed."""
    if not edit.brought and not edit.provenance.get("signatures"):
        return []
    found = [("move_to_inbox", SEARCH_BROUGHT if edit.measured else BROUGHT)] if edit.brought else []
    signed = standings(recipe_of(edit)[0])
    found += [("verified" if one.holds else FALSE, one.sentence) for one in signed]
    return found if signed else [*found, ("remove_moderator", "not signed")]
