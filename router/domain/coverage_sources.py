"""When a subscription, cluster, plan, workload or owner was last heard of, kept as a document. Pure.

Recommendations come at least once a week, as a snapshot of them all; alerts come when something happens, which may be never.
https://learn.microsoft.com/azure/defender-for-cloud/continuous-export
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from router.domain import own_objects
from router.domain.clocks import is_possible
from router.domain.document_bodies import BodyFields, body_of, find_in_body
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.ledger import Version

_NEVER = datetime.min.replace(tzinfo=UTC)


class CoverageSourceKind(StrEnum):
    """What can be heard of. Their values are stored."""

    SUBSCRIPTION = "subscription"
    CLUSTER = "cluster"
    PLAN = "plan"
    WORKLOAD = "workload"
    OWNER = "owner"


class CoverageSource(NamedTuple):
    """What can be heard of.

    Attributes:
        kind: what it is.
        subject: in lower case: the subscription's id, also for a plan; the resource id of a cluster or workload; an owner.
        plan: the plan, by Microsoft's name for it; empty for everything else.
    """

    kind: CoverageSourceKind
    subject: str
    plan: str = ""

    @property
    def id(self) -> str:
        """What its document is called."""
        return f"{self.kind}:{self.subject}:{self.plan}" if self.plan else f"{self.kind}:{self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastHeard:
    """When something was last heard of; None where it never was. Instants are those at which messages came in.

    Attributes:
        source: of what.
        subscription: the id of its subscription in lower case; None where it has none.
        posture: when a message of the cspm stream last spoke of it.
        snapshot: when a row of a snapshot did.
        healthy: when a row of a snapshot did that was Healthy.
        alert: when an alert did.
        real_alert: when an alert did that was no sample.
        real_alert_type: the type of that alert, which says what raised it; None where it has none.
    """

    source: CoverageSource
    subscription: str | None = None
    posture: datetime | None = None
    snapshot: datetime | None = None
    healthy: datetime | None = None
    alert: datetime | None = None
    real_alert: datetime | None = None
    real_alert_type: str | None = None

    def joined(self, other: LastHeard) -> LastHeard:
        """What two say together of one source: the later instant of each."""
        return LastHeard(
            source=self.source,
            subscription=self.subscription or other.subscription,
            posture=_later(self.posture, other.posture),
            snapshot=_later(self.snapshot, other.snapshot),
            healthy=_later(self.healthy, other.healthy),
            alert=_later(self.alert, other.alert),
            real_alert=_later(self.real_alert, other.real_alert),
            real_alert_type=_of_the_later(self, other).real_alert_type,
        )

    def possible_at(self, now: datetime) -> LastHeard:
        """The same without instants that a clock set which was wrong."""
        real_alert = _possible(self.real_alert, now)
        return LastHeard(
            source=self.source,
            subscription=self.subscription,
            posture=_possible(self.posture, now),
            snapshot=_possible(self.snapshot, now),
            healthy=_possible(self.healthy, now),
            alert=_possible(self.alert, now),
            real_alert=real_alert,
            real_alert_type=self.real_alert_type if real_alert is not None else None,
        )

    @property
    def last(self) -> datetime | None:
        """When anything last spoke of it."""
        return max((one for one in (self.posture, self.alert) if one is not None), default=None)


def document_of_last_heard(heard: LastHeard, now: datetime, version: Version | None = None) -> StoredDocument:
    """The document of a source, to be written over a version of it."""
    body = body_of(
        {
            own_objects.KEY: own_objects.SOURCE,
            "kind": heard.source.kind,
            "subject": heard.source.subject,
            "plan": heard.source.plan or None,
            "subscription": heard.subscription,
            "posture": heard.posture,
            "snapshot": heard.snapshot,
            "healthy": heard.healthy,
            "alert": heard.alert,
            "real_alert": heard.real_alert,
            "real_alert_type": heard.real_alert_type,
        }
    )
    return StoredDocument(
        kind=DocumentKind.SOURCE, id=heard.source.id, at=heard.last or now, body=body, version=version
    )


def find_last_heard(document: StoredDocument) -> LastHeard | None:
    """What a document says of a source; None where it does not decode: it is written anew with the next message."""
    return find_in_body(document.body, _last_heard_in)


def _last_heard_in(fields: BodyFields) -> LastHeard:
    return LastHeard(
        source=CoverageSource(
            CoverageSourceKind(fields.text("kind")), fields.text("subject"), fields.optional("plan", fields.text) or ""
        ),
        subscription=fields.optional("subscription", fields.text),
        posture=fields.optional("posture", fields.instant),
        snapshot=fields.optional("snapshot", fields.instant),
        healthy=fields.optional("healthy", fields.instant),
        alert=fields.optional("alert", fields.instant),
        real_alert=fields.optional("real_alert", fields.instant),
        real_alert_type=fields.optional("real_alert_type", fields.text),
    )


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)


def _of_the_later(one: LastHeard, other: LastHeard) -> LastHeard:
    """The one of two whose alert that was no sample is the later one; of two at one instant the one with the last type."""
    return max(one, other, key=lambda heard: (heard.real_alert or _NEVER, heard.real_alert_type or ""))


def _possible(instant: datetime | None, now: datetime) -> datetime | None:
    return instant if instant is not None and is_possible(instant, now) else None
