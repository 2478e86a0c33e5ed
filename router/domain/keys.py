"""The identities under which signals and deliveries are known, here and at their destinations."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

_MOST_INDEXED = 512
"""Characters of a name that a row is found by: an index of PostgreSQL holds 2,704 bytes of a text."""


def _digest(*parts: str) -> str:
    # The separator cannot occur inside a part that JSON or YAML would call printable text, so parts cannot run together.
    return blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def signal_key(stream: str, kind: str, id: str) -> str:
    """The key of a signal, 32 hexadecimal digits, stable for ever (PagerDuty dedup_key, ServiceNow correlation_id).

    Ids that differ in case only, or in blanks at their ends, are one.
    """
    return _digest(stream, kind, same_id(id))


def same_id(id: str) -> str:
    """The id in the one form that all its spellings share."""
    return id.strip().lower()


def delivery_key(signal: str, turn: int, destination: str) -> str:
    """The key of one delivery, the same over all its attempts (the webhook-id)."""
    return _digest(signal, str(turn), destination)


def event_uid(signal: str, turn: int) -> str:
    """The EventUid of a signal's row at one turn, by which a table's duplicates are told."""
    return _digest(signal, str(turn))


def group_key(stream: str, destination: str, window: str, first: str, turn: int, message: str = "") -> str:
    """The key of a group at one destination: the window, and the turn that opened it; no time, since it may come again."""
    return _digest("group", stream, destination, window, first, str(turn), message)


ABOUT = "about:"
"""How the key of a notice begins that is about no signal; that of no signal or group does."""


def announcement_key(stream: str, at: str, events: Iterable[str], recipient: str) -> str:
    """The key of a notice about events that were found at an instant, for a recipient, empty where the policy names it."""
    return ABOUT + _digest("about", stream, at, recipient, *events)


def fingerprint_of(*values: str) -> str:
    """The fingerprint of what signals have in common: equal values, in the same order, have the same one."""
    return _digest("slot", *values)


def alert_fingerprint(id: str) -> str:
    """The fingerprint by which an incident's row knows an alert that it named: 8 hexadecimal digits."""
    return _digest("alert", same_id(id))[:8]


def bounded(text: str) -> str:
    """The text as an index can hold it: of a very long one its beginning, and a digest that tells it from others."""
    return text if len(text) <= _MOST_INDEXED else f"{text[: _MOST_INDEXED - 32]}{_digest(text)}"


def quarantine_id(arrival: str) -> str:
    """The short id under which a quarantined message is kept and called for."""
    return _digest("quarantine", arrival)[:12]
