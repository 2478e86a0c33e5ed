"""What rules/coverage.yaml expects: which workloads, on which rungs, with which plans, and what is excused until when. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product

from router.coverage.verdicts import CoverageException, Workload
from router.domain.coverage import Rung, WorkloadKind
from router.domain.patterns import covers_glob, glob_pattern, is_glob
from router.domain.resources import is_guid, location_named, parse_resource_id
from router.domain.severity import Severity

FILE = "coverage.yaml"
"""The manifest's name in a rules directory."""

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


def named_workload(kind: WorkloadKind, name: str, subscription: str | None = None) -> Workload:
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


class SelectorIndex:
    """Finds the selectors that fit a workload without asking each of thousands that name one workload."""

    def __init__(self, selectors: Iterable[WorkloadSelector]) -> None:
        # By a name and a subscription; None stands for globs, which are asked one by one.
        self._by_name: dict[tuple[str | None, str | None], list[tuple[int, WorkloadSelector]]] = {}
        for position, selector in enumerate(selectors):
            names = {*map(str.lower, selector.named), *([None] if selector.globs else [])}
            has_globs = any(map(is_glob, selector.subscriptions))
            for key in product(names, [None] if has_globs else {*map(str.lower, selector.subscriptions)}):
                self._by_name.setdefault(key, []).append((position, selector))

    def positions(self, workload: Workload) -> list[int]:
        """The positions of those that fit, in order."""
        subscriptions = (None, (workload.subscription or "").lower())
        found: set[int] = set()
        for name, subscription in product({*map(str.lower, workload.names)}, subscriptions):
            for position, selector in self._by_name.get((name, subscription), ()):
                if selector.fits_but_for_its_name(workload):
                    found.add(position)
        for subscription in subscriptions:
            for position, selector in self._by_name.get((None, subscription), ()):
                if position not in found and selector.fits_but_for_its_name(workload):
                    found |= {position} if any(is_called(workload, glob) for glob in selector.globs) else set()
        return sorted(found)


class NamedWorkloads:
    """The workloads that there are, of which it is asked which one a selector means by a name without a wildcard.

    An id means one. Whoever makes something in another subscription, account or project calls it as they like: so a bare name
    means the only thing that is called so, and that only where a single such place was looked at.
    """

    def __init__(self, workloads: Iterable[Workload]) -> None:
        self._all = tuple(workloads)
        # Thousands may have one name, each in a subscription of its own; None stands for all of them.
        self._by_name: dict[tuple[str, str | None], dict[tuple[WorkloadKind, str], Workload]] = {}
        for one in self._all:
            for key in product(map(str.lower, one.names), (one.subscription, None)):
                self._by_name.setdefault(key, {})[one.key] = one
        self._keys = {one.key for one in self._all}
        self._subscriptions = {one.subscription for one in self._all if one.subscription}
        self._elsewhere = {place for one in self._all if not one.subscription and (place := _account_of(one))}

    def has(self, selector: WorkloadSelector, name: str) -> bool:
        """Whether one of them is what a selector means by one of its names, which may be a glob."""
        if is_glob(name):
            return any(is_called(one, name) and selector.fits_but_for_its_name(one) for one in self._all)
        return any(self.doubt(selector, name, one.kind) == "" for one in self.called(selector, name))

    def called(self, selector: WorkloadSelector, name: str, kind: WorkloadKind | None = None) -> list[Workload]:
        """Those that a selector may mean by a name, be it theirs alone or not."""
        lowered = name.lower()
        only = selector.subscription.lower() if selector.subscription is not None else None
        some = [one for one in self._by_name.get((lowered, only), {}).values() if selector.fits_but_for_its_name(one)]
        some = [one for one in some if kind is None or one.kind is kind]
        own = [one for one in some if lowered in map(str.lower, one.ids)]
        return own if own or _is_id(name) else some

    def doubt(self, selector: WorkloadSelector, name: str, kind: WorkloadKind) -> str | None:
        """Why nobody knows which one of a kind a name means, and what to write; empty where one is meant, None for none."""
        some = self.called(selector, name, kind)
        if len(some) > 1:
            return f"{name} may be any of {', '.join(one.id or one.subject for one in some)}: write the id of the one meant"
        if not some or (name.lower() in map(str.lower, some[0].ids) and kind not in _CONNECTED):
            return "" if some else None
        if selector.subscription is not None:
            return ""
        there = self._subscriptions | (self._elsewhere if kind is WorkloadKind.CLUSTER else set())
        places = [place for place in there if selector.fits_subscription(place)]
        if len(places) <= 1:
            return ""
        return (
            f"{name} may be {some[0].id}, or one that is gone from another of the {len(places):,} subscriptions, accounts and "
            "projects that the documents name: write the id of the one meant, or its subscription"
        )

    def means(self, selector: WorkloadSelector, workload: Workload) -> bool:
        """Whether a selector means a workload that it fits, and not one that is called so, too."""
        if any(is_called(workload, glob) for glob in selector.globs):
            return True
        for name in selector.named:
            if is_called(workload, name):
                doubt = self.doubt(selector, name, workload.kind)
                is_it = doubt == "" and self.called(selector, name, workload.kind)[0].key == workload.key
                if is_it or (doubt is None and workload.key not in self._keys):
                    return True
        return False


_CONNECTED = (WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT)
"""The kinds of which a connector in any subscription may say that it is one's."""


def _account_of(workload: Workload) -> str:
    """The account or project of a cluster of another cloud; empty where nobody knows it."""
    location = location_named(workload.id or workload.subject)
    return location.account or next(iter(location.projects), "")


def _is_id(name: str) -> bool:
    return name.startswith("/") or is_guid(name)


class SelectorsAbove:
    """Selectors, one below the other, of which it is asked whether they leave anything to those that come after them."""

    def __init__(self) -> None:
        self._named: dict[str, list[tuple[int, WorkloadSelector]]] = {}
        self._with_globs: list[tuple[int, WorkloadSelector]] = []

    def add(self, position: int, selector: WorkloadSelector) -> None:
        """Adds the next one."""
        for name in selector.named:
            self._named.setdefault(name.lower(), []).append((position, selector))
        if selector.globs:
            self._with_globs.append((position, selector))

    def find_covering(
        self, kinds: Iterable[WorkloadKind], names: Iterable[str], subscriptions: Iterable[str]
    ) -> frozenset[int]:
        """The positions of those that together fit all that globs of names and subscriptions fit; none where they do not."""
        found: set[int] = set()
        for kind, name, subscription in product(kinds, names, subscriptions):
            named = () if is_glob(name) else self._named.get(name.lower(), ())
            for position, above in (*self._with_globs, *named):
                if _covers(above, kind, name, subscription):
                    found.add(position)
                    break
            else:
                return frozenset()
        return frozenset(found)


def _covers(above: WorkloadSelector, kind: WorkloadKind, name: str, subscription: str) -> bool:
    return (
        (not above.kinds or kind in above.kinds)
        and any(covers_glob(glob, subscription) for glob in above.subscriptions)
        and any(covers_glob(glob, name) for glob in above.names)
    )
