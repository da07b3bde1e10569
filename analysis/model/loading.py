"""From a name to a model in memory, with the price told before it is paid.

A source is the embedded model, a Hugging Face id, a local folder or a local GGUF file. The
config is read first, parameters are counted on the meta device, and a model that cannot fit is
refused with the numbers. Only safetensors and GGUF are read; no remote code is run.
"""

import gc
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import try_to_load_from_cache
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from analysis.errors import BadRequest, ModelTooLarge, ModelUnavailable, UnknownArchitecture
from analysis.forward.architecture import refuse_by_config, refuse_unmapped
from analysis.free_memory import demand, free_bytes
from analysis.model.embedded import embedded_folder
from analysis.model.gguf_file import GgufFile, forget, gguf_file
from analysis.model.hub_reach import refuse_unreached
from analysis.model.language_model import LanguageModel
from analysis.model.load_check import FAILURES
from analysis.model.loading_price import loading_bytes
from analysis.model.spec import EMBEDDED, EMBEDDED_NAME, ModelPlan, ModelSpec, kind_of, rooted
from analysis.study import Report, silent

DTYPES: dict[str, torch.dtype] = {name: getattr(torch, name) for name in ("float32", "bfloat16", "float16")}


def pick_device(wanted: str) -> torch.device:
    """The device meant by `wanted`; 'auto' prefers CUDA, then MPS, then the CPU."""
    if wanted == "auto":
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise BadRequest(f"“{wanted}” is not a device. Use auto, cpu, cuda, cuda:1 or mps.") from error
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= counts.get(device.type, 0):
        raise BadRequest(f"This machine has no device “{wanted}”. Use auto or cpu.")
    return device


def _where(spec: ModelSpec, report: Report) -> tuple[str, dict[str, Any]]:
    """Arguments that lead `from_pretrained` to the files of a folder or of a Hugging Face id."""
    kind = kind_of(spec.source)
    if kind == "embedded":
        return str(embedded_folder(report)), {}
    return (str(Path(spec.source).expanduser()), {}) if kind == "folder" else (spec.source, {"revision": spec.revision})


def _gguf(spec: ModelSpec) -> GgufFile | None:
    return gguf_file(Path(spec.source).expanduser().resolve()) if kind_of(spec.source) == "gguf" else None


def _name(spec: ModelSpec) -> str:
    kind = kind_of(spec.source)
    if kind == "embedded":
        return EMBEDDED_NAME
    return (
        spec.source
        if kind == "hub"
        else Path(spec.source).expanduser().resolve().stem
        if kind == "gguf"
        else Path(spec.source).expanduser().resolve().name
    )


def _unavailable(spec: ModelSpec, error: Exception) -> ModelUnavailable:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return ModelUnavailable(
        f"“{spec.source}” could not be read: {reason} "
        "Check the name and the connection, or give a local folder with config.json and safetensors."
    )


def _config(spec: ModelSpec, report: Report) -> Any:
    if (file := _gguf(spec)) is not None:
        return file.config
    where, extra = _where(spec, report)
    try:
        if extra and not isinstance(try_to_load_from_cache(where, "config.json", revision=spec.revision), str):
            refuse_unreached(where, "give a local folder with config.json and safetensors")
        return AutoConfig.from_pretrained(where, trust_remote_code=False, **extra)
    except (OSError, ValueError, KeyError) as error:
        raise _unavailable(spec, error) from error


def plan(spec: ModelSpec, report: Report = silent) -> ModelPlan:
    """Config, size and memory of a model without loading it.

    Raises `ModelUnavailable`, `UnknownArchitecture` or `BadRequest`.

    Args:
        spec: which model, in which type, on which device.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
    Returns:
        Parameters, bytes needed and free, and whether it fits.
    Example:
        >>> from analysis import ModelSpec
        >>> plan(ModelSpec(source="embedded")).parameters
        134515008
    """
    config = _config(spec, report)
    refuse_by_config(f"“{spec.source}”", config)
    try:
        with torch.device("meta"):
            shell = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except (*FAILURES, ImportError) as error:
        raise UnknownArchitecture(
            f"“{spec.source}” is of type “{config.model_type}”, not a decoder-only language model."
        ) from error
    refuse_unmapped(f"“{spec.source}”", type(shell).__name__)
    text = config.get_text_config()
    parameters = sum(parameter.numel() for parameter in shell.parameters())
    device = pick_device(spec.device)
    on_host = _priced(spec, shell, spec.dtype)
    return ModelPlan(
        spec=spec,
        name=_name(spec),
        kind=kind_of(spec.source),
        architecture=type(shell).__name__,
        layers=text.num_hidden_layers,
        heads=text.num_attention_heads,
        parameters=parameters,
        bytes_needed=on_host if device.type == "cpu" else parameters * DTYPES[spec.dtype].itemsize,
        bytes_on_host=on_host,
        bytes_in_half=_priced(spec, shell, "bfloat16"),
        bytes_free=free_bytes(device, everywhere=spec.device_map is not None),
        device=str(device),
    )


