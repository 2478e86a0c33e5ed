"""What a mail server's answer means for a delivery.

A reply's three digits say it, and the step that it answers; an enhanced code (5.7.1) beside them says more.

https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1 (digits), https://www.rfc-editor.org/rfc/rfc3463 (enhanced codes)
"""

from __future__ import annotations

import re

from router.destinations.answers import excerpt_of
from router.destinations.base import is_handle
from router.domain.conversation import MailAnswer, MailReply, MailStep, SendMail
from router.domain.deliveries import Attempt
from router.domain.errors import DeliveryError, Rejected, Unauthorized, Unavailable

CREDENTIALS = frozenset({530, 534, 535, 538})
"""Replies that want other credentials, or any: https://www.rfc-editor.org/rfc/rfc4954#section-6"""

CROWDED = frozenset({421, 432, 450, 452})
"""Replies of a server that is asked too much, or may be."""

NOT_OURS = frozenset({"5.2.252", "5.7.60"})
"""Exchange's codes, given after the whole message, for a user who may not send as this sender."""

_TOO_LARGE = 552
_POLICY = "5.7."
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s|\Z)")
_QUEUED = re.compile(r"\bqueued(?: mail for delivery)? as:? (\S+)", re.IGNORECASE)


def error_for(answer: MailAnswer, mail: SendMail, name: str, attempt: Attempt) -> DeliveryError | None:
    """The error that an answer means, its text starting with the kind's name; None where the server has the mail."""
    step, code = answer.step, answer.reply.code
    if step is MailStep.MESSAGE and 200 <= code < 300:
        return None
    words = excerpt_of(answer.reply.text, attempt)
    text = f"{name}: answered {code} to the {step}{f' ({words})' if words else ''}"
    enhanced = _enhanced_in(answer.reply)
    if code in CREDENTIALS or (step is MailStep.AUTH and code >= 500):
        return Unauthorized(f"{text}; check its credentials and what they may do")
    if code < 500 or step in (MailStep.CONNECTION, MailStep.HELLO, MailStep.TLS):
        return Unavailable(text, is_crowded=code in CROWDED)
    if enhanced in NOT_OURS or (step is MailStep.SENDER and code != _TOO_LARGE):
        return Unauthorized(f"{text}; check `from`, and whether its credentials may send as that")
    if step is MailStep.RECIPIENTS and enhanced.startswith(_POLICY):
        return Unauthorized(f"{text}; check whether its credentials may send to `to`")
    # Whoever has come so far was let in.
    return Rejected(text, status=code, authenticated=mail.user is not None)


def queued_as(reply: MailReply, attempt: Attempt) -> str | None:
    """What the server calls the mail that it took, where it says so."""
    found = _QUEUED.search(excerpt_of(reply.text, attempt))
    return found[1] if found is not None and is_handle(found[1]) else None


def words_of(reply: MailReply) -> str:
    """A reply as its codes alone: `550 5.1.1`."""
    return f"{reply.code} {_enhanced_in(reply)}".rstrip()


def _enhanced_in(reply: MailReply) -> str:
    found = _ENHANCED.match(reply.text)
    return found[0] if found is not None else ""
