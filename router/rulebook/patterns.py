"""The patterns that texts in rules files must have, and what to say of a text that has not."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from router.domain.patterns import glob_pattern

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
SECRET = r"^[A-Z][A-Z0-9_]*$"
DURATION = r"^[1-9]\d{0,4}[dhm]$"
WINDOW = r"^(open|[1-9]\d{0,4}[dhm])$"
TECHNIQUE = r"^T\d{4}(\.\d{3})?$"
SUBSCRIPTION = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
ACCOUNT = r"^[0-9]{12}$"

BLANK_NOT = r"\S"


WORDS = {
    NAME: "must be a name of letters, digits, - and _",
    SECRET: "must name an app setting in capital letters, digits and _; a secret itself is never written in rules",
    DURATION: "must be a number of days, hours or minutes, such as 14d, 36h or 30m",
    WINDOW: "must be a number of days, hours or minutes, such as 7d, 8h or 30m, or for tickets of findings: open",
    TECHNIQUE: "must be the id of a technique, such as T1110 or T1110.003",
    SUBSCRIPTION: "must be the id of a subscription, such as 6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110; no glob and no name",
    ACCOUNT: "must be the 12 digits of an AWS account",
    BLANK_NOT: "must not be empty",
    # Those of destinations, each as its kind writes it; a test knows when one is missing.
    r"[^\W_]": "must have a letter or a digit in it",
    r"^[^\x00]+$": "must be a path",
    r"^[^:]+$": "must have no colon in it",
    r"^([A-Z][A-Z0-9_]*|\d+)$": "must be the key of a project, such as SOC, or its id in quotes",
    r"^[a-z][A-Za-z0-9_]*$": "must be the id of a field, such as labels or customfield_10010",
    r"^[A-Za-z0-9-]+$": "must be the immutable id of a data collection rule, such as dcr-00000000000000000000000000000000",
    r"^(ASimAlertEventLogs|[A-Za-z][A-Za-z0-9_]*_CL)$": "must be ASimAlertEventLogs, or a table whose name ends in _CL",
    r"^(Custom|Microsoft)-[A-Za-z0-9_]+$": "must be the name of a stream, which begins with Custom- or Microsoft-",
    r"^[a-z][a-z0-9_]*$": "must be a name of small letters, digits and _",
    r"^-?\d{1,3}$": "must be a number of up to three digits, in quotes",
    r"^[A-Za-z][A-Za-z0-9-]*$": "must be the name of a header, of letters, digits and -",
    r"^[a-z0-9_][a-z0-9_-]*$": "must be the name of an index, of small letters, digits, - and _",
}


def compile_globs(globs: Iterable[str]) -> Callable[[str | None], bool]:
    """A question that is answered yes where any of the globs fits; None fits nothing."""
    patterns = tuple(map(glob_pattern, globs))

    def fits(text: str | None) -> bool:
        if text is not None:
            for pattern in patterns:  # As in `Route.matches`.
                if pattern.match(text):
                    return True
        return False

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
