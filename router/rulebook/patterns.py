"""The patterns that texts in rules files must have, and what to say of a text that has not."""

from __future__ import annotations

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
SECRET = r"^[A-Z][A-Z0-9_]*$"
DURATION = r"^[1-9]\d{0,4}[dhm]$"
WINDOW = r"^(open|[1-9]\d{0,4}[dhm])$"
TECHNIQUE = r"^T\d{4}(\.\d{3})?$"
SUBSCRIPTION = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
ACCOUNT = r"^[0-9]{12}$"

BLANK_NOT = r"\S"


def numbers_to(most: int) -> str:
    """A pattern of the numbers from 1 to another one."""
    digits = str(most)
    parts = [rf"[1-9]\d{{0,{len(digits) - 2}}}"] if len(digits) > 1 else []
    for place, digit in enumerate(digits):
        lowest, rest = 0 if place else 1, len(digits) - place - 1
        if int(digit) > lowest:
            parts.append(rf"{digits[:place]}[{lowest}-{int(digit) - 1}]\d{{{rest}}}")
    return "|".join([*parts, digits])


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
