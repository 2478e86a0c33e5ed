"""MITRE ATT&CK as the rulebook knows it, at one version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from router.domain.memoize import remembered


class Attack(NamedTuple):
    """The ATT&CK ids of one signal.

    Attributes:
        tactics: tactic ids, sorted.
        techniques: technique ids, sorted.
    """

    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackTable:
    """How Defender's words become ATT&CK ids.

    Attributes:
        version: the version of ATT&CK.
        tactics: the names of tactics by id.
        words: tactic ids by every spelling of an intent or a tactic name, reduced by `word_of`.
        successors: by the id of a revoked technique, the technique that replaced it.
        techniques: the tactics of those techniques that say more than the intent they arrive with.
    """

    version: str = ""
    tactics: Mapping[str, str]
    words: Mapping[str, tuple[str, ...]]
    successors: Mapping[str, str]
    techniques: Mapping[str, tuple[str, ...]]

    def tactics_for(self, word: str) -> tuple[str, ...]:
        """The tactic ids that a word or an id stands for; none for a word that is not known."""
        return self.words.get(word_of(word), ())

    def technique_for(self, id: str) -> str:
        """The technique that is current today under that id."""
        return self.successors.get(id, id)

    def names_of(self, tactics: Iterable[str]) -> tuple[str, ...]:
        """The names of tactics at this version; an id stands for itself where the table lacks it."""
        return tuple(self.tactics.get(id, id) for id in tactics)


@remembered
def word_of(text: str) -> str:
    """A tactic's name without case, spaces and dashes: `Pre-attack`, `PreAttack` and `Pre Attack` are one word."""
    return "".join(letter for letter in text.lower() if letter.isalnum())
