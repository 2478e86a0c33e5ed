"""What globs have in common: which of them fit a text, and whether one fits some of what another one does."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from router.domain.patterns import glob_pattern


def compile_globs(globs: Iterable[str]) -> Callable[[str | None], bool]:
    """A question that is answered yes where any of the globs fits; None fits nothing."""
    patterns = tuple(map(glob_pattern, globs))

    def fits(text: str | None) -> bool:
        return text is not None and any(pattern.match(text) for pattern in patterns)

    return fits


def may_meet(one: str, other: str) -> bool:
    """Whether some text fits both of two globs, which are in small letters."""
    reached = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        here, there = waiting.pop()
        a, b = one[here : here + 1], other[there : there + 1]
        if not a and not b:
            return True
        steps = {(here + 1, there)} if a == "*" else set()
        steps |= {(here, there + 1)} if b == "*" else set()
        if a and b:
            if "*" not in (a, b) and (a == b or "?" in (a, b)):
                steps.add((here + 1, there + 1))
            elif a == "*" and b != "*":
                steps.add((here, there + 1))
            elif b == "*" and a != "*":
                steps.add((here + 1, there))
        waiting += steps - reached
        reached |= steps
    return False
