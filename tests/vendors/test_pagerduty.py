"""PagerDuty over real HTTP: one page for each signal, however its life is told."""

from __future__ import annotations

from hypothesis import given, settings

from alert_router_demo.soc.accounts import new_account
from alert_router_demo.soc.pagerduty import PagerDutyDouble
from router.domain.ports.destinations import DestinationKind
from tests.destinations.builders import a_destination, a_notice
from tests.examples import some_of
from tests.vendors.lives import Life, live, lives


@settings(max_examples=some_of(25))
@given(life=lives())
def test_at_most_one_page_is_open_and_only_while_its_signal_stands(life: Life) -> None:
    """Turns put down in any order, lost answers, refusals: events of one key fold, and what is over is resolved."""
    account = new_account("cwpp")
    vendor = PagerDutyDouble([account])

    def make(url: str) -> DestinationKind:
        return a_destination("pagerduty", url=url)

    live(vendor, make, {"PAGERDUTY_ROUTING_KEY": account.routing_key}, life)
    assert [page.dedup_key for page in vendor.pages if page.status == "triggered"] == [a_notice().key] * life.stands
