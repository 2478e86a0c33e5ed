"""Why a message is not taken in, raised where it is noticed and turned into Quarantined in one place."""

from __future__ import annotations

from router.domain.reasons import Code, Reason
from router.domain.signals import Quarantined


class Refused(Exception):
    """A message that cannot be understood; `at_fault` names the field or the place that stops the reader."""

    def __init__(self, code: Code, words: str, at_fault: str | None = None) -> None:
        super().__init__(words)
        self.reason = Reason(code, words)
        self.at_fault = at_fault

    def quarantined(self, body: bytes) -> Quarantined:
        """The refusal as a value, with the whole body."""
        return Quarantined(reason=self.reason, body=body, at_fault=self.at_fault)