def _priced(spec: ModelSpec, shell: Any, dtype: str) -> int:
    file = _gguf(spec)
    stored = getattr(shell.config, "dtype", None) if file is None else None
    mapped = None if file is None else file.path.stat().st_size
    return loading_bytes(shell, DTYPES[dtype], stored=stored, mapped=mapped)


def load(source: str | ModelSpec = EMBEDDED, *, report: Report = silent, **options: Any) -> LanguageModel:
    """Load a model: `load()`, `load("gpt2")`, `load("./folder", dtype="bfloat16", device="cuda")`.

    `options` are the fields of `ModelSpec`. Raises `ModelTooLarge` with the numbers when it
    cannot fit, `ModelUnavailable`, `UnknownArchitecture` or `BadRequest`.

    Args:
        source: an id of the hub, a folder, a GGUF file, or “embedded”; or a `ModelSpec`.
        report: called as report(done, total, note) with the steps so far; raise `Cancelled` in it to stop.
        options: fields of `ModelSpec`: revision, dtype, device, device_map, gguf_file.
    Returns:
        The model, checked against Hugging Face's own forward on a few tokens.
    Example:
        >>> load("embedded").card()["layers"]
        30
    """
    spec = source if isinstance(source, ModelSpec) else ModelSpec(source=source, **options)
    priced = plan(spec, report)
    if not priced.fits:
        gc.collect()
        raise ModelTooLarge(
            f"{priced.name} does not fit. It needs {priced.bytes_needed / 1e9:.1f} GB in {spec.dtype} on "
            f"{priced.device} while it is loaded; {priced.bytes_free / 1e9:.1f} GB are free. {_smaller(priced)}"
        )
    if priced.device != "cpu":
        demand(priced.bytes_on_host, torch.device("cpu"), f"Loading {priced.name}", "Choose a smaller model.")
    report(0, 1, f"reading {priced.name}")
    try:
        tokenizer, model, found = _read_gguf(spec, report) if priced.kind == "gguf" else _read_files(spec, report)
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise _unavailable(spec, error) from error
    if absent := sorted(found["missing_keys"]):
        raise ModelUnavailable(
            f"“{spec.source}” lacks {len(absent)} of its model's weights, {absent[0]} among them. "
            "Fetch it again, or choose another."
        )
    if not spec.device_map:
        model = model.to(pick_device(spec.device))
    if not getattr(model.config, "architectures", None):
        model.config.architectures = [type(model).__name__]
    lm = LanguageModel(model, tokenizer, name=priced.name, source=rooted(spec.source), revision=spec.revision)
    lm.commit = commit_of(spec)
    report(1, 1, f"{priced.name} is ready")
    return lm


def commit_of(spec: ModelSpec) -> str | None:
    """The commit of the hub that a model was loaded from, which its branch leaves behind one day; None elsewhere."""
    if kind_of(spec.source) != "hub":
        return None
    found = try_to_load_from_cache(spec.source, "config.json", revision=spec.revision)
    return Path(found).parent.name if isinstance(found, str) else None


def _read_files(spec: ModelSpec, report: Report) -> tuple[Any, Any, dict[str, Any]]:
    """Tokenizer, model and what loading says of it; of a Hugging Face id, all from the one commit its config is of."""
    where, extra = _where(spec, report)
    config = AutoConfig.from_pretrained(where, trust_remote_code=False, **extra)
    if (commit := getattr(config, "_commit_hash", None)) and extra:
        extra = {"revision": commit}
    tokenizer = AutoTokenizer.from_pretrained(where, trust_remote_code=False, **extra)
    model, found = AutoModelForCausalLM.from_pretrained(
        where, use_safetensors=True, trust_remote_code=False, **_how(spec), **extra
    )
    return tokenizer, model, found


def _read_gguf(spec: ModelSpec, report: Report) -> tuple[Any, Any, dict[str, Any]]:
    """The same of a GGUF file, whose header was parsed for the plan."""
    file = gguf_file(Path(spec.source).expanduser().resolve())
    try:
        tokenizer = file.tokenizer()
        with torch.device("meta"):
            shell = AutoModelForCausalLM.from_config(file.config, trust_remote_code=False)
        weights = file.weights(shell, DTYPES[spec.dtype], report)
        config = file.config
    finally:
        forget()
    model, found = type(shell).from_pretrained(None, config=config, state_dict=weights, **_how(spec))
    model.config.architectures = [type(model).__name__]
    return tokenizer, model, found


def _how(spec: ModelSpec) -> dict[str, Any]:
    placement = {"device_map": spec.device_map} if spec.device_map else {}
    return {
        "output_loading_info": True,
        "dtype": DTYPES[spec.dtype],
        "attn_implementation": "eager",
        **placement,
    }


def _smaller(priced: ModelPlan) -> str:
    if priced.spec.dtype == "float32" and (half := priced.bytes_in_half) < priced.bytes_needed:
        verdict = "which fits" if half <= priced.bytes_free else "still too much; choose a smaller model"
        return f"In bfloat16 it needs {half / 1e9:.1f} GB, {verdict}."
    return "Choose a smaller model."
