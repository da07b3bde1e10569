"""Two GPUs on paper: tensors that lie on the processor and say they lie elsewhere.

What a model spread over devices would refuse is refused here: an operation on tensors of two devices, a number of a
device handed to numpy. What would make the processor wait for a device is counted. So laws about devices are tested
where there is none. Numbers are those of the processor.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

from analysis.model.language_model import LanguageModel

CPU, FIRST, SECOND = torch.device("cpu"), torch.device("cuda:0"), torch.device("cuda:1")
READS = ("item", "tolist", "__bool__", "__int__", "__float__", "__index__", "nonzero", "unique", "equal", "allclose")
"""Calls that wait for a device's numbers."""
MAY_MIX = ("copy_", "to", "type_as", "__getitem__", "__setitem__", "__set__")
"""Calls that take tensors of two devices; indices may lie on the processor."""


class Placed(Tensor):
    """A tensor that says it lies on another device."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    place: torch.device

    @property
    def device(self) -> torch.device:
        """Where it says it lies."""
        return self.place


def placed(tensor: Tensor, place: torch.device) -> Tensor:
    """The same numbers, said to lie at `place`."""
    plain = tensor.as_subclass(Tensor) if isinstance(tensor, Placed) else tensor
    if place.type == "cpu":
        return plain
    made = plain.as_subclass(Placed)
    made.place = torch.device(place.type, place.index or 0)
    return made


def place_of(tensor: Tensor) -> torch.device:
    return tensor.place if isinstance(tensor, Placed) else CPU


class OnPaper(TorchFunctionMode):
    """Runs every call on the processor, keeps the books of who lies where, and counts waits by name."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", str(func))
        tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, Tensor)]
        if name == "grad" and getattr(func, "__module__", "") == "torch.autograd":
            with torch._C.DisableTorchFunctionSubclass():
                found = func(*args, **kwargs)
            return tuple(one if one is None else placed(one, place_of(to)) for one, to in _pairs(found, args[1]))
        target = self._target(name, args, kwargs)
        own = place_of(tensors[0]) if tensors else CPU
        self._wait(name, own, target, args)
        self._refuse_mixtures(name, tensors)
        args, kwargs = self._on_processor(name, args, kwargs)
        result = func(*args, **kwargs)
        if name in ("numpy", "__array__") and own != CPU:
            raise TypeError(f"can't convert {own} device type tensor to numpy")
        if isinstance(result, Tensor) and any(result is one for one in tensors):
            return result if target is None else placed(result, target)  # in place, or nothing to do
        whole = target or next((place_of(one) for one in tensors if place_of(one) != CPU), CPU)
        return tree_map(lambda one: placed(one, whole) if isinstance(one, Tensor) else one, result)

    def _target(self, name: str, args: tuple, kwargs: dict) -> torch.device | None:
        """The device a call names, if it names one."""
        if name == "cpu":
            return CPU
        named = [kwargs.get("device")]
        if name == "to":
            named += [place_of(one) if isinstance(one, Tensor) else one for one in args[1:]]
            named += [place_of(kwargs["other"])] if "other" in kwargs else []
        for one in named:
            if isinstance(one, torch.device | str):
                return torch.device(one)
        return None

    def _on_processor(self, name: str, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        def here(one: Any) -> Any:
            return CPU if isinstance(one, torch.device) else one

        if isinstance(kwargs.get("device"), torch.device | str):
            kwargs["device"] = CPU
        return (tuple(map(here, args)) if name == "to" else args), kwargs

    def _wait(self, name: str, own: torch.device, target: torch.device | None, args: tuple) -> None:
        by_mask = name == "__getitem__" and any(
            isinstance(one, Tensor) and one.dtype == torch.bool and place_of(one) != CPU
            for one in tree_flatten(args[1:])[0]
        )
        if own != CPU and (name in READS or target == CPU or by_mask):
            self.waits[f"{name} by mask" if by_mask else name] += 1

    def _refuse_mixtures(self, name: str, tensors: list[Tensor]) -> None:
        places = {place_of(one) for one in tensors if one.dim() or place_of(one) != CPU}
        if name in MAY_MIX:
            places -= {CPU}
            if name in ("copy_", "to", "type_as", "__set__"):
                return
        if len(places) > 1:
            raise RuntimeError(f"{name}: expected all tensors on one device, found {sorted(map(str, places))}")


def _pairs(found: tuple, inputs: Any) -> list[tuple]:
    return list(zip(found, [inputs] if isinstance(inputs, Tensor) else inputs, strict=True))


@contextmanager
def spread(lm: LanguageModel, devices: int = 2) -> Iterator[OnPaper]:
    """The model on one device, or its upper blocks on a second one, as accelerate spreads it."""
    upper = FIRST if devices == 1 else SECOND
    places = [FIRST if layer <= lm.n_layers // 2 else upper for layer in range(lm.n_layers)]
    modules: list[tuple[nn.Module, torch.device]] = [
        (block.original_component, place) for block, place in zip(lm.blocks, places, strict=True)
    ]
    before = [(module, dict(module._parameters), dict(module._buffers)) for module in lm.model.modules()]
    held = (lm.block_devices, dict(lm.parameters), lm.frames, dict(lm.memo))
    handles = []
    inner = {id(part): place for module, place in modules for part in module.modules()}
    ends = {id(part) for step in lm.readout.steps for part in step.modules()}
    new: dict[int, Tensor] = {}

    def moved(tensor: Tensor | None, place: torch.device) -> Tensor | None:
        if tensor is None:
            return None
        if id(tensor) not in new:
            made = placed(tensor.data, place)
            made._is_param = isinstance(tensor, nn.Parameter)  # type: ignore[attr-defined]
            new[id(tensor)] = made
        return new[id(tensor)]

    for module in lm.model.modules():
        place = inner.get(id(module), upper if id(module) in ends else FIRST)
        tied = next((new[id(one)] for one in module._parameters.values() if id(one) in new), None)
        place = place if tied is None else place_of(tied)
        for kept in (module._parameters, module._buffers):
            for name, tensor in kept.items():
                kept[name] = moved(tensor, place)  # type: ignore[assignment]
    fed: list[Any] = [*modules, *((step.original_component, upper) for step in lm.readout.steps)]

    def bring(place: torch.device) -> Any:
        def call(_: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
            def to(one: Any) -> Any:
                return one.to(place) if isinstance(one, Tensor) and place_of(one) != place else one

            return tree_map(to, args), tree_map(to, kwargs)

        return call

    for module, place in fed if devices > 1 else ():
        own = next((one for one in module.parameters()), None)
        handles.append(module.register_forward_pre_hook(bring(place if own is None else own.device), with_kwargs=True))
    lm.block_devices, lm.frames = places, {}
    lm.parameters = {name: new[id(parameter)] for name, parameter in lm.parameters.items()}  # type: ignore[misc]
    lm.memo = {}
    try:
        with OnPaper() as books:
            yield books
    finally:
        for handle in handles:
            handle.remove()
        for module, parameters, buffers in before:
            module._parameters.update(parameters)
            module._buffers.update(buffers)
        lm.block_devices, lm.parameters, lm.frames, lm.memo = held
