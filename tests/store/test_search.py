"""What people look for on record: decisions by any filter, what was heard of a resource, and which a text may mean."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from router.app.signal_search import find_meant
from router.domain.decisions import Outcome
from router.domain.notices import RecordEntry
from router.store.codec import PageEnd
from router.store.decisions import put_on_record
from router.store.search import (
    STREAMS,
    DecisionFilter,
    find_resources,
    list_at_resource,
    list_decisions,
    walk_decisions,
)
from router.store.store import Store
from tests.builders import NOW
from tests.examples import some_of
from tests.store.acts import DAY, SECOND, an_empty_store, ask, run
from tests.store.builders import an_entry
from tests.store.opened import Place

MACHINE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/"


def heard(store: Store, resource: str, seconds: Iterable[int], name: str = "") -> None:
    """A signal at a resource for each of some times, in seconds before now."""
    entries = [
        an_entry(f"{resource}{name}:{n}", signal=f"{name}{n:03}", id=f"{name}{n}", stream="cwpp", resource=resource,
                 outcome="routed", at=(NOW - second * SECOND).isoformat())
        for n, second in enumerate(seconds)
    ]  # fmt: skip
    ask(store, put_on_record, entries)


class Decided(NamedTuple):
    """A decision as people look for it."""

    second: int
    outcome: Outcome
    stream: str
    type: str
    id: str
    resource: str

    def entry(self, key: str) -> RecordEntry:
        """It as it is put on record: one that was not understood has nothing of a signal."""
        at, outcome = (NOW + self.second * SECOND).isoformat(), self.outcome.value
        if not self.stream:
            return an_entry(key, at=at, outcome=outcome, stream=None)
        known = {"id": self.id, "type": self.type, "resource": self.resource, "stream": self.stream}
        return an_entry(key, at=at, outcome=outcome, signal=f"{self.stream} {self.id} {self.resource}", **known)

    def is_wanted(self, wanted: DecisionFilter, names: Sequence[str]) -> bool:
        """Whether a filter takes it, where a resource is called by one of those names."""
        return (
            self.stream in wanted.streams
            and self.outcome in wanted.outcomes
            and wanted.since <= NOW + self.second * SECOND < (wanted.until or NOW + DAY)
            and (wanted.type is None or (bool(self.stream) and wanted.type.lower() == self.type.lower()))
            and (wanted.id is None or self.is_called(wanted.id))
            and (wanted.resource is None or (bool(self.stream) and self.resource.lower().endswith(tuple(names))))
        )

    def is_called(self, id: str) -> bool:
        """Whether it is on a signal whose id ends so."""
        return bool(self.stream) and self.id.lower().endswith(id.lower())


DECIDED = st.builds(
    Decided,
    st.sampled_from([0, 1, 2, 2, 2, 2, 40, 86_000]),
    st.sampled_from([one for one in Outcome if one is not Outcome.REPEAT]),
    st.sampled_from(["cwpp", "cspm", ""]),
    st.sampled_from(["VM_Test", "vm_test", "SQL_%"]),
    st.sampled_from(["alert-1", "ALERT-11", "%"]),
    st.sampled_from(
        [f"{MACHINE}{name}" for name in ("web-1", "my-web-1", "WEB-1", "%")] + ["arn:aws:eks:cluster/Web-1", ""]
    ),
)
"""Decisions, with many at one instant."""

TWO_HOSTS = [Decided(2, Outcome.ROUTED, "cwpp", "a", name, f"{MACHINE}{name}") for name in ("web-1", "my-web-1")]

LOOKED_FOR: list[tuple[str, Any]] = [
    *(("streams", one) for one in (("cwpp",), ("cspm", ""), STREAMS)),
    *(("outcomes", one) for one in ((Outcome.ROUTED,), (Outcome.SUPPRESSED, Outcome.QUARANTINED))),
    *(("type", one) for one in ("VM_TEST", "sql_%", "vm")),
    *(("id", one) for one in ("Alert-1", "1", "%")),
    *(("resource", one) for one in ("web-1", "EB-1", f"{MACHINE}Web-1", "%", "db-1")),
    *(("since", NOW + one * SECOND) for one in (1, 2)),
    *(("until", NOW + one * SECOND) for one in (2, 3, 100)),
]


def keys_of(decided: Mapping[str, Decided], wanted: DecisionFilter) -> list[str]:
    """The keys of those that a filter takes, the latest first."""
    name = (wanted.resource or "").lower()
    there = [one for one in decided.values() if one.stream and (wanted.id is None or one.is_called(wanted.id))]
    forms = (f"/{name}", f":{name}", name)
    names = next((one for one in forms if any(it.resource.lower().endswith(one) for it in there)), name)
    found = [key for key, one in decided.items() if one.is_wanted(wanted, [names])]
    return sorted(found, key=lambda key: (decided[key].second, key), reverse=True)


@given(
    decided=st.lists(DECIDED, max_size=30),
    wanted=st.lists(st.sampled_from(LOOKED_FOR), max_size=3).map(lambda some: DecisionFilter(**dict(some))),
    most=st.integers(1, 7),
)
@settings(max_examples=some_of(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(decided=[Decided(2, Outcome.ROUTED, "cwpp", "a", "a", "a")] * 9, wanted=DecisionFilter(), most=4)
@example(decided=TWO_HOSTS, wanted=DecisionFilter(resource="web-1"), most=4)
def test_pages_hold_each_decision_that_is_wanted_once(
    place: Place, decided: list[Decided], wanted: DecisionFilter, most: int
) -> None:
    """The latest first, also of many at one instant, whatever is put on record meanwhile; a walk gives the same."""
    known = {f"h:{number:02}": one for number, one in enumerate(decided)}
    found, after = list[str](), None
    with an_empty_store(place) as store:
        ask(store, put_on_record, [one.entry(key) for key, one in known.items()])
        while True:
            page = ask(store, list_decisions, wanted, after, most)
            assert len(page.found) == most if page.after is not None else len(page.found) <= most
            found += [one.entry.key for one in page.found]
            if page.after is None:
                break
            after = PageEnd.parse(str(page.after))
            assert page.found[-1].end == page.after == after
            # By what is there already, so that names mean what they meant.
            late = decided[len(found) % len(decided)]._replace(second=86_000)
            ask(store, put_on_record, [late.entry(f"late:{len(found)}")])
        span = (wanted.since, wanted.until or NOW + DAY, wanted.outcomes)
        walked = [run(_walked(store, stream, *span, most)) for stream in ("cwpp", "cspm")]
    assert found == keys_of(known, wanted)
    for stream, keys in zip(("cwpp", "cspm"), walked, strict=True):
        plain = DecisionFilter(streams=(stream,), outcomes=wanted.outcomes, since=wanted.since, until=wanted.until)
        assert [key for key in keys if key in known] == keys_of(known, plain)


async def _walked(store: Store, stream: str, *span: Any) -> list[str]:
    async with store.session() as tx:
        return [one.key async for page in walk_decisions(tx, stream, *span) for one in page]


@given(seconds=st.lists(st.integers(0, 5), max_size=12), most=st.integers(1, 5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_of_a_resource_have_each_signal_once(place: Place, seconds: list[int], most: int) -> None:
    """The latest first, also of those that were decided at the same instant; nothing of another resource."""
    with an_empty_store(place) as store:
        heard(store, f"{MACHINE}web-1", seconds)
        heard(store, f"{MACHINE}a-web-1", [1, 2], "other")
        found: list[PageEnd] = []
        after: PageEnd | None = None
        while page := ask(store, list_at_resource, f"{MACHINE}WEB-1".lower(), after, most):
            assert len(page) <= most
            found += page
            after = PageEnd.parse(str(page[-1]))
        wanted = sorted(((second, -n) for n, second in enumerate(seconds)))
        assert [one.row for one in found] == [f"{-n:03}" for _, n in wanted]


@pytest.mark.usefixtures("either")
def test_the_end_of_a_name_means_each_resource_once(store: Store) -> None:
    """Those alone whose last part it is whole, and all others where there is none; no more than are asked for."""
    for name in ("web-1", "my-web-1", "web-12"):
        heard(store, f"{MACHINE}{name}", range(20), name)
    heard(store, "arn:aws:eks:eu-west-1:123456789012:cluster/shop", [0], "shop")
    web, mine, other = (f"{MACHINE}{name}".lower() for name in ("web-1", "my-web-1", "web-12"))
    for text, named in (
        ("WEB-1 ", [web]), (f"{MACHINE}web-1", [web]), ("eb-1", [mine, web]), ("2", [other]),
        ("machines/web-1", [web]), ("shop", ["arn:aws:eks:eu-west-1:123456789012:cluster/shop"]), ("db-1", []), ("", []),
    ):  # fmt: skip
        assert sorted(ask(store, find_resources, text, 10)) == named
    assert len(ask(store, find_resources, "eb-1", 1)) == 1


@pytest.mark.usefixtures("either")
def test_a_machine_that_many_signals_name_is_found_by_its_latest(store: Store) -> None:
    """A person who asks what is on a machine is called for what happened last."""
    heard(store, f"{MACHINE}web-1", range(30))
    found = run(find_meant(store, "web-1", None))
    assert ([one.key for one in found.signals], found.has_more) == ([f"{n:03}" for n in range(20)], True)


@pytest.mark.parametrize("text", ["", "1", "1.", ".a", "x.a", "1.a b", f"{'1' * 20}.a"])
def test_what_is_no_place_is_none(text: str) -> None:
    """A place comes out of a URL, in which a person may write anything."""
    assert PageEnd.parse(text) is None
