"""What rules/coverage.yaml expects: which workloads, on which rungs, with which plans, and what is excused until when. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from router.coverage.verdicts import CoverageException, Workload
from router.domain.coverage import Rung, WorkloadKind
from router.domain.patterns import glob_pattern, is_glob
from router.domain.resources import parse_resource_id
from router.domain.severity import Severity

DEFAULT_RUNGS = frozenset(
    {Rung.PLAN, Rung.INTEGRATION, Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING, Rung.ADMISSION_AUDITS}
)
"""What is expected of every workload where nothing else is said; a rung that a kind does not have is never expected of it."""

SPOKEN_OF_RUNGS = frozenset({Rung.SUPPRESSION, Rung.EXPORT, Rung.PATH, Rung.DETECTION})
"""What is expected besides, where a document speaks of it."""

HEARD_WITHIN = timedelta(days=8)
"""How long a source may be silent where the manifest does not say it: snapshots come once a week, and one may be late."""

EVERY_NAME = "*"
"""The glob that an entry has that says no name."""

_EVERY = (EVERY_NAME,)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadSelector:
    """Which workloads an entry of the manifest means.

    Attributes:
        kinds: of which kinds; empty for every kind.
        names: globs of the name or the id, of which one must fit; a text without a wildcard names one workload.
        subscriptions: globs of the subscription's id, of which one must fit; a workload of no known subscription fits `*` only.
    """

    kinds: frozenset[WorkloadKind] = frozenset()
    names: tuple[str, ...] = _EVERY
    subscriptions: tuple[str, ...] = _EVERY

    def fits(self, workload: Workload) -> bool:
        """Whether it means that workload."""
        return self.fits_but_for_its_name(workload) and any(is_called(workload, name) for name in self.names)

    def fits_but_for_its_name(self, workload: Workload) -> bool:
        """Whether it means that workload, if it is called so."""
        return (not self.kinds or workload.kind in self.kinds) and self.fits_subscription(workload.subscription or "")

    def fits_subscription(self, subscription: str) -> bool:
        """Whether it means workloads of that subscription."""
        return self.subscriptions == _EVERY or any(_fits(glob, subscription) for glob in self.subscriptions)

    @property
    def named(self) -> tuple[str, ...]:
        """The workloads that it names one by one, so that each must be there."""
        return tuple(name for name in self.names if not is_glob(name))

    @property
    def subscription(self) -> str | None:
        """The one subscription in which all that it means is; None where there may be several."""
        only = self.subscriptions[0] if len(self.subscriptions) == 1 else "*"
        return None if is_glob(only) else only

    @property
    def globs(self) -> tuple[str, ...]:
        """The names that may fit several workloads, or none."""
        return tuple(filter(is_glob, self.names))


def is_called(workload: Workload, name: str) -> bool:
    """Whether a name of the manifest, which may be a glob, fits a workload's name or its id."""
    return name == EVERY_NAME or any(_fits(name, text) for text in workload.names)


def _fits(glob: str, text: str) -> bool:
    return bool(glob_pattern(glob).match(text)) if is_glob(glob) else glob.lower() == text.lower()


def workload_called(kind: WorkloadKind, name: str, subscription: str | None = None) -> Workload:
    """The workload that a name without a wildcard means, where no document says more of it; the name may be an ARM id."""
    if name.startswith("/"):
        found = parse_resource_id(name).subscription or subscription
        short = name.rpartition("/")[2]
        return Workload(
            kind=kind, name=short, id=name, subscription=found.lower() if found else None, subject=name.lower()
        )
    if kind is WorkloadKind.SUBSCRIPTION:
        id = f"/subscriptions/{name.lower()}"
        return Workload(kind=kind, name=name.lower(), id=id, subscription=name.lower(), subject=id)
    found = subscription.lower() if subscription else None
    subject = f"{found}/{name.lower()}" if found else name.lower()
    return Workload(kind=kind, name=name, subscription=found, subject=subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What one entry of the manifest expects.

    Attributes:
        selects: of which workloads.
        rungs: on which rungs; None for those up to the sensor, and for what the documents speak of besides.
        plans: the plans that must be on, by Microsoft's names for them, each with the sub-plan that it needs, or None where any
            will do; for a subscription all of them, for another workload the one of its kind.
        extensions: the extensions of those plans that must be on.
        heard_within: how long the subscriptions, clusters and plans that it expects may be silent in the stream.
        number: which entry of the manifest it is, from 1; 0 for what is expected where no manifest is.
    """

    selects: WorkloadSelector = WorkloadSelector()
    rungs: frozenset[Rung] | None = None
    plans: Mapping[str, str | None] = field(default_factory=dict)
    extensions: frozenset[str] = frozenset()
    heard_within: timedelta = HEARD_WITHIN
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Excuse:
    """What one entry of the manifest excuses.

    Attributes:
        selects: of which workloads.
        rungs: on which rungs; empty for all of them.
        exception: who answers for it, why, and until when.
        number: which exception of the manifest it is, from 1.
    """

    selects: WorkloadSelector
    rungs: frozenset[Rung]
    exception: CoverageException
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedExport:
    """Where continuous export must lead.

    Attributes:
        alerts: the ARM id of the event hub for alerts; None where none is expected.
        posture: the ARM id of the event hub for recommendations; None where none is expected.
        severities: the severities of alerts that must be exported.
    """

    alerts: str | None = None
    posture: str | None = None
    severities: frozenset[Severity] = frozenset({Severity.INFORMATIONAL, Severity.LOW, Severity.MEDIUM, Severity.HIGH})


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageManifest:
    """What is expected, top to bottom: of several entries that fit a workload, the first one counts.

    Attributes:
        expectations: the entries.
        excuses: what need not be so for a time.
        export: where continuous export must lead; None where the manifest does not say it.
        expects_posture: whether foundational CSPM must be on.
        is_given: whether somebody wrote it; where nobody did, whatever the documents name is expected as far as the sensor.
    """

    expectations: tuple[Expectation, ...] = (Expectation(),)
    excuses: tuple[Excuse, ...] = ()
    export: ExpectedExport | None = None
    expects_posture: bool = False
    is_given: bool = False


NO_MANIFEST = CoverageManifest()
"""What is expected where there is no manifest."""
