"""`palimpsest recipe sign` and `recipe key`: a recipe signed, and the keys it is signed with."""

import os
from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path
from typing import Any

from analysis.errors import BadFile, BadRequest
from editors.recipes.recipe import faults, read_files, write_again
from editors.recipes.signatures import Standing, fingerprint, new_key, public_of, read_key, signed, standings


def add_signing(actions: "_SubParsersAction[Any]") -> None:
    """Give `palimpsest recipe` its actions sign and key."""
    signing: ArgumentParser = actions.add_parser("sign", help="put a signature beside a recipe, of its trail too")
    signing.add_argument("recipe", type=Path, metavar="RECIPE")
    signing.add_argument("--key", type=Path, required=True, metavar="KEY", help="private key, PEM (recipe key new)")
    signing.add_argument("--who", default="", metavar="NAME", help="whose it is (default: the recipe's author)")
    signing.set_defaults(run=sign)
    key: ArgumentParser = actions.add_parser("key", help="make a key to sign with, or show one")
    kinds = key.add_subparsers(dest="key_action", metavar="ACTION", required=True)
    for name, text, run in (
        ("new", "make a key; the file is the secret half, keep it to yourself", make),
        ("show", "public half and fingerprint of a key", show_key),
    ):
        command: ArgumentParser = kinds.add_parser(name, help=text)
        command.add_argument("key", type=Path, metavar="KEY")
        command.set_defaults(run=run)


def add_demand(parser: ArgumentParser) -> None:
    """Give `palimpsest recipe verify` its --key."""
    parser.add_argument(
        "--key", default="", metavar="KEY", help="fingerprint, public key or PEM file that must have signed it"
    )


def sign(args: Namespace) -> int:
    """Sign a recipe; the file is written again, its weights are not touched."""
    recipe, payload = read_files(args.recipe)
    if found := faults(recipe, payload):
        raise BadFile(f"{args.recipe} has {len(found)} faults and is not signed.", tuple(found))
    key = read_key(args.key)
    made = signed(recipe, key, args.who or recipe["identity"]["author"])
    try:
        write_again(made, args.recipe)
    except OSError as error:
        raise BadRequest(f"{args.recipe} cannot be written ({error.strerror or error}). Nothing was signed.") from error
    covered = made["signatures"][-1]["events"]
    events = f" and {covered} events of its trail" if covered else ""
    print(f"{args.recipe}: recipe {recipe['id']}{events}, {standings(made)[-1].sentence}.")
    return 0


def make(args: Namespace) -> int:
    """Write a new key, readable by nobody else; one that is there is left alone."""
    try:
        handle = os.open(args.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(new_key())
    except FileExistsError as error:
        raise BadRequest(f"{args.key} is there already. Nothing was written; name another file.") from error
    except OSError as error:
        raise BadRequest(f"{args.key} cannot be written ({error.strerror or error}). Choose another place.") from error
    return show_key(args)


def show_key(args: Namespace) -> int:
    """Print what others may know of a key."""
    public = public_of(read_key(args.key))
    print(f"{args.key}: fingerprint {fingerprint(public)}, public key {public}")
    return 0


def refuse_unsigned(recipe: dict[str, Any], place: Path, wanted: str) -> list[Standing]:
    """How the signatures stand; `BadFile` for one that does not hold, and where none is of the key that is wanted."""
    found = standings(recipe)
    if broken := [one.sentence for one in found if not one.holds]:
        raise BadFile(f"{place} is not what was signed.", tuple(f"{text[0].upper()}{text[1:]}." for text in broken))
    if wanted and not any(_is_it(one.key, wanted) for one in found):
        by = ", ".join(one.sentence for one in found) or "it is not signed"
        raise BadFile(f"{place} is not signed with the key {wanted}: {by}.")
    return found


def _is_it(public: str, wanted: str) -> bool:
    if wanted.lower() in (public, fingerprint(public)):
        return True
    place = Path(wanted)
    return place.is_file() and public_of(read_key(place)) == public
