"""The one name of what holds a signal back, under which it is on record and its hits are counted.

A suppression rule goes by its own name, in which no colon can be; a silence and a shadow rule say before it what they are.
"""

from __future__ import annotations

_SILENCE = "silence:"
_SHADOW = "shadow:"

RESERVED = (_SILENCE, _SHADOW)
"""How no suppression rule's name may begin."""


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


def name_in_words(name: str) -> str:
    """What has a name, for people who think of rules: a rule by its name alone, `silence ab12cd`, `shadow web`."""
    return name.replace(":", " ", 1) if name.startswith(RESERVED) else name


def holder_words(name: str) -> str:
    """What has a name, for people, where anything may be meant: `rule web`, `silence ab12cd`."""
    return name_in_words(name) if name.startswith(RESERVED) else f"rule {name}"
