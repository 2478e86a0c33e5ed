"""What would hold signals that are like one: a silence, and a suppression rule to take into git."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

from router.app.lookback import look_back, preview_document
from router.app.rules import Rules, read_owners
from router.decide.preview import rule_matcher
from router.destinations.wording.masking import masked
from router.domain.readable import legible_json, storable
from router.domain.resources import parse_resource_id
from router.domain.signals import Alert, Signal, Stream
from router.domain.suppression import Field, SuppressionRule
from router.domain.values import Value
from router.rulebook.documents import parse_with_lower_keys
from router.rulebook.problems import Fault, dotted
from router.rulebook.scope_breadth import names_many
from router.rulebook.suppression_rule import Life, read_rule
from router.store.store import Store

_LIFE = timedelta(days=30)
"""How long a rule holds that is offered, and how far back it is looked at what it would have held."""

_MOST_LOOKED_AT = 20_000
"""Decisions, and signals that stand, that are looked at for that: a page is waited for."""

_LONGEST_RULE = 4_000
"""Characters of a rule that is offered: a sender may name a resource at any length."""

_RESOURCE = Field(None, "resourceid")
_MACHINES = ("/virtualmachines", "/machines", "/virtualmachinescalesets")


def silence_like(signal: Signal) -> dict[str, str] | None:
    """Return the fields of a silence for what is like a signal; None where nothing says where it is."""
    resource, parts = _resource_of(signal), parse_resource_id(signal.resource)
    if parts.name and (parts.type or "").lower().endswith(_MACHINES):
        place = {"host": parts.name}
    elif resource is not None:
        place = {"resource": resource}
    elif (host := _host_of(signal)) is not None:
        place = {"host": host}
    else:
        return None
    return {"stream": signal.stream.value, "type": signal.type, **place}


class OfferedRule(Value):
    """A suppression rule that is offered.

    Attributes:
        file: where it is to be saved.
        text: Defender's form of it, as JSON.
        rule: the rule; None where it would be refused.
        faults: what `rules check` would say of it.
    """

    stream: Stream
    file: str
    text: str
    rule: SuppressionRule | None
    faults: tuple[Fault, ...]

    @property
    def document(self) -> dict[str, object]:
        """The same for programs."""
        remarks = [
            {"level": it.level, "code": it.code, "words": f"{dotted(it.path)}: {it.message}"} for it in self.faults
        ]
        return {"file": self.file, "text": self.text, "remarks": remarks}

    async def preview(self, store: Store, rules: Rules, now: datetime) -> dict[str, object] | None:
        """Return for programs what it would have held in 30 days, and would hold now; None where it is refused."""
        if self.rule is None:
            return None
        owners = await read_owners(store, rules, self.stream, now)
        since, matchers = now - _LIFE, [rule_matcher(self.rule, owners)]
        (found,) = await look_back(store, self.stream.value, matchers, since, now, _MOST_LOOKED_AT)
        return preview_document(found)


def rule_like(signal: Signal, now: datetime) -> OfferedRule | None:
    """Return a rule for what is like a signal, with an end, and with blanks for its reason and its owner.

    None where nothing says where the signal is, since no rule may hold a whole type, or where a credential would stand in it.
    """
    if (element := _element_of(signal)) is None:
        return None
    ends = (now + _LIFE).replace(hour=0, minute=0, second=0)
    properties = {
        "alertType": signal.type,
        "state": "Enabled",
        "reason": "Other",
        "expirationDateUtc": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
        "comment": "WHY, ticket TICKET, owner ADDRESS",
        "suppressionAlertsScope": {"allOf": [element]},
    }
    text = legible_json(json.dumps({"properties": properties}, indent=2, ensure_ascii=False).encode()).decode()
    if len(text) > _LONGEST_RULE or masked(text) != text:
        return None
    words = f"{signal.type} {parse_resource_id(signal.resource).name or ''}".lower()
    name = re.sub(r"[^a-z0-9]+", "-", words).strip("-")[:50].rstrip("-") or "rule"
    file = f"rules/{signal.stream}/suppressions/{name}.json"
    body, _ = parse_with_lower_keys(text, file)
    rule, faults = read_rule(name, body, file, signal.stream, Life(_LIFE, timedelta(), now), {})
    is_sound = not any(it.level == "problem" for it in faults)
    return OfferedRule(signal.stream, file, text, rule if is_sound else None, tuple(faults))


def _element_of(signal: Signal) -> dict[str, Any] | None:
    """Return the element that says where a signal is; in a field of Defender's where the signal has such an entity."""
    if (resource := _resource_of(signal)) is not None:
        named = {(one.text("resourceid") or "").casefold() for one in signal.entities.of_type("azureresource")}
        is_portable = resource.casefold() in named or not isinstance(signal, Alert)
        return {"field": "entities.azureresource.resourceid" if is_portable else "resourceId", "in": [resource]}
    host = _host_of(signal)
    return {"field": "entities.host.hostname", "in": [host]} if host is not None else None


def _resource_of(signal: Signal) -> str | None:
    """Return the resource of a signal; None where that stands for many, such as a subscription."""
    resource = storable((signal.resource or "").strip())
    is_one = resource and masked(resource) == resource and not names_many(resource, _RESOURCE)
    return resource if is_one else None


def _host_of(signal: Signal) -> str | None:
    names = (storable(text.strip()) for one in signal.entities.of_type("host") if (text := one.text("hostname")))
    return next((one for one in names if one and masked(one) == one), None)
