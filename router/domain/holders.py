"""The one name of what holds a signal back, under which it is on record and its hits are counted.

A suppression rule goes by its own name, in which no colon can be; a silence and a shadow rule say before it what they are.
"""

from __future__ import annotations

from enum import StrEnum

_SILENCE = "silence:"
_SHADOW = "shadow:"

RESERVED = (_SILENCE, _SHADOW)
"""How no suppression rule's name may begin."""


class HolderKind(StrEnum):
    """What holds signals back, or only says what it would hold. Its values are stored."""

    RULE = "rule"
    SILENCE = "silence"
    SHADOW = "shadow"


def silence_name(id: str) -> str:
    """The name of the silence with an id."""
    return f"{_SILENCE}{id}"


def shadow_name(rule: str) -> str:
    """The name under which the hits of a shadow rule are counted."""
    return f"{_SHADOW}{rule}"


def find_silence_id(name: str) -> str | None:
    """The id of the silence that a name is of; None where it is that of a rule."""
    return name.removeprefix(_SILENCE) if name.startswith(_SILENCE) else None


def find_shadow_rule(name: str) -> str | None:
    """The name of the shadow rule whose hits are counted under a name; None where they are another's."""
    return name.removeprefix(_SHADOW) if name.startswith(_SHADOW) else None


def kind_of(name: str) -> HolderKind:
    """The kind of what has a name on record."""
    if find_silence_id(name) is not None:
        return HolderKind.SILENCE
    return HolderKind.RULE if find_shadow_rule(name) is None else HolderKind.SHADOW


def name_in_words(name: str) -> str:
    """What has a name, for people who think of rules: a rule by its name alone, `silence ab12cd`, `shadow web`."""
    return name.replace(":", " ", 1) if name.startswith(RESERVED) else name


def holder_words(name: str) -> str:
    """What has a name, for people, where anything may be meant: `rule web`, `silence ab12cd`."""
    return name_in_words(name) if name.startswith(RESERVED) else f"rule {name}"
