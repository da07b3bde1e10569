"""What a benchmark says of itself: name, function, options. A field of the options that has a flag says so itself.

The command `bench` reads these and knows no benchmark by name: a flag of several is one flag, told of by each.
"""

from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from analysis.errors import BadRequest


@dataclass(frozen=True)
class Flag:
    """The flag of an option; what it says where the flag is left out is the option's default."""

    name: str
    explained: str
    metavar: str | None = "N"
    parse: Callable[[str], Any] | None = None
    """From the word on the command line; refuses as argparse wants it."""
    choices: tuple[str, ...] = ()
    switch: bool = False
    read: Callable[[str, Any], Any] | None = None
    """From the flag's name and its value to the option's; `BadRequest` for one that does not fit."""
    otherwise: Callable[[Namespace], Any] | None = None
    """The option where the flag is left out, from the other flags."""

    def option(self, args: Namespace, default: Any) -> Any:
        """The option that the flags say."""
        given = getattr(args, self.name, None)
        if given is None:
            return default if self.otherwise is None else self.otherwise(args)
        return given if self.read is None else self.read(self.name, given)


def flag(name: str, explained: str, default: Any = None, **how: Any) -> Any:
    """An option with this flag, for a dataclass of options."""
    return field(default=default, metadata={"flag": Flag(name, explained, **how)})


def number_flag(name: str, explained: str, *, least: int = 1, **how: Any) -> Any:
    """An option that is a number, left to the benchmark where the flag is left out."""
    return flag(name, explained, parse=at_least(least), **how)


def word_flag(name: str, explained: str, known: Collection[str], default: Any = (), *, apart: str = ",") -> Any:
    """An option that is some of the known words."""
    return flag(name, explained, default, metavar=f"WORD{apart}…", read=partial(_of_these, tuple(known), apart))


@dataclass(frozen=True)
class Benchmark:
    """One benchmark; called with a model, its options and a report."""

    name: str
    run: Callable[..., Any]
    options: type
    """A dataclass with `quick`; `spec` where it has its models loaded by others, `twin` where it compares with one."""
    alone: bool = False
    """Whether it makes models of its own, or processes that load them."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.run(*args, **options)

    def flags(self) -> Iterator[tuple[str, Flag]]:
        """Its options that have a flag, by name."""
        for one in fields(self.options):
            if "flag" in one.metadata:
                yield one.name, one.metadata["flag"]

    def asked(self, args: Namespace, **given: Any) -> Any:
        """Its options as the flags say them, and as `given`."""
        defaults = {one.name: one.default for one in fields(self.options)}
        said = {name: own.option(args, defaults[name]) for name, own in self.flags() if name not in given}
        return self.options(quick=args.quick, **said | given)


def at_least(number: int) -> Callable[[str], int]:
    """Reads a word of the command line that is a number from this one on."""
    return partial(_counted, least=number)


def _counted(text: str, least: int) -> int:
    if not text.isdigit() or int(text) < least:
        raise ArgumentTypeError(f"“{text}” is not a number from {least} on")
    return int(text)


def _of_these(known: tuple[str, ...], apart: str, name: str, text: str) -> tuple[str, ...]:
    said = tuple(part.strip() for part in text.split(apart) if part.strip())
    if not said or set(said) - set(known):
        raise BadRequest(f"--{name} is “{text}”; it may name {f'{apart} '.join(known)}.")
    return said
