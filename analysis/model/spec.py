"""Which model is meant, and what it would take: plain data, told before anything is loaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from analysis.errors import BadRequest, ModelUnavailable

EMBEDDED = "embedded"
LONGEST = 255
"""Characters of a source."""
EMBEDDED_NAME = "SmolLM2-135M-Instruct"
Dtype = Literal["float32", "bfloat16", "float16"]


class ModelSpec(BaseModel):
    """Which model, where and how precise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(EMBEDDED, description="'embedded', a Hugging Face id, a local folder or a local .gguf file")
    revision: str | None = Field(None, description="branch, tag or commit of a Hugging Face id")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    dtype: Dtype = Field("float32", description="precision of the weights")
    device_map: str | None = Field(None, description="'auto' spreads the blocks over all GPUs")


@dataclass(frozen=True)
class ModelPlan:
    """What loading a model would take, known before any weight is read."""

    spec: ModelSpec
    name: str
    kind: Literal["embedded", "hub", "folder", "gguf"]
    architecture: str
    layers: int
    heads: int
    parameters: int
    bytes_needed: int
    """At the highest, while it is loaded."""
    bytes_free: int
    device: str
    bytes_on_host: int = 0
    """The same in the machine's own memory, through which weights for another device come."""
    bytes_in_half: int = 0
    """The same in bfloat16."""

    @property
    def fits(self) -> bool:
        """Whether what loading takes goes into what is free."""
        return self.bytes_needed <= self.bytes_free

    def sentence(self) -> str:
        """The plan in one line."""
        return (
            f"{self.name}: {self.parameters / 1e6:,.0f} million parameters, {self.layers} layers; needs "
            f"{self.bytes_needed / 1e9:.1f} GB in {self.spec.dtype} on {self.device} while it is loaded, "
            f"{self.bytes_free / 1e9:.1f} GB are free."
        )


def rooted(source: str) -> str:
    """The same source; a path from the root, so that it means the same in another folder."""
    return source if kind_of(source) in ("embedded", "hub") else str(Path(source).expanduser().absolute())


def kind_of(source: str) -> Literal["embedded", "hub", "folder", "gguf"]:
    """What a source string names; a path is one that exists or looks like one."""
    if source == EMBEDDED:
        return "embedded"
    if not source.strip():
        raise BadRequest("No model is named. Use embedded, a Hugging Face id, a folder or a .gguf file.")
    if len(source) > LONGEST:
        raise BadRequest(f"“{source[:40]}…” is too long for the name of a model.")
    path = Path(source).expanduser()
    looks_local = path.exists() or source.startswith((".", "/", "~")) or source.endswith(".gguf")
    if not looks_local:
        if source.count("/") > 1:
            raise BadRequest(f"“{source}” is neither a folder here nor a Hugging Face id (owner/name).")
        return "hub"
    if not path.exists():
        raise ModelUnavailable(f"There is no file or folder “{source}”. Check the path.")
    return "gguf" if path.is_file() else "folder"
