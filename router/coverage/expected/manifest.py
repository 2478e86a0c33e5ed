"""What coverage.yaml expects: workloads by selectors, rungs, plans, exceptions; and which workload a name means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import product

from router.coverage.verdicts import CoverageException, Workload
from router.domain.coverage import Rung, WorkloadKind
from router.domain.patterns import covers_glob, glob_pattern, is_glob
from router.domain.resources import is_guid, location_named, parse_resource_id
from router.domain.severity import Severity
from router.domain.values import Value

FILE = "coverage.yaml"
"""The manifest's name in a rules directory."""

DEFAULT_RUNGS = frozenset(
    {Rung.PLAN, Rung.INTEGRATION, Rung.SENSOR_INSTALLED, Rung.SENSOR_RUNNING, Rung.ADMISSION_AUDITS}
)
"""The rungs of an entry that names none; a kind is only held to the rungs that it has."""

SPOKEN_OF_RUNGS = frozenset({Rung.SUPPRESSION, Rung.EXPORT, Rung.PATH, Rung.DETECTION})
"""The rungs that such an entry also expects if a document speaks of them."""

HEARD_WITHIN = timedelta(days=8)
"""How long a source may be silent if the manifest does not say: snapshots come once a week, and one may be late."""

EVERY_NAME = "*"
"""The glob of an entry without names."""

_EVERY = (EVERY_NAME,)


class WorkloadSelector(Value, kw_only=True):
    """The workloads of an entry: one name and one subscription must fit.

    Attributes:
        kinds: empty for every kind.
        names: globs of the name or the id; a text without a wildcard names one workload.
        subscriptions: globs of the subscription's id; a workload of no known subscription fits `*` only.
    """

    kinds: frozenset[WorkloadKind] = frozenset()
    names: tuple[str, ...] = _EVERY
    subscriptions: tuple[str, ...] = _EVERY

    def fits_without_name(self, workload: Workload) -> bool:
        """Return whether a workload is one of them if its name fits."""
        return (not self.kinds or workload.kind in self.kinds) and self.fits_subscription(workload.subscription or "")

    def fits_subscription(self, subscription: str) -> bool:
        """Return whether workloads of that subscription may be some of them."""
        return self.subscriptions == _EVERY or any(_fits(glob, subscription) for glob in self.subscriptions)

    @property
    def named(self) -> tuple[str, ...]:
        """The names without a wildcard: each workload must be there."""
        return tuple(name for name in self.names if not is_glob(name))

    @property
    def subscription(self) -> str | None:
        """The only subscription of the workloads; None if there may be several."""
        only = self.subscriptions[0] if len(self.subscriptions) == 1 else "*"
        return None if is_glob(only) else only

    @property
    def globs(self) -> tuple[str, ...]:
        """The names with a wildcard."""
        return tuple(filter(is_glob, self.names))


def is_called(workload: Workload, name: str) -> bool:
    """Return whether a name of the manifest, which may be a glob, fits a workload's name or its id."""
    return name == EVERY_NAME or any(_fits(name, text) for text in workload.names)


def _fits(glob: str, text: str) -> bool:
    return bool(glob_pattern(glob).match(text)) if is_glob(glob) else glob.lower() == text.lower()


def named_workload(kind: WorkloadKind, name: str, subscription: str | None = None) -> Workload:
    """Return the workload of a name without a wildcard, which may be an ARM id, that no document describes."""
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


class Expectation(Value, kw_only=True):
    """One entry of `expect`.

    Attributes:
        rungs: None for `DEFAULT_RUNGS`, and for `SPOKEN_OF_RUNGS` if a document speaks of them.
        plans: the plans that must be on, each with the sub-plan that it needs, or None if any will do. A subscription needs
            all of them, another workload the one of its kind.
        heard_within: how long its subscriptions, clusters and plans may be silent in the stream.
        number: its place in the manifest, from 1; 0 if there is no manifest.
    """

    selects: WorkloadSelector = WorkloadSelector()
    rungs: frozenset[Rung] | None = None
    plans: Mapping[str, str | None] = {}
    extensions: frozenset[str] = frozenset()
    heard_within: timedelta = HEARD_WITHIN
    number: int = 0


class Excuse(Value, kw_only=True):
    """One entry of `exceptions`; `rungs` is empty for all rungs, `number` is its place from 1."""

    selects: WorkloadSelector
    rungs: frozenset[Rung]
    exception: CoverageException
    number: int = 0


class ExpectedExport(Value, kw_only=True):
    """The ARM ids of the event hubs that continuous export must lead to, and the severities of alerts that it must carry."""

    alerts: str | None = None
    posture: str | None = None
    severities: frozenset[Severity] = frozenset({Severity.INFORMATIONAL, Severity.LOW, Severity.MEDIUM, Severity.HIGH})


class CoverageManifest(Value, kw_only=True):
    """What is expected, top to bottom: of several entries that fit a workload, the first one counts.

    Attributes:
        export: None if the manifest does not say where it must lead.
        expects_posture: whether foundational CSPM must be on.
        is_given: whether there is a coverage.yaml; without it, all that documents name is expected as far as the sensor.
    """

    expectations: tuple[Expectation, ...] = (Expectation(),)
    excuses: tuple[Excuse, ...] = ()
    export: ExpectedExport | None = None
    expects_posture: bool = False
    is_given: bool = False


