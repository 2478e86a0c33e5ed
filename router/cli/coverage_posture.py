"""Whether recommendations are known to come, in a few sentences: without foundational CSPM none of them says anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from router.coverage.plans.posture import SubscriptionPosture
from router.domain.plurals import counted

_MOST_NAMES = 5
"""How many subscriptions are named of which the same is to be said."""


def posture_sentences(postures: Sequence[SubscriptionPosture], named: Callable[[str], str] = str) -> Iterator[str]:
    """One sentence on the subscriptions where it is known to be on, and one for each reason why it is not known of others.

    `named` writes the name of a subscription, which is anybody's words.
    """
    if on := [one for one in postures if one.is_known_on]:
        yield f"Foundational CSPM is on in {counted(len(on), 'subscription')}."
    unknown: dict[str, list[str]] = defaultdict(list)
    for one in postures:
        if not one.is_known_on:
            unknown[one.reason].append(named(one.name))
    for reason, names in unknown.items():
        more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
        whose = f"{', '.join(names[:_MOST_NAMES])}{more}"
        yield f"Foundational CSPM of {whose} is {reason}. Without it no recommendation says anything."


def posture_remark(posture: SubscriptionPosture) -> str:
    """What is to be said of one subscription."""
    return f"foundational CSPM is {'on' if posture.is_known_on else posture.reason}"
