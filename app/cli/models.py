"""Models from the terminal: what there is, what it would take, fetching it, checking it."""

from argparse import ArgumentParser, Namespace
from typing import Any

from huggingface_hub import scan_cache_dir, snapshot_download
from huggingface_hub.errors import CacheNotFound

from analysis import ModelSpec, plan
from analysis.errors import ModelUnavailable
from analysis.model.capabilities import CAPABILITIES
from analysis.model.embedded import embedded_folder, embedded_place, embedded_ready
from analysis.model.spec import EMBEDDED, EMBEDDED_NAME, kind_of
from app.terminal.request_flags import MODEL_FLAGS, add_fields, fields_of, loaded
from app.terminal.text import Bar, columns

SOURCE = ModelSpec.model_fields["source"].description
HUB_FILES = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model"]


def configure(parser: ArgumentParser, name: str) -> None:
    """Give the command its own commands."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    commands.add_parser("list", help="models on this machine").set_defaults(run=show_list)
    info = commands.add_parser("info", help="parameters and memory of a model, without loading it")
    pull = commands.add_parser("pull", help="fetch a model: the embedded one, or a Hugging Face id")
    check = commands.add_parser("check", help="load a model and compare its logits with Hugging Face's")
    for command, run in ((info, show_info), (pull, fetch), (check, compare)):
        command.add_argument("source", nargs="?", default=EMBEDDED, metavar="MODEL", help=SOURCE)
        command.set_defaults(run=run)
    pull.add_argument("--revision", default=None, help=ModelSpec.model_fields["revision"].description)
    pull.add_argument("--verify", action="store_true", help="read every byte of the embedded model again")
    for command in (info, check):
        _add_placement(command)


def _add_placement(parser: ArgumentParser) -> None:
    add_fields(parser, ModelSpec, MODEL_FLAGS, leave_out={"source"})


def show_list(args: Namespace) -> int:
    """Print the embedded model and the models in Hugging Face's cache."""
    there = f"ready, {embedded_place()}" if embedded_ready() else "not fetched yet: palimpsest model pull"
    print(columns([(EMBEDDED, f"{EMBEDDED_NAME}, {there}"), *_cached()], ("model", "")))
    return 0


def _cached() -> list[tuple[str, str]]:
    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return []
    return [
        (repo.repo_id, f"{repo.size_on_disk / 1e9:.1f} GB in Hugging Face's cache")
        for repo in sorted(repos, key=lambda repo: repo.repo_id)
        if repo.repo_type == "model" and any(_has_weights(revision) for revision in repo.revisions)
    ]


def _has_weights(revision: Any) -> bool:
    return any(file.file_name.endswith(".safetensors") for file in revision.files)


def show_info(args: Namespace) -> int:
    """Print what loading a model would take."""
    with Bar() as bar:
        priced = plan(fields_of(args, ModelSpec), report=bar)
    verdict = "It fits." if priced.fits else "It does not fit."
    print(f"{priced.sentence()} {verdict}\n{priced.architecture}, {priced.heads} heads, from {priced.spec.source}.")
    return 0


def fetch(args: Namespace) -> int:
    """Bring a model onto this machine."""
    kind = kind_of(args.source)
    if kind == "embedded":
        with Bar() as bar:
            place: Any = embedded_folder(bar, verify=args.verify)
        print(f"{EMBEDDED_NAME} is ready in {place}.")
    elif kind == "hub":
        print(f"{args.source} is ready in {_from_hub(args.source, args.revision)}.")
    else:
        priced = plan(ModelSpec(source=args.source))  # refuses what is no model
        print(f"{args.source} is on this machine already: {priced.architecture}, {priced.layers} layers.")
    return 0


def _from_hub(source: str, revision: str | None) -> str:
    try:
        place = snapshot_download(source, revision=revision, allow_patterns=HUB_FILES)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        advice = "Check the name and the connection."
        raise ModelUnavailable(f"“{source}” could not be fetched: {reason} {advice}") from error
    return place


def compare(args: Namespace) -> int:
    """Load a model, print how far its logits are from Hugging Face's."""
    with Bar() as bar:
        lm = loaded(args, bar)
    print(f"{lm.name} reads as Hugging Face reads it: largest logit difference {lm.check.largest:.2g}.")
    print(
        columns(
            [
                ("through the bridge", f"{lm.check.bridge:.2g}"),
                ("block by block", f"{lm.check.blocks:.2g}"),
                ("weights", lm.weights_hash),
                ("parameters", f"{lm.n_parameters:,}"),
                ("on", f"{lm.device}, {str(lm.dtype).removeprefix('torch.')}"),
                *((CAPABILITIES[name], found.sentence()) for name, found in lm.capabilities.items()),
            ]
        )
    )
    return 0
