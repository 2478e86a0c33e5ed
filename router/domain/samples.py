"""Defender's sample alerts: what marks those that it makes on request, about resources that nobody has. Pure.

https://learn.microsoft.com/azure/defender-for-cloud/alert-validation
"""

from __future__ import annotations

from collections.abc import Iterable

from router.domain.resources import parse_resource_id

TYPE = "SIMULATED_"
"""How the type of a sample begins, before that of the real alert."""

TITLE = "[SAMPLE ALERT]"
"""How its title begins."""

NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
"""What stands in some samples in place of a subscription."""

GROUP, NAME = "sample-rg", "sample-"
"""The resource group of a sample's resource, and how the resource's own name begins, in lower case."""


def is_sample(type: str, title: str, resources: Iterable[str | None]) -> bool:
    """Whether an alert bears a mark of a sample; any one tells, for none is always there.

    The marks are Defender's alone. What a sample's description, host or resource is called proves nothing: whoever owns a
    host can call it `Sample-VM`, and be left out where samples are. A name counts only in the subscription of zeros, which
    nobody has.
    """
    return type[: len(TYPE)].upper() == TYPE or title.startswith(TITLE) or any(map(_is_made_up, resources))


def _is_made_up(resource: str | None) -> bool:
    parts = parse_resource_id(resource)
    return (
        parts.subscription == NO_SUBSCRIPTION
        and (parts.resource_group or "").lower() == GROUP
        and (parts.name or "").lower().startswith(NAME)
    )
