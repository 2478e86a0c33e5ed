"""What is found of a resource: its signals, the latest first, page after page; and which resources a text may mean."""

from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.app.signal_search import find_meant
from router.store.codec import PageEnd
from router.store.decisions import put_on_record
from router.store.resources import find_resources, list_at_resource
from router.store.store import Store
from tests.builders import NOW
from tests.store.acts import SECOND, an_empty_store, ask, run
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
