"""The patterns that texts in rules files must have, and what to say of a text that has not."""

from __future__ import annotations

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
SECRET = r"^[A-Z][A-Z0-9_]*$"
DURATION = r"^[1-9]\d{0,4}[dhm]$"
WINDOW = r"^(open|[1-9]\d{0,4}[dhm])$"
TECHNIQUE = r"^T\d{4}(\.\d{3})?$"
SUBSCRIPTION = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
ACCOUNT = r"^[0-9]{12}$"

WORDS = {
    NAME: "must be a name of letters, digits, - and _",
    SECRET: "must name an app setting in capital letters, digits and _; a secret itself is never written in rules",
    DURATION: "must be a number of days, hours or minutes, such as 14d, 36h or 30m",
    WINDOW: "must be a number of days, hours or minutes, such as 7d, 8h or 30m, or for tickets of findings: open",
    TECHNIQUE: "must be the id of a technique, such as T1110 or T1110.003",
    SUBSCRIPTION: "must be the id of a subscription, such as 6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110; no glob and no name",
    ACCOUNT: "must be the 12 digits of an AWS account, in quotes",
}
