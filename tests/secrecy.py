"""What nobody may ever read: the secrets of a stack, looked for in what a router says."""

import re
from collections.abc import Iterable, Mapping

_KEY = re.compile(r"(?:AccountKey|SharedAccessKey)=([^;]+)")
_PLAIN = ("PATH", "HOME", "LANG", "ALERT_ROUTER_")
"""What in an environment is no secret."""


def secrets_in(environment: Mapping[str, str]) -> set[str]:
    """Every secret that a router was given in its environment: whole settings, and the keys inside them."""
    given = {value for name, value in environment.items() if not name.startswith(_PLAIN)}
    return given | {key for value in given for key in _KEY.findall(value)}


def found_in(text: str, secrets: Iterable[str]) -> list[str]:
    """Those secrets that a text holds."""
    return [secret for secret in secrets if secret in text]
