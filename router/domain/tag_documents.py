"""The tags of resources that were read of Azure, as documents of the state: one for each subscription. Pure.

Each thing has its own instant at which its tags were read, and the later one counts. So whoever reads a part of a subscription
takes nothing from what others read of the rest, and it does not matter in which order they write.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from heapq import nlargest
from itertools import groupby
from typing import NamedTuple

from router.domain.clocks import is_recent

MOST = 100_000
"""Things of a subscription whose tags are in its document, those that were read last: half of that, with five tags each, is a
body of 14 MB, or 0.7 MB where the store compresses it."""


_KEPT = timedelta(days=90)
"""How long tags count after they were read."""


class ReadTags(NamedTuple):
    """The tags of a thing, as they were read.

    Attributes:
        read: when they were.
        tags: their values by their names in lower case; none where the thing had none.
    """

    read: datetime
    tags: Mapping[str, str]


type TagsById = Mapping[str, ReadTags]
"""What was read, by the ids of resources, resource groups and subscriptions, in lower case and without a slash at their end."""


def tags_after(before: TagsById, said: Mapping[str, Mapping[str, str]], now: datetime) -> TagsById:
    """What is known of a subscription after tags of some of it were read; what is too old, or too much, is left out."""
    after = dict(tags_that_count(before, now))
    for id, tags in said.items():
        # Somebody else may have read it later, and been the first to write.
        if (known := after.get(id)) is None or known.read <= now:
            after[id] = ReadTags(now, tags)
    if len(after) <= MOST:
        return after
    return dict(nlargest(MOST, after.items(), key=lambda one: (one[1].read, one[0])))


def tags_that_count(tags: TagsById, now: datetime) -> TagsById:
    """Those of some tags that were read within the last 90 days, by a clock that can have been right."""
    return {id: one for id, one in tags.items() if is_recent(one.read, now, _KEPT)}


def by_subscription(said: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Tags by the subscription that each thing is in, or is."""
    sorted_ids = sorted(said, key=_subscription_of)
    return {
        subscription: {id: said[id] for id in ids} for subscription, ids in groupby(sorted_ids, key=_subscription_of)
    }


def _subscription_of(id: str) -> str:
    return id.split("/")[2]
