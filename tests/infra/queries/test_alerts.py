"""What fires each alert, and what does not: over telemetry of a router that is driven into the trouble that it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
import yaml

from router.destinations.log_tables import DECISIONS
from router.domain.errors import Rejected, Unauthorized, Unavailable
from router.domain.rulebook import Lane, Route
from router.health import LATE
from router.telemetry.meters import FRESH
from tests.builders import NOW, RULES, a_rule
from tests.infra.queries.at_work import MINUTE, AtWork
from tests.infra.queries.shipped import NAMESPACE, alert_rules
from tests.infra.queries.workspace import Row, Rows, answers

RULES_BY_NAME = alert_rules()
DAY = timedelta(days=1)
STATEFUL = timedelta(hours=12)
"""The longest pause between two looks of a rule that resolves by itself:
https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-create-log-alert-rule"""

WINDOWS = {timedelta(minutes=n) for n in (5, 10, 15, 30, 45, 60, 120, 180, 240, 300, 360, 1440, 2880)}
"""What `windowSize` may be: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-create-log-alert-rule"""


def fired(name: str, work: AtWork, rows: Rows | None = None) -> list[dict[str, Any]]:
    """What an alert rule finds now, in its own window."""
    rule = RULES_BY_NAME[name]
    return answers(rule.query, {"AppMetrics": work.rows, **(rows or {})}, now=work.now, window=rule.window)


def incoming(*minutes_ago: int, at: Any, count: int = 1, namespace: str = NAMESPACE.upper()) -> Iterable[Row]:
    """What the platform says of messages that came in; it writes ids in capitals."""
    return [
        {
            "TimeGenerated": at - ago * MINUTE,
            "ResourceId": namespace,
            "MetricName": "IncomingMessages",
            "Total": float(count),
        }
        for ago in minutes_ago
    ]


@pytest.fixture
def paging(at_work: Callable[..., AtWork]) -> AtWork:
    """A router that pages every alert."""
    return at_work(routes=[Route("page", (), ("oncall",))])


def test_a_router_in_good_health_fires_nothing(work: AtWork) -> None:
    """An hour of messages that are taken in and delivered."""
    for _ in range(60):
        work.publish(2)
        work.take()
        work.deliver("tickets", Lane.TICKET)
        work.deliver("sentinel", Lane.ROWS)
        work.minutes()
    came = {"AzureMetrics": incoming(*range(60), at=work.now, count=2)}
    assert {name: found for name in RULES_BY_NAME if (found := fired(name, work, came))} == {}


def test_a_page_that_was_given_up_on_fires_until_it_is_seen_to(paging: AtWork) -> None:
    """It is told once for each destination, also hours later."""
    paging.publish(2)
    paging.take()
    paging.says = {"oncall": Rejected("answered 400", status=400)}
    paging.deliver("oncall", Lane.PAGE)
    paging.minutes()
    assert fired("dead-pages", paging) == [{"Stream": "cwpp", "Destination": "oncall", "Dead": 2}]
    paging.minutes(180)
    assert fired("dead-pages", paging) == [{"Stream": "cwpp", "Destination": "oncall", "Dead": 2}]
    paging.discard_dead_letters()
    paging.minutes()
    assert fired("dead-pages", paging) == []


def test_a_page_that_dies_fires_though_nothing_sweeps(paging: AtWork) -> None:
    """The attempt itself is told of, whatever the last sweep saw."""
    paging.publish(1)
    paging.take()
    paging.deliver("oncall", Lane.PAGE)
    paging.minutes()
    paging.publish(1)
    paging.take()
    paging.says = {"oncall": Rejected("answered 400", status=400)}
    paging.deliver("oncall", Lane.PAGE)
    paging.minutes(sweeping=False)
    assert fired("dead-pages", paging) == [{"Stream": "cwpp", "Destination": "oncall", "Dead": 1}]


def test_a_dead_ticket_wakes_nobody(work: AtWork) -> None:
    """The workbook and the health page show it."""
    work.publish(1)
    work.take()
    work.says = {"tickets": Rejected("answered 400", status=400)}
    work.deliver("tickets", Lane.TICKET)
    work.minutes(2)
    assert fired("dead-pages", work) == []


def test_a_page_that_waits_too_long_fires_until_it_is_sent(paging: AtWork) -> None:
    """Too long is what the health page calls late."""
    paging.publish(1)
    paging.take()
    paging.says = {"oncall": Unavailable("answered 503")}
    paging.minutes(int(LATE[Lane.PAGE] / MINUTE))
    assert fired("late-pages", paging) == []
    paging.minutes()
    assert fired("late-pages", paging) == [{"Stream": "cwpp", "Seconds": 180}]
    paging.says = {}
    paging.deliver("oncall", Lane.PAGE)
    paging.minutes()
    assert fired("late-pages", paging) == []


def test_a_ticket_that_waits_is_no_late_page(work: AtWork) -> None:
    """Nobody gets up for it."""
    work.publish(1)
    work.take()
    work.minutes(30)
    assert fired("late-pages", work) == []


def test_messages_that_the_hub_forgot_fire_for_a_day(work: AtWork) -> None:
    """With how many they were."""
    work.publish(1)
    work.take()
    work.publish(4)
    work.minutes()
    work.trim(before=4)
    work.minutes(3)
    assert fired("loss", work) == [{"Stream": "cwpp", "Lost": 3}]
    work.minutes(60)
    assert fired("loss", work) == [{"Stream": "cwpp", "Lost": 3}]
    work.now += DAY
    assert fired("loss", work) == []


def test_a_hub_that_fills_faster_than_it_is_taken_in_fires(work: AtWork) -> None:
    """By how much it grew; what two workers tell in one minute is no more than what one tells."""
    _climb(work, 35)
    (found,) = fired("lag", work)
    assert (found["Stream"], found["Lowest"], found["Last"] - found["First"]) == ("cwpp", found["First"], 29 * 20)
    work.rows += work.rows
    assert fired("lag", work) == [found]


def test_a_hill_that_is_worked_off_is_no_lag(work: AtWork) -> None:
    """A weekly snapshot comes in at once, and is taken in bit by bit; it need not be done with."""
    _climb(work, 40)
    for _ in range(30):
        work.take(20)
        work.minutes()
    assert fired("lag", work) == []


def test_the_partitions_of_a_hub_count_together(work: AtWork) -> None:
    """One may fill while the other empties faster."""
    work.publish(100, partition=0)
    work.publish(110, partition=1)
    for _ in range(35):
        work.take(2, partition=0)
        work.publish(2, partition=1)
        work.take(1, partition=1)
        work.minutes()
    assert fired("lag", work) == []


def test_a_hub_that_was_empty_in_between_has_no_lag(work: AtWork) -> None:
    """What came in after that is young."""
    _climb(work, 10)
    work.take()
    work.minutes()
    _climb(work, 18)
    assert fired("lag", work) == []


def test_a_destination_that_refuses_our_credentials_fires_until_it_takes_them(work: AtWork) -> None:
    """For that destination alone."""
    work.publish(1)
    work.take()
    work.says = {"tickets": Unauthorized("answered 401")}
    work.deliver("tickets", Lane.TICKET)
    work.deliver("sentinel", Lane.ROWS)
    work.minutes(10)
    assert fired("paused", work) == [{"Stream": "cwpp", "Destination": "tickets"}]
    work.says = {}
    work.deliver("tickets", Lane.TICKET)
    work.minutes()
    assert fired("paused", work) == []


def test_a_rule_that_ends_within_two_weeks_fires_with_its_end(at_work: Callable[..., AtWork]) -> None:
    """Two weeks is what the shipped policy of alerts warns at, too."""
    soon, later = NOW + timedelta(days=13), NOW + timedelta(days=15)
    work = at_work(a_rule("pentest", expires=soon), a_rule("scanner", expires=later))
    work.minutes()
    rows = [row for row in fired("expiring-rules", work) if row["Stream"] == "cwpp"]
    assert rows == [{"Stream": "cwpp", "Rule": "pentest", "Until": soon.replace(tzinfo=None)}]
    assert yaml.safe_load((RULES / "cwpp" / "policy.yaml").read_text("utf-8"))["suppression"]["warn"] == "14d"


def test_a_rule_that_was_prolonged_fires_no_longer(at_work: Callable[..., AtWork]) -> None:
    """What was said last of its end is so."""
    before = at_work(a_rule("pentest", expires=NOW + timedelta(days=5)))
    before.minutes()
    assert fired("expiring-rules", before) != []
    after = at_work(a_rule("pentest", expires=NOW + timedelta(days=90)))
    after.now = before.now
    after.minutes()
    after.rows = [*before.rows, *after.rows]
    assert fired("expiring-rules", after) == []


def test_a_rule_ends_also_while_the_router_is_dead(at_work: Callable[..., AtWork]) -> None:
    """What it said last is enough to know when."""
    work = at_work(a_rule("pentest", expires=NOW + timedelta(days=14, hours=3)))
    work.minutes()
    assert fired("expiring-rules", work) == []
    work.minutes(5 * 60, sweeping=False)
    assert {row["Rule"] for row in fired("expiring-rules", work)} == {"pentest"}


def test_a_rule_that_has_ended_fires_no_longer(at_work: Callable[..., AtWork]) -> None:
    """A day after its end at the latest, whether or not its file is still there."""
    work = at_work(a_rule("pentest", expires=NOW + 2 * MINUTE))
    work.minutes(3)
    assert [row["Rule"] for row in fired("expiring-rules", work)] == ["pentest", "pentest"]
    work.now += DAY
    work.minutes()
    assert fired("expiring-rules", work) == []


def test_a_router_that_stopped_is_silent_about_both_streams(work: AtWork) -> None:
    """Not one row has to say so. A worker that lives and does not sweep repeats itself for three minutes before."""
    work.minutes(20)
    assert fired("silent-stream", work) == []
    work.minutes(15, sweeping=False)
    assert fired("silent-stream", work) == []
    work.minutes(int(FRESH / 60), sweeping=False)
    assert fired("silent-stream", work) == [{"Stream": "cwpp"}, {"Stream": "cspm"}]


def test_a_workspace_that_never_heard_of_the_router_fires(work: AtWork) -> None:
    """Also where it never started."""
    assert fired("silent-stream", work) == [{"Stream": "cwpp"}, {"Stream": "cspm"}]


def test_a_hub_that_cannot_be_read_is_a_silent_stream(work: AtWork) -> None:
    """The router is alive and says so of the other stream; of this one it knows nothing."""
    work.silence_hub()
    work.minutes(20)
    assert fired("silent-stream", work) == [{"Stream": "cwpp"}]


def test_messages_that_nobody_takes_in_fire_by_the_platforms_own_word(work: AtWork) -> None:
    """The router says nothing at all."""
    work.minutes(30, sweeping=False)
    assert fired("nothing-taken", work, {"AzureMetrics": incoming(5, 12, 20, at=work.now)}) == [{"Came": 2, "Taken": 0}]


def test_a_router_that_sweeps_and_takes_nothing_in_has_taken_nothing_in(at_work: Callable[..., AtWork]) -> None:
    """What else it tells meanwhile is no message."""
    work = at_work(a_rule())
    work.minutes(30)
    assert fired("nothing-taken", work, {"AzureMetrics": incoming(12, at=work.now)}) == [{"Came": 1, "Taken": 0}]


def test_a_message_has_ten_minutes_to_get_on_record(work: AtWork) -> None:
    """Telemetry and rows come late."""
    work.minutes(30, sweeping=False)
    assert fired("nothing-taken", work, {"AzureMetrics": incoming(1, 9, at=work.now)}) == []


def test_telemetry_or_record_alone_show_that_messages_are_taken_in(work: AtWork, routed: Rows) -> None:
    """A router whose telemetry is broken still writes rows, and the other way round."""
    came = {"AzureMetrics": incoming(12, 20, at=NOW + 2 * MINUTE)}
    work.minutes(2)
    assert fired("nothing-taken", work, came) != []
    assert fired("nothing-taken", work, {**came, DECISIONS.name: routed[DECISIONS.name]}) == []
    work.publish(1)
    work.take()
    work.minutes()
    assert fired("nothing-taken", work, came) == []


def test_another_namespace_in_the_workspace_is_none_of_ours(work: AtWork) -> None:
    """Many teams send their metrics into one workspace."""
    other = NAMESPACE + "2"
    assert fired("nothing-taken", work, {"AzureMetrics": incoming(12, at=work.now, namespace=other)}) == []
    assert len(fired("silent-export", work, {"AzureMetrics": incoming(12, at=work.now, namespace=other)})) == 1


def test_a_day_without_a_message_is_a_silent_export(work: AtWork) -> None:
    """Zeros and nothing at all are the same; one message ends it."""
    silence = [*incoming(*range(0, 1440, 30), at=work.now, count=0)]
    assert fired("silent-export", work) == [{"Messages": 0}]
    assert fired("silent-export", work, {"AzureMetrics": silence}) == [{"Messages": 0}]
    assert fired("silent-export", work, {"AzureMetrics": [*silence, *incoming(1000, at=work.now)]}) == []


@pytest.mark.parametrize("name", RULES_BY_NAME)
def test_a_rule_looks_as_far_as_azure_allows_and_no_moment_falls_between(name: str) -> None:
    """It is run at least as often as its window is long."""
    rule = RULES_BY_NAME[name]
    assert rule.window in WINDOWS
    assert rule.every <= min(rule.window, STATEFUL)
    assert rule.severity in (1, 2, 3)


def _climb(work: AtWork, minutes: int) -> None:
    """More comes in than is taken, minute after minute."""
    for _ in range(minutes):
        work.publish(30)
        work.take(10)
        work.minutes()
