"""The alert types that rules may name: Defender's, as far as they are known, and those that the policy declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from router.rulebook.catalogue import load_spellings
from router.rulebook.globs import compile_globs

_SAMPLE = "simulated_"
"""How the types of Defender's sample alerts begin, in lower case."""


@dataclass(frozen=True, slots=True)
class KnownTypes:
    """The alert types of one stream that are known.

    Attributes:
        spellings: each type as it is written, by the type in lower case.
        declared: the types, or globs of types, that the policy declares, as they are written.
    """

    spellings: Mapping[str, str]
    declared: tuple[str, ...] = ()

    @classmethod
    def of(cls, declared: Iterable[str]) -> KnownTypes:
        """Those of the catalogue, and those that a policy declares."""
        return cls(load_spellings(), tuple(declared))

    def has(self, type: str) -> bool:
        """Whether a type is known, that of a sample alert included."""
        bare = type.lower().removeprefix(_SAMPLE)
        return bare in self.spellings or compile_globs(self.declared)(bare)

    def fitting(self, glob: str) -> Iterator[str]:
        """The known types that a glob fits, those of sample alerts included."""
        fits = compile_globs([glob])
        names = ((written, name) for type, written in self.spellings.items() for name in (type, f"{_SAMPLE}{type}"))
        yield from dict.fromkeys(written for written, name in names if fits(name))
