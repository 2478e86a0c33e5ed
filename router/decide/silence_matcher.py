"""A silence as what a preview asks: whether it would hold a signal, were it in force all the time. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from router.decide.suppression import covers, is_about
from router.domain.owners import Owners
from router.domain.signals import Signal
from router.domain.silences import Silence, SilenceBounds


@dataclass(frozen=True, slots=True)
class SilenceMatcher:
    """A silence, judged as if it were in force all the time.

    Attributes:
        silence: the silence.
        bounds: what the policy allows: what is too grave for a silence is not held.
        owners: who owns what, for silences that name owners.
    """

    silence: Silence
    bounds: SilenceBounds
    owners: Owners

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
        rule = self.silence.as_rule()
        is_meant = self.silence.alert_type is None or is_about(rule, signal)
        return is_meant and not self.bounds.refuses(signal.level) and covers(rule, signal, self.owners)
