"""Builders of messages, signals, rules and rulebooks: a test names only what it is about."""

import itertools
from collections.abc import Sequence
from copy import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_network
from typing import Any

import orjson

from router.domain.catalogue import AttackTable, Catalogue
from router.domain.hubs import Arrival
from router.domain.patterns import AddressRanges
from router.domain.rulebook import DestinationSpec, Floor, Lane, Route, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Alert, Finding, Stream
from router.domain.suppression import Element, Field, Operator, SuppressionRule, Suppressions
from router.ingest.intake import Message
from router.parse import read_signals
from router.rulebook import load_attack
from router.rulebook.starter import STARTER

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
RULES = STARTER
"""The rules that tests take as an example. `rules/` at the top is the user's own."""
SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
RESOURCE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/vm-1"


def alert_body(id: str = "alert-1", **fields: object) -> bytes:
    """A flat alert as Event Hubs carries it; fields are named as Defender names them."""
    return orjson.dumps(
        {
            "VendorName": "Microsoft",
            "AlertType": "VM_Test",
            "Severity": "High",
            "Status": "New",
            "SystemAlertId": id,
            "Intent": "Execution",
            "AzureResourceId": RESOURCE,
            "AlertDisplayName": "Something happened",
            "ProductComponentName": "VirtualMachines",
            "Entities": [],
            "ExtendedProperties": {},
        }
        | fields
    )


def finding_body(
    id: str = "assessment-1",
    status: str = "Unhealthy",
    changed: datetime | None = None,
    *,
    title: str = "Machines should be patched",
    resource: str = RESOURCE,
    details: dict[str, Any] | None = None,
    why: dict[str, str] | None = None,
    metadata: dict[str, Any] | None = None,
    risk: dict[str, Any] | None = None,
    additional: dict[str, Any] | None = None,
    **enrichment: object,
) -> bytes:
    """A recommendation as Event Hubs carries it; `why` is what stands beside the code of its status."""
    when = {"statusChangeDate": changed.isoformat()} if changed is not None else {}
    properties = {
        "displayName": title,
        "resourceDetails": details or {"source": "Azure", "id": resource},
        "status": {"code": status} | when | (why or {}),
        "metadata": {"severity": "High", "displayName": title} | (metadata or {}),
    }
    more = {name: said for name, said in (("risk", risk), ("additionalData", additional)) if said is not None}
    return orjson.dumps(
        {
            "id": f"{resource}/providers/Microsoft.Security/assessments/{id}",
            "name": id,
            "type": "Microsoft.Security/assessments",
            "properties": properties | more,
            "assessmentEventDataEnrichment": {"action": "Write", "isSnapshot": False} | enrichment,
        }
    )


def an_alert(id: str = "alert-1", **fields: object) -> Alert:
    """The alert that `alert_body` reads as."""
    (alert,) = read_signals(alert_body(id, **fields), Catalogue())
    assert isinstance(alert, Alert), alert
    return alert


def a_finding(id: str = "assessment-1", status: str = "Unhealthy", **said: Any) -> Finding:
    """The finding that `finding_body` reads as."""
    (finding,) = read_signals(finding_body(id, status, **said), Catalogue())
    assert isinstance(finding, Finding), finding
    return finding


def an_ip(address: str) -> dict[str, object]:
    """An ip entity."""
    return {"$id": f"ip-{address}", "Type": "ip", "Address": address}


_PLACES = itertools.count(1)


def a_message(body: bytes, *, at: datetime | None = None, origin: str = "hub/0", place: int | None = None) -> Message:
    """A message from a hub, each later than the one before unless its place or time says otherwise."""
    place = next(_PLACES) if place is None else place
    enqueued = at if at is not None else NOW + timedelta(seconds=place)
    return Message(body, f"test:{place}", Arrival(origin, place, enqueued))


def a_rule(
    name: str = "scanner",
    *,
    alert_type: str = "VM_Test",
    expires: datetime = NOW + timedelta(days=30),
    enabled: bool = True,
    ip: Sequence[str] = ("10.20.0.5",),
    groups: Sequence[Sequence[Element]] | None = None,
) -> SuppressionRule:
    """A rule that holds alerts of one type that name one of some IP addresses."""
    elements = [[an_element("entities.ip.address", *ip)]] if groups is None else groups
    scope = tuple(map(tuple, elements))
    return SuppressionRule(name=name, alert_type=alert_type.casefold(), expires=expires, enabled=enabled, groups=scope)


def an_element(field: str, *values: str, operator: Operator = Operator.IN) -> Element:
    """An element as a rule's author writes it."""
    where = Field(None, field.lower())
    if field.startswith("entities."):
        _, entity, name = field.lower().split(".")
        where = Field(entity, name)
    ranges = [value for value in values if where.name == "address" and "/" in value]
    return Element(
        where,
        operator,
        frozenset(form for value in values if value not in ranges for form in where.forms_of(value)),
        AddressRanges.from_networks(map(ip_network, ranges)),
    )


def a_destination(name: str, lane: Lane = Lane.TICKET) -> DestinationSpec:
    """A destination of no kind that the program ships."""
    return DestinationSpec(name=name, kind="scripted", lane=lane, config=None)


def a_route(
    name: str,
    *to: str,
    when: Sequence[Any] = (),
    kinds: Sequence[str] = (),
    respond_within: timedelta | None = None,
) -> Route:
    """A route that takes everything, unless clauses say otherwise."""
    return Route(name, tuple(when), to, frozenset(kinds), respond_within)


@cache
def the_attack_table() -> AttackTable:
    """ATT&CK as the starter's rules have it."""
    return load_attack(RULES / "attack.yaml")


def a_rulebook(
    *rules: SuppressionRule,
    stream: Stream = Stream.CWPP,
    floor: Severity = Severity.MEDIUM,
    routes: Sequence[Route] | None = None,
    always: Sequence[str] = ("sentinel",),
    otherwise: Sequence[str] = ("tickets",),
    destinations: Sequence[DestinationSpec] | None = None,
    record: DestinationSpec | None = None,
    hash: str = "0123456789ab",
) -> Rulebook:
    """A rulebook that sends everything from Medium up to `tickets`, and to `sentinel` always."""
    lanes = {"tickets": Lane.TICKET, "oncall": Lane.PAGE, "sentinel": Lane.ROWS}
    specs = [a_destination(name, lane) for name, lane in lanes.items()] if destinations is None else destinations
    return Rulebook(
        stream=stream,
        hash=hash,
        floor=Floor(floor),
        suppressions=Suppressions.from_rules(rules),
        routes=tuple([a_route("tickets", "tickets")] if routes is None else routes),
        always=tuple(always),
        otherwise=tuple(otherwise),
        attack=the_attack_table(),
        catalogue=Catalogue(),
        destinations={spec.name: spec for spec in specs},
        record=record,
    )


def without_rules(book: Rulebook) -> Rulebook:
    """The same rulebook with every suppression rule taken away."""
    return replace(book, suppressions=Suppressions.from_rules(()), hash="another")
