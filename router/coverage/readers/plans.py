"""What is switched on: `Microsoft.Security/pricings` and `settings`, and the switches that resources have of their own.

`az` flattens `properties`; the booleans of pricings are the texts `True` and `False`, those of settings are booleans.
https://learn.microsoft.com/rest/api/defenderforcloud/pricings, https://learn.microsoft.com/rest/api/defenderforcloud/settings
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from router.coverage.documents import Item
from router.coverage.facts import CoverageFact, item_source, subscription_subject
from router.coverage.fields import find, find_text, find_truth, objects_at
from router.coverage.verdicts import CoverageEvidence
from router.coverage.workloads import find_scope, scope_fact
from router.domain.resources import parse_resource_id

_NOTHING = re.compile(r"[PTYMWDHS0:.]*")
"""A duration of nothing, as ISO 8601 or as `az` prints it."""


class PlanFact(CoverageFact, kw_only=True):
    """What one answer of pricings says of a plan at a subscription or a resource; None for what it does not say.

    Attributes:
        plan: the plan's name in lower case, as those of extensions are; `name` is as it is written.
        tier: `free` or `standard`.
        coverage: `fullycovered`, `partiallycovered` or `notcovered`; only of a subscription, and since api-version 2024-01-01.
        failures: what went wrong with an extension when it was switched on; only the answer to that request says it, and later
            ones show the extension as on.
        exclusions: the tags, as `KEY=VALUE`, of resources that an extension leaves out.
        shown: what shows the tier, where it is no answer of pricings.
    """

    plan: str
    name: str
    tier: str | None
    sub_plan: str | None = None
    extensions: Mapping[str, bool | None] = {}
    coverage: str | None = None
    is_inherited: bool | None = None
    inherited_from: str | None = None
    is_deprecated: bool = False
    failures: Mapping[str, str] = {}
    exclusions: Mapping[str, tuple[str, ...]] = {}
    free_for: str | None = None
    shown: CoverageEvidence | None = None


class SettingFact(CoverageFact, kw_only=True):
    """What the settings of a subscription say of one integration, whose name is in upper case, such as WDATP."""

    name: str
    is_enabled: bool | None


class SwitchFact(CoverageFact, kw_only=True):
    """What an account of storage or of Cosmos DB says of its own switch; None for what it does not say.

    `name` is the type of the switch in lower case. An account of storage that overrides its subscription and is not on is not
    protected, whatever the plan says. https://learn.microsoft.com/rest/api/defenderforcloud/defender-for-storage
    """

    name: str
    is_enabled: bool | None
    is_override: bool | None
    extensions: Mapping[str, bool | None]


def read_pricing(item: Item) -> Iterator[CoverageFact]:
    """The plan, and the subscription or the resource whose plan it is."""
    if (found := find_scope(item.id, "/providers/microsoft.security/pricings/")) is None:
        return
    scope, name = found
    listed = objects_at(_parsed(item.find("extensions")))
    extensions = {title.lower(): one for one in listed if (title := find_text(one, "name"))}
    remaining = item.text("freeTrialRemainingTime")
    yield PlanFact(
        subject=scope.lower(),
        plan=name.lower(),
        name=name,
        tier=item.word("pricingTier"),
        sub_plan=item.text("subPlan"),
        extensions={title: find_truth(one, "isEnabled") for title, one in extensions.items()},
        coverage=item.word("resourcesCoverageStatus"),
        is_inherited=item.truth("inherited"),
        inherited_from=item.text("inheritedFrom"),
        is_deprecated=item.truth("deprecated") is True,
        failures={title: text for title, one in extensions.items() if (text := _failure(one)) is not None},
        exclusions={title: tags for title, one in extensions.items() if (tags := _exclusions(one))},
        free_for=None if remaining is None or _NOTHING.fullmatch(remaining) else remaining,
        source=item_source(item),
    )
    yield from scope_fact(item, scope)


def _failure(extension: Mapping[str, object]) -> str | None:
    status = find(extension, "operationStatus")
    is_failed = (find_text(status, "code") or "").lower() == "failed"
    return (find_text(status, "message") or "no reason is given") if is_failed else None


def _exclusions(extension: Mapping[str, object]) -> tuple[str, ...]:
    tags = objects_at(_parsed(find(_parsed(find(extension, "additionalExtensionProperties")), "ExclusionTags")))
    return tuple(f"{key}={find_text(one, 'value') or ''}" for one in tags if (key := find_text(one, "key")))


def _parsed(value: object) -> object:
    """A value, or what it holds where it is JSON in a text, as ExclusionTags always are."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def read_setting(item: Item) -> Iterator[CoverageFact]:
    """The setting of a subscription."""
    parts = parse_resource_id(item.id)
    if parts.subscription and parts.name:
        yield SettingFact(
            subject=subscription_subject(parts.subscription),
            name=parts.name.upper(),
            is_enabled=item.truth("enabled"),
            source=item_source(item),
        )


def read_switch(item: Item) -> Iterator[CoverageFact]:
    """The switch, and the account."""
    name = item.type.rpartition("/")[2]
    if (found := find_scope(item.id, f"/providers/microsoft.security/{name}/")) is None:
        return
    yield SwitchFact(
        subject=found[0].lower(),
        name=name,
        is_enabled=item.truth("isEnabled"),
        is_override=item.truth("overrideSubscriptionLevelSettings"),
        extensions={
            "onuploadmalwarescanning": item.truth("malwareScanning", "onUpload", "isEnabled"),
            "sensitivedatadiscovery": item.truth("sensitiveDataDiscovery", "isEnabled"),
        },
        source=item_source(item),
    )
    yield from scope_fact(item, found[0])
