"""What messages last said of the recommendations that mean something is missing, kept as a document for each resource. Pure.

A body is a list of assessments in the form that Azure's own answers have, so that the gate reads both alike. What the router
needs beside that, to know which of two messages is the later one, stands in each of them under keys of its own.
https://learn.microsoft.com/rest/api/defenderforcloud/assessments
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson

from router.domain.clocks import AHEAD, is_possible
from router.domain.documents import DocumentKind, StoredDocument, Version
from router.domain.keys import bounded
from router.domain.recommendations import find_proving, scope_of_assessment
from router.domain.resources import NOWHERE, is_connected, location_named
from router.domain.signals import Finding, Kind
from router.domain.values import Value
from router.ingest.coverage_mentions import is_name
from router.ingest.observations import Observation
from router.store.codec import encode
from router.store.documents import find_value

TYPE = "Microsoft.Security/assessments"
"""The type of an assessment, as Azure writes it."""

MOST = 100
"""Assessments of one resource that are kept: there are not so many recommendations of this sort."""

MOST_VERSIONS = 8
"""Messages about one assessment that are kept because a late one could show that another than the latest holds."""

LONGEST_TEXT = 1_000
"""Characters of a text that are kept."""


class AssessmentArrival(NamedTuple):
    """When and where a message came in; the greater one is the later one."""

    at: datetime
    origin: str
    position: int
    part: int = 0


class CoverageAssessment(Value, kw_only=True):
    """What one message said of one recommendation at one resource.

    Attributes:
        native: what the resource is called in its own cloud, where that is not Azure.
        type: who wrote it, in Microsoft's word.
        code: `Healthy`, `Unhealthy` or `NotApplicable`, as it is written; None where the message was a Delete.
    """

    id: str
    key: str
    resource: str
    title: str = ""
    source: str | None = None
    native: str | None = None
    type: str | None = None
    code: str | None = None
    cause: str | None = None
    description: str | None = None
    changed: datetime | None = None
    arrival: AssessmentArrival

    @property
    def is_ordered_by_arrival(self) -> bool:
        """Whether it holds from when it came in: a Delete, and what has no time of its own."""
        return self.code is None or self.changed is None


class _Versions(Value):
    """What messages said of one assessment, first what holds."""

    all: tuple[CoverageAssessment, ...]


def find_assessment(observation: Observation, now: datetime) -> CoverageAssessment | None:
    """What a message says of a recommendation that counts for coverage; None where it is of no such."""
    signal = observation.signal
    if not isinstance(signal, Finding) or signal.kind is not Kind.RECOMMENDATION or signal.rung is None:
        return None
    resource = _find_resource(signal)
    if resource is None or find_proving(signal.type, signal.title, signal.assessment_type) is None:
        return None
    seen, at = observation.seen_at(now), observation.came_at(now)
    native = signal.location.native if signal.location is not None else None
    return CoverageAssessment(
        id=signal.id[: 2 * LONGEST_TEXT],  # it has the resource, which is no longer than a text, and the key
        key=signal.type[:LONGEST_TEXT],
        resource=resource,
        title=signal.title[:LONGEST_TEXT],
        source=_cut(signal.cloud),
        native=_cut(native) if native != resource else None,
        type=_cut(signal.assessment_type),
        code=None if seen.deleted else (_cut(signal.status) or ""),
        cause=None if seen.deleted else _cut(signal.cause),
        description=None if seen.deleted else _cut(signal.status_description),
        changed=None if seen.deleted else seen.changed,
        arrival=AssessmentArrival(at, seen.arrival.origin, seen.arrival.place, seen.arrival.part),
    )


def joined(assessments: Iterable[CoverageAssessment]) -> tuple[CoverageAssessment, ...]:
    """What is known of each assessment of a resource from all that messages said, in whatever order they were taken in.

    A Delete, and what has no time of its own, ends all that came before it; among the others the one holds whose own time is
    the latest, and where two are the same, the one that came last. First comes what holds, then whatever could still hold if a
    message came late that ends it.
    """
    by_id: defaultdict[str, set[CoverageAssessment]] = defaultdict(set)
    for one in assessments:
        by_id[one.id].add(one)
    latest = [_versions(some) for some in by_id.values()]
    latest.sort(key=lambda versions: max(one.arrival for one in versions), reverse=True)
    return tuple(one for versions in sorted(latest[:MOST], key=lambda some: some[0].id) for one in versions)


def _versions(assessments: Iterable[CoverageAssessment]) -> list[CoverageAssessment]:
    """Those of one assessment's versions that count, first the one that holds."""
    by_arrival = sorted(assessments, key=_order, reverse=True)
    ends = next((one for one in by_arrival if one.is_ordered_by_arrival), None)
    counting: list[CoverageAssessment] = []
    for one in by_arrival:
        if one is ends:
            break
        # One that came earlier counts only where its own time is later than that of all that came after it.
        if not counting or _own_time(one) > _own_time(counting[-1]):
            counting.append(one)
    counting.reverse()
    return [*counting[: MOST_VERSIONS - 1], *([ends] if ends is not None else [])]


