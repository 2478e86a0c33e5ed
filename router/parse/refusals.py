"""Why a message is not understood, raised where that is noticed and turned into Quarantined in one place."""

from __future__ import annotations

from router.domain.reasons import Code, Reason
from router.domain.signals import Quarantined


class MessageRefused(Exception):
    """A message cannot be understood.

    Attributes:
        reason: why.
        at_fault: the field, or the line and column, that is at fault; None where it is the whole message.
    """

    def __init__(self, code: Code, words: str, at_fault: str | None = None) -> None:
        super().__init__(words)
        self.reason = Reason(code, words)
        self.at_fault = at_fault

    def quarantined(self, body: bytes) -> Quarantined:
        """The refusal as a value, with the whole body."""
        return Quarantined(reason=self.reason, body=body, at_fault=self.at_fault)
