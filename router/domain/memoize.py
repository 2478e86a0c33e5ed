"""Answers that are remembered for texts that come again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps

LONGEST = 512
"""Characters of a text that is remembered. A sender may make texts as long as a body, and none of those is to stay."""


def remembered[T](answer: Callable[[str], T]) -> Callable[[str], T]:
    """The same function of a text, with its answers for the 1,024 latest short texts remembered."""
    known = lru_cache(maxsize=1024)(answer)

    @wraps(answer)
    def answered(text: str) -> T:
        return known(text) if len(text) <= LONGEST else answer(text)

    return answered
