"""Suppression rules and silences as what a preview asks: each is judged as if it were in force all the time. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from router.decide.coverage_level import with_coverage_level
from router.decide.suppression import covers, is_about
from router.domain.owners import Owners
from router.domain.rulebook import Rulebook
from router.domain.signals import Signal
from router.domain.silences import Silence
from router.domain.suppression import SuppressionRule


class Matcher(Protocol):
    """What may hold signals back: a suppression rule, a silence.

    Attributes:
        name: the name under which it is stored that it holds a signal.
        types: the alert types and recommendation categories that it is about, case-folded; None for any.
    """

    @property
    def name(self) -> str: ...

    @property
    def types(self) -> Collection[str] | None: ...

    def covers(self, signal: Signal) -> bool:
        """Whether it holds a signal while it is in force."""
        ...


@dataclass(frozen=True, slots=True)
class RuleMatcher:
    """A suppression rule, judged as if it were in force all the time.

    Attributes:
        rule: the rule.
        owners: who owns what, for rules that name owners.
    """

    rule: SuppressionRule
    owners: Owners

    @property
    def name(self) -> str:
        """The name of the rule."""
        return self.rule.name

    @property
    def types(self) -> Collection[str]:
        """The one type, or category, that the rule is about."""
        return (self.rule.alert_type,)

    def covers(self, signal: Signal) -> bool:
        """Whether the rule is about a signal and holds it."""
        return is_about(self.rule, signal) and covers(self.rule, signal, self.owners)


class AnySignal:
    """What would hold every signal: by it is measured what part of them another one would."""

    name = "any"
    types = None

    def covers(self, _: Signal) -> bool:
        """True."""
        return True


@dataclass(frozen=True, slots=True)
class SilenceMatcher:
    """A silence, judged as if it were in force all the time.

    Attributes:
        silence: the silence.
        rulebook: the rules of its stream: what is too grave for a silence is not held, and silences may name owners.
    """

    silence: Silence
    rulebook: Rulebook

    @property
    def name(self) -> str:
        """The name of the silence on record."""
        return self.silence.name

    @property
    def types(self) -> Collection[str] | None:
        """The one type, or category, that the silence is about; None for any."""
        return None if self.silence.alert_type is None else (self.silence.alert_type.casefold(),)

    def covers(self, signal: Signal) -> bool:
        """Whether the silence is about a signal and holds it."""
        rule, level = self.silence.as_rule(), with_coverage_level(signal, self.rulebook).level
        is_meant = self.silence.alert_type is None or is_about(rule, signal)
        return is_meant and not self.rulebook.silences.refuses(level) and covers(rule, signal, self.rulebook.owners)
