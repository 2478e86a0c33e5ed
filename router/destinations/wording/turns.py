"""What is made of a notice once for all destinations of its turn: they share the notice, which the store decodes once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate

from router.domain.notices import Notice

_MOST = 256  # answers that a function keeps: those of the turns that are being delivered


def made_once[**P, T](make: Callable[Concatenate[Notice, P], T]) -> Callable[Concatenate[Notice, P], T]:
    """The same function, with its latest answers remembered by the notice itself and by whatever else it is given."""
    made: dict[tuple[Any, ...], tuple[Notice, T]] = {}

    def answer(notice: Notice, /, *args: P.args, **named: P.kwargs) -> T:
        key = (id(notice), *args, *named.values())
        if (found := made.get(key)) is None:
            if len(made) >= _MOST:
                made.clear()
            # The notice is kept as well, so that no other has its id meanwhile.
            found = made[key] = notice, make(notice, *args, **named)
        return found[1]

    return answer
