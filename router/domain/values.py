"""What all values are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import dataclass_transform

from msgspec import Struct, field


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
class Value(Struct, frozen=True, omit_defaults=True):
    """What says something and never changes. As JSON it has no field that has its default: in a notice most have.

    A dataclass costs many times as much to define, to make and to change; it is for what works, and has parts that change.
    """


def repr_without(*hidden: str) -> Callable[[Value], str]:
    """Return a `__repr__` that leaves out these fields: secrets, and bodies of any size, must not reach a log or an error."""

    def shown(value: Value) -> str:
        fields = (f"{name}={getattr(value, name)!r}" for name in value.__struct_fields__ if name not in hidden)
        return f"{type(value).__name__}({', '.join(fields)})"

    return shown
