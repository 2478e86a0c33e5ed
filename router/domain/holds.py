"""What holds a signal back: which rule, since when, and how many messages told of the signal meanwhile. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBy:
    """What holds a signal, without its body.

    Attributes:
        rule: the name of the suppression rule.
        until: when the rule ends, as it stood when the signal was last decided.
        since: when it was first decided that this rule holds the signal; None where that is not known.
        messages: how many messages were held by this rule, the first among them; None where that is not known.
    """

    rule: str
    until: datetime
    since: datetime | None = None
    messages: int | None = None


def held_after(
    before: HeldBy | None, rule: str, until: datetime, now: datetime, *, was_held: bool, is_new: bool
) -> HeldBy:
    """What holds a signal after a rule held a message about it; `before` is what held it, as far as that is known.

    Another rule that takes over begins anew: it says of itself alone since when, and the message that it took over is its
    first. A message that is decided once more is counted once; an older one, which is a repeat, is not held at all.
    """
    if not was_held or (before is not None and before.rule != rule):
        return HeldBy(rule=rule, until=until, since=now, messages=1)
    if before is None or before.messages is None:
        return HeldBy(rule=rule, until=until)
    return HeldBy(rule=rule, until=until, since=before.since, messages=before.messages + is_new)
