"""What a message becomes once it is understood: an Alert, a Finding, or Quarantined."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from msgspec import field

from router.domain.coverage import Rung
from router.domain.decisions import Reason
from router.domain.entities import Entities
from router.domain.posture import Cves, DatabaseRule, GroupedFacts, Image, Package, Risk
from router.domain.resources import CloudLocation
from router.domain.severity import Severity, severity_named
from router.domain.values import Value


class Link(Value, kw_only=True):
    """A web page that a message names."""

    text: str
    url: str


_ENDS = frozenset(' <>|"\\')


def sound_link(link: str | None) -> str | None:
    """A link that can be one: https, and nothing in it that could end it early; else None."""
    if link is None or not link.startswith("https://"):
        return None
    return link if link.isascii() and link.isprintable() and not _ENDS.intersection(link) else None


DEFENDER = "Microsoft Defender for Cloud"
"""The product whose exports these are; what an alert of its own calls it may be an older name, or a part of it."""

AZURE_MONITOR = "Azure Monitor"
"""The product of what comes in its common alert schema; no alert of Defender's bears that name."""


class Stream(StrEnum):
    """Which of Defender's two exports a signal belongs to; they never mix."""

    CWPP = "cwpp"
    CSPM = "cspm"


class Kind(StrEnum):
    """What sort of thing a signal says."""

    ALERT = "alert"
    INCIDENT = "incident"
    RECOMMENDATION = "recommendation"
    VULNERABILITY = "vulnerability"
    ATTACK_PATH = "attack_path"
    SECURE_SCORE = "secure_score"
    SECURE_SCORE_CONTROL = "secure_score_control"
    COMPLIANCE = "compliance"
    COVERAGE = "coverage"  # a source is silent, as the router itself finds out; no message says it

    @property
    def stream(self) -> Stream:
        """The stream that carries this kind."""
        return Stream.CWPP if self in _CWPP_KINDS else Stream.CSPM

    @property
    def other(self) -> Kind | None:
        """The kind that the same signal may come back as: Defender flags an alert as an incident, or no longer does."""
        return _OTHERS.get(self)


_CWPP_KINDS = frozenset({Kind.ALERT, Kind.INCIDENT})
_OTHERS = {Kind.ALERT: Kind.INCIDENT, Kind.INCIDENT: Kind.ALERT}


class Signal(Value, kw_only=True):
    """What an alert and a finding have in common. Texts are as they arrived.

    Attributes:
        resource: the ARM id of the resource, or another text that names it.
        location: where in which cloud the resource is; None where that is still to be found (`locations.location_of`).
    """

    stream: ClassVar[Stream]

    kind: Kind
    id: str
    type: str
    title: str
    severity: Severity | None
    severity_written: str | None = None
    status: str | None = None
    resolved: bool = False
    changed: datetime | None = None
    resource: str | None = None
    description: str = ""
    remediation: tuple[str, ...] = ()
    link: str | None = None
    links: tuple[Link, ...] = ()
    entities: Entities = field(default_factory=lambda: Entities(()))
    intents: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    extended: Mapping[str, object] = {}
    location: CloudLocation | None = None

    @property
    def level(self) -> Severity | None:
        """How grave it is, as floors and routes ask; None where that is missing or unknown."""
        return self.severity


class Alert(Signal, kw_only=True):
    """A runtime detection: something is happening now.

    Attributes:
        correlation: a key that related alerts share: https://learn.microsoft.com/rest/api/defenderforcloud/alerts/get
    """

    stream: ClassVar[Stream] = Stream.CWPP

    plan: str | None = None
    sample: bool = False
    compromised_entity: str | None = None
    product: str | None = None
    correlation: str | None = None
    started: datetime | None = None
    ended: datetime | None = None


class Finding(Signal, kw_only=True):
    """A posture statement: a latent risk, a score, or a compliance state.

    Attributes:
        overlaps: whether others of its kind say the same of narrower scopes, so that it adds up with none of them.
        exemption: what it says of its exemption, which may be nothing; None where it is not exempt.
        assessment_type: who wrote the recommendation, in Microsoft's word.
        rung: the rung of the coverage ladder that it says is missing.
    """

    stream: ClassVar[Stream] = Stream.CSPM

    overlaps: bool = False
    deleted: bool = False
    exemption: str | None = None
    cves: Cves | None = None
    first_seen: datetime | None = None
    grouped: GroupedFacts | None = None
    risk_factors: tuple[str, ...] = ()
    assessment_type: str | None = None
    rung: Rung | None = None
    # As in PostureFacts: only one base of a value can have fields.
    categories: tuple[str, ...] = ()
    measure: str | None = None
    snapshot: bool = False
    cloud: str | None = None
    cause: str | None = None
    category: str | None = None
    package: Package | None = None
    image: Image | None = None
    rule: DatabaseRule | None = None
    scanner: str | None = None
    risk: Risk | None = None
    native_name: str | None = None
    status_description: str | None = None
    impact: str | None = None
    user_impact: str | None = None
    effort: str | None = None
    threats: tuple[str, ...] = ()
    cvss: str | None = None
    entry_points: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    @property
    def is_about_coverage(self) -> bool:
        """Whether it says that Defender, or the router, does not see something at all."""
        return self.rung is not None or self.kind is Kind.COVERAGE

    @property
    def has_assumed_severity(self) -> bool:
        """Whether its severity is that of its CVEs, or Medium: the message gives none that is known, nor does the policy."""
        return (
            self.severity is not None and not self.is_about_coverage and severity_named(self.severity_written) is None
        )

    @property
    def level(self) -> Severity | None:
        """The level of its risk, where that was found out for its very resource; else its severity.

        What an unwatched resource risks is no measure of not watching it, so on coverage it is the severity.
        """
        if self.risk is None or self.is_about_coverage or (level := self.risk.contextual_level) is None:
            return self.severity
        return level


class Quarantined(Value, kw_only=True):
    """A body that is not understood, or that came in on the wrong stream."""

    reason: Reason
    body: bytes
    at_fault: str | None = None
