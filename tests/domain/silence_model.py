"""Lives of sources: messages, looks, absences, manifests; and what an oracle that knows nothing of the code says of them."""

from collections.abc import Iterable, Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import strategies as st

from router.coverage.expected.manifest import CoverageManifest, Excuse, Expectation, WorkloadSelector
from router.coverage.expected.silence import look_at
from router.domain.coverage import WorkloadKind
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard
from router.domain.silent_sources import KnownSource, SourceTurn, SourceWatch
from tests.builders import NOW

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

ONE = "11111111-1111-1111-1111-111111111111"
TWO = "22222222-2222-2222-2222-222222222222"


def of_subscription(id: str) -> CoverageSource:
    """A subscription as a source."""
    return CoverageSource(CoverageSourceKind.SUBSCRIPTION, id)


def cluster_id(name: str, subscription: str = ONE) -> str:
    """The id of a cluster, as sources have it."""
    group = f"/subscriptions/{subscription}/resourcegroups/rg"
    return f"{group}/providers/microsoft.containerservice/managedclusters/{name}"


def of_cluster(name: str, subscription: str = ONE) -> CoverageSource:
    """A cluster as a source."""
    return CoverageSource(CoverageSourceKind.CLUSTER, cluster_id(name, subscription))


def of_plan(plan: str, subscription: str = ONE) -> CoverageSource:
    """A plan as a source."""
    return CoverageSource(CoverageSourceKind.PLAN, subscription, plan)


def an_entry(
    kind: WorkloadKind,
    *names: str,
    days: float = 8,
    plans: Sequence[str] = (),
    subscription: str = "*",
    number: int = 1,
) -> Expectation:
    """An entry of a manifest."""
    selects = WorkloadSelector(kinds=frozenset({kind}), names=names or ("*",), subscriptions=(subscription,))
    return Expectation(selects=selects, heard_within=days * DAY, plans=dict.fromkeys(plans), number=number)


def a_manifest(*entries: Expectation, excuses: Sequence[Excuse] = ()) -> CoverageManifest:
    """A manifest of some entries."""
    return CoverageManifest(expectations=entries, excuses=tuple(excuses), is_given=True)


def subscriptions(*ids: str, days: float = 8, plans: Sequence[str] = ()) -> CoverageManifest:
    """A manifest that expects some subscriptions."""
    return a_manifest(an_entry(WorkloadKind.SUBSCRIPTION, *ids, days=days, plans=plans)) if ids else a_manifest()


@dataclass
class Life:
    """What one state hears, and what it says of it."""

    manifest: CoverageManifest
    watch: SourceWatch | None = None
    known: dict[str, KnownSource] = field(default_factory=dict)
    turns: list[SourceTurn] = field(default_factory=list)

    def hears(self, at: datetime, *sources: CoverageSource, healthy: bool | None = None) -> None:
        """A message speaks of some sources: a row of a snapshot where it is said whether it is Healthy."""
        for source in sources:
            snapshot, well = (None if healthy is None else at), (at if healthy else None)
            one = LastHeard(
                source=source, subscription=_subscription_of(source), posture=at, snapshot=snapshot, healthy=well
            )
            known = self.known.get(source.id, KnownSource(heard=one))
            self.known[source.id] = replace(known, heard=known.heard.joined(one))

    def looks(self, at: datetime, lost: datetime | None = None) -> list[SourceTurn]:
        """A look at an instant up to which all was taken in; what it tells."""
        look = look_at(self.manifest, self.watch, self.known, at, at, lost)
        self.watch = look.watch if look.is_news else self.watch
        self.known |= look.changed
        self.turns += look.turns
        return list(look.turns)

    def lives(self, until: datetime, *, since: datetime, every: timedelta = HOUR) -> list[SourceTurn]:
        """Looks one after the other."""
        found: list[SourceTurn] = []
        while since <= until:
            found += self.looks(since)
            since += every
        return found


def _subscription_of(source: CoverageSource) -> str:
    return source.subject if not source.subject.startswith("/") else source.subject.split("/")[2]


def said(turns: Iterable[SourceTurn]) -> list[tuple[str, str]]:
    """What turns say of which source, without its subscription."""
    return [(turn.source.plan or turn.source.subject.rpartition("/")[2], turn.state.value) for turn in turns]


@dataclass(frozen=True)
class Step:
    """What happens next.

    Attributes:
        after: how much later than what happened before.
        what: `message`, `look`, `lost`, or `manifest`.
        who: of which subscription the message is; which ones the manifest expects.
    """

    after: timedelta
    what: str
    who: tuple[str, ...] = ()


_WHO = st.sampled_from([(), (ONE,), (TWO,), (ONE, TWO)])
_NEAR = st.integers(1, 50).map(lambda n: n * timedelta(minutes=6))
"""Up to 5 hours, so that nobody takes the router for away."""

_FAR = st.integers(8 * 24, 40 * 24).map(lambda n: n * HOUR) | st.integers(8, 48).map(lambda n: n * HOUR)
"""So long that the router was away."""

steps = st.lists(
    st.one_of(
        st.builds(Step, st.just(timedelta(seconds=1)), st.just("message"), _WHO),
        st.builds(Step, _NEAR, st.just("message"), _WHO),
        st.builds(Step, _NEAR, st.just("look")),
        # Days of looks with nothing in them.
        st.builds(Step, st.integers(1, 9).map(lambda n: n * DAY), st.just("looks")),
        st.builds(Step, _FAR, st.just("away")),
        st.builds(Step, st.just(timedelta(seconds=1)), st.just("lost")),
        st.builds(Step, st.just(timedelta(seconds=1)), st.just("manifest"), _WHO),
    ),
    max_size=25,
)


@dataclass
class Oracle:
    """What is to be said of one subscription, by the words of the promise alone.

    A subscription is heard of at the instants of its messages; where there is none, at the first look at which it was expected.
    Nothing counts that was before the router was last away.
    """

    within: timedelta
    messages: list[datetime] = field(default_factory=list)
    expected_since: datetime | None = None
    missing_since: datetime | None = None
    anew: datetime | None = None
    silent_since: datetime | None = None
    said: list[tuple[datetime, str]] = field(default_factory=list)

    def looks(self, at: datetime, *, is_expected: bool, is_anew: bool, lost: datetime | None) -> None:
        """A look; `is_anew` where it is the first, or the first after the router was away."""
        self.anew = at if is_anew or self.anew is None else self.anew
        if not is_expected:
            self.expected_since = None
            self.missing_since = self.missing_since or at
            if self.silent_since is not None and at - self.missing_since > HOUR:
                self._say(at, "unexpected")
            return
        self.missing_since = None
        self.expected_since = self.expected_since or at
        begin = self.messages[-1] if self.messages else self.expected_since
        begin = max(begin, self.anew, lost or self.anew)
        is_silent = at - begin > self.within
        if self.silent_since is None and is_silent:
            self.said.append((at, "silent"))
            self.silent_since = at
        elif self.silent_since is not None and not is_silent and self.messages and self.messages[-1] > self.heard_then:
            self._say(at, "speaks")

    @property
    def heard_then(self) -> datetime:
        """When it was last heard of before people were told that it is silent."""
        assert self.silent_since is not None
        return max((one for one in self.messages if one <= self.silent_since), default=NOW - 10_000 * DAY)

    def _say(self, at: datetime, what: str) -> None:
        self.said.append((at, what))
        self.silent_since = None