NO_MANIFEST = CoverageManifest()
"""What is expected without a coverage.yaml."""


class SelectorIndex:
    """Selectors from the top down, which finds those that fit without asking each of thousands that name one workload."""

    def __init__(self, selectors: Iterable[WorkloadSelector] = ()) -> None:
        # By a name and a subscription; None stands for globs, which are asked one by one.
        self._by_name: dict[tuple[str | None, str | None], list[tuple[int, WorkloadSelector]]] = {}
        self._size = 0
        for selector in selectors:
            self.add(selector)

    def add(self, selector: WorkloadSelector) -> None:
        """Add the next one."""
        names = {*map(str.lower, selector.named), *([None] if selector.globs else [])}
        has_globs = any(map(is_glob, selector.subscriptions))
        for key in product(names, [None] if has_globs else {*map(str.lower, selector.subscriptions)}):
            self._by_name.setdefault(key, []).append((self._size, selector))
        self._size += 1

    def positions(self, workload: Workload) -> list[int]:
        """Return the positions of those that fit, in order."""
        found: set[int] = set()
        for key in product((*map(str.lower, workload.names), None), (None, (workload.subscription or "").lower())):
            for position, selector in self._by_name.get(key, ()):
                if position not in found and selector.fits_without_name(workload):
                    is_one = key[0] is not None or any(is_called(workload, glob) for glob in selector.globs)
                    found |= {position} if is_one else set()
        return sorted(found)

    def find_covering(
        self, kinds: Iterable[WorkloadKind], names: Iterable[str], subscriptions: Iterable[str]
    ) -> frozenset[int]:
        """Return the positions of those that together fit all that globs of names and subscriptions fit; else none."""
        found: set[int] = set()
        for kind, name, subscription in product(kinds, names, subscriptions):
            keys = product((None, name.lower()), (None, subscription.lower()))
            some = (
                position
                for key in keys
                for position, above in self._by_name.get(key, ())
                if (not above.kinds or kind in above.kinds)
                and any(covers_glob(glob, subscription) for glob in above.subscriptions)
                and any(covers_glob(glob, name) for glob in above.names)
            )
            if (first := next(some, None)) is None:
                return frozenset()
            found.add(first)
        return frozenset(found)


class NamedWorkloads:
    """The workloads of all documents, which finds the one that a selector means by a name without a wildcard.

    An id means one workload. Names are free in each subscription, account and project. So a bare name means the only workload
    of that name, and only if the documents speak of a single such place.
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
        # The accounts and projects of clusters of other clouds.
        elsewhere = [location_named(one.id or one.subject) for one in self._all if not one.subscription]
        self._elsewhere = {place for one in elsewhere if (place := one.account or next(iter(one.projects), ""))}

    def has(self, selector: WorkloadSelector, name: str) -> bool:
        """Return whether one of them is meant by a name of a selector, which may be a glob."""
        if is_glob(name):
            return any(is_called(one, name) and selector.fits_without_name(one) for one in self._all)
        return any(self.find_doubt(selector, name, one.kind) == "" for one in self.find_called(selector, name))

    def find_called(self, selector: WorkloadSelector, name: str, kind: WorkloadKind | None = None) -> list[Workload]:
        """Return those that a selector may mean by a name."""
        lowered = name.lower()
        only = selector.subscription.lower() if selector.subscription is not None else None
        some = [one for one in self._by_name.get((lowered, only), {}).values() if selector.fits_without_name(one)]
        some = [one for one in some if kind is None or one.kind is kind]
        own = [one for one in some if lowered in map(str.lower, one.ids)]
        return own if own or name.startswith("/") or is_guid(name) else some

    def find_doubt(self, selector: WorkloadSelector, name: str, kind: WorkloadKind) -> str | None:
        """Return why it is not known which one a name means, and what to write; empty if one is meant, None for none."""
        some = self.find_called(selector, name, kind)
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
        """Return whether a selector that fits a workload means it, and not its namesake."""
        if any(is_called(workload, glob) for glob in selector.globs):
            return True
        for name in selector.named:
            if is_called(workload, name):
                doubt = self.find_doubt(selector, name, workload.kind)
                is_it = doubt == "" and self.find_called(selector, name, workload.kind)[0].key == workload.key
                if is_it or (doubt is None and workload.key not in self._keys):
                    return True
        return False


class Excuses:
    """The exceptions of a manifest, of which none excuses what is only called as what it means."""

    def __init__(self, manifest: CoverageManifest, there: NamedWorkloads) -> None:
        self._excuses, self._there = manifest.excuses, there
        self._index = SelectorIndex(one.selects for one in manifest.excuses)

    def about(self, workload: Workload) -> list[Excuse]:
        """Return those that excuse rungs of a workload until they end."""
        fitting = (self._excuses[position] for position in self._index.positions(workload))
        return [one for one in fitting if self._there.means(one.selects, workload)]


def find_exception(excuses: Iterable[Excuse], rung: Rung, now: datetime) -> CoverageException | None:
    """Return the exception that excuses a rung now, of several the one that ends last."""
    there = (one.exception for one in excuses if now < one.exception.ends and (not one.rungs or rung in one.rungs))
    return max(there, key=lambda one: one.ends, default=None)


_CONNECTED = (WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT)
"""The kinds of which a connector of any subscription may claim to be the one."""
