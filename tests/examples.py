"""How many examples a property is tried with: some in `make test`, all of them in `make soak`."""

from hypothesis import settings

ALL = 100
"""Examples in `make soak` of a property that says no number."""

SOME = 25
"""The same in `make test`. Each run draws others, so that many runs try as many as one long one."""


def some_of(most: int) -> int:
    """The examples of a property that says a number: that many in `make soak`; a quarter in `make test`, at least `SOME`."""
    return max(SOME, most * settings().max_examples // ALL)