def document_of_assessments(
    assessments: Sequence[CoverageAssessment], now: datetime, version: Version | None = None
) -> StoredDocument:
    """The document of a resource, from its joined assessments, to be written over a version of it.

    None of them is seen later than now, since hubs have clocks of their own.
    """
    return StoredDocument(
        kind=DocumentKind.FACT,
        id=fact_id(assessments[0].resource),
        at=max(min(one.arrival.at, now) for one in assessments),
        body=orjson.dumps(_items(assessments, now)),
        version=version,
    )


def fact_id(resource: str) -> str:
    """What the document of a resource is called."""
    return bounded(resource.lower())


def assessments_in(document: StoredDocument, now: datetime) -> list[CoverageAssessment]:
    """What a resource's document says, without what a clock wrote that was wrong, or what does not decode."""
    try:
        items = orjson.loads(document.body)
    except orjson.JSONDecodeError:
        return []
    bodies = (
        [orjson.dumps(item.get("versions")) for item in items if isinstance(item, dict)]
        if isinstance(items, list)
        else []
    )
    found = [some for body in bodies if (some := find_value(_Versions, body)) is not None]
    return [
        one
        for some in found
        for one in some.all
        if is_possible(one.arrival.at, now, AHEAD) and (one.changed is None or is_possible(one.changed, now, 2 * AHEAD))
    ]


def _order(one: CoverageAssessment) -> tuple[AssessmentArrival, str, str, str, str]:
    """The order of arrival; two that differ and came in at one and the same place, as no hub has them, are in some order."""
    return one.arrival, one.code or "", one.cause or "", one.description or "", str(one.changed)


def _own_time(one: CoverageAssessment) -> datetime:
    return one.changed if one.changed is not None else one.arrival.at


def _find_resource(finding: Finding) -> str | None:
    """The resource that a finding's own id hangs on; what a connector brought may have its name in another cloud instead."""
    name, scope = (finding.resource or "").strip().rstrip("/"), scope_of_assessment(finding.id)
    is_known = is_name(name) and (name.startswith("/") or location_named(name) != NOWHERE)
    is_under = name.lower() == scope or (is_connected(scope) and not name.startswith("/"))
    return name if is_known and is_under else None


def _cut(text: str | None) -> str | None:
    return text[:LONGEST_TEXT] if text is not None else None


def _items(assessments: Sequence[CoverageAssessment], now: datetime) -> list[dict[str, object]]:
    by_id: defaultdict[str, list[CoverageAssessment]] = defaultdict(list)
    for one in assessments:
        by_id[one.id].append(one)
    # Nothing but the router reads the versions: the item itself is what holds.
    return [
        {**_item(versions[0], now), "versions": orjson.Fragment(encode(_Versions(tuple(versions))))}
        for versions in by_id.values()
    ]


def _item(one: CoverageAssessment, now: datetime) -> dict[str, object]:
    status = {"code": one.code, "cause": one.cause, "description": one.description, "statusChangeDate": one.changed}
    details = {"Source": one.source, "Id": one.resource, "NativeResourceId": one.native}
    return {
        "id": one.id,
        "name": one.key,
        "type": TYPE,
        "properties": {
            "displayName": one.title,
            "status": _without_none(status),
            "resourceDetails": _without_none(details),
            **({"metadata": {"assessmentType": one.type}} if one.type is not None else {}),
        },
        "seen": min(one.arrival.at, now),
    }


def _without_none(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
