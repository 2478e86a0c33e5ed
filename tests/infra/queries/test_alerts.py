"""What fires each alert, and what does not: over telemetry of a router that is driven into the trouble that it is about."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml

from router.app.health import LATE
from router.destinations.log_analytics import DECISIONS
from router.domain.errors import Rejected, Unauthorized
from router.domain.rulebook import Lane, Route
from router.telemetry.metrics import FRESH
from tests.builders import NOW, RULES, a_rule
from tests.infra.queries.at_work import MINUTE, AtWork
from tests.infra.queries.workspace import DATABASE, NAMESPACE, AlertRule, Row, Rows, alert_rules, answers

RULES_BY_NAME = alert_rules()
DATED = alert_rules("file-integrity-elsewhere")
"""The rules of a deployment that is told when it was deployed for the first time."""

FIRST = datetime.fromisoformat("2026-11-24T12:00:00Z")
"""What infra/predicted/file-integrity-elsewhere.bicepparam says."""

QUIET = {"silent-stream": 1, "nothing-committed": 1, "paused": 1, "silent-export": 48}
"""For how many hours from then a rule has nothing to say."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REJECTED = Rejected("answered 400", status=400)
STATEFUL = timedelta(hours=12)
"""The longest pause between two looks of a rule that resolves by itself:
https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-create-log-alert-rule"""

WINDOWS = {timedelta(minutes=n) for n in (5, 10, 15, 30, 45, 60, 120, 180, 240, 300, 360, 1440, 2880)}
"""What `windowSize` may be: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-create-log-alert-rule"""


def fired(
    name: str, work: AtWork, rows: Rows | None = None, rules: Mapping[str, AlertRule] = RULES_BY_NAME
) -> list[dict[str, Any]]:
    """What an alert rule finds now, in its own window."""
    rule = rules[name]
    return answers(rule.query, {"AppMetrics": work.rows, **(rows or {})}, now=work.now, window=rule.window)


def incoming(*minutes_ago: int, at: Any, count: int = 1, namespace: str = NAMESPACE.upper()) -> Iterable[Row]:
    """What the platform says of messages that came in; it writes ids in capitals."""
    row = {"ResourceId": namespace, "MetricName": "IncomingMessages", "Total": float(count)}
    return [{**row, "TimeGenerated": at - ago * MINUTE} for ago in minutes_ago]


def measured(name: str, value: float, *minutes_ago: int, at: datetime, server: str = DATABASE.upper()) -> list[Row]:
    """What the platform says of the database; it writes ids in capitals."""
    row = {"ResourceId": server, "MetricName": name, "Total": value, "Maximum": value, "Minimum": value}
    return [{**row, "TimeGenerated": at - ago * MINUTE} for ago in minutes_ago]


@pytest.fixture
def paging(at_work: Callable[..., AtWork]) -> AtWork:
    """A router that pages every alert."""
    return at_work(routes=[Route("page", (), ("oncall",))])


def test_a_router_in_good_health_fires_nothing(work: AtWork) -> None:
    """An hour of messages that are taken in and delivered."""
    for _ in range(60):
        work.receive(2)
        work.deliver("tickets", Lane.TICKET)
        work.deliver("sentinel", Lane.ROWS)
        work.minutes()
    came = {"AzureMetrics": incoming(*range(60), at=work.now, count=2)}
    assert {name: found for name in RULES_BY_NAME if (found := fired(name, work, came))} == {}


def test_a_page_that_was_given_up_on_fires_until_it_is_seen_to(paging: AtWork) -> None:
    """It is told once for each destination, also hours later, and though nothing sweeps: the attempt itself is told of."""
    dead = {"Stream": "cwpp", "Destination": "oncall", "Dead": 2}
    paging.receive(2)
    paging.deliver("oncall", Lane.PAGE, REJECTED)
    paging.minutes()
    assert fired("dead-pages", paging) == [dead]
    paging.minutes(180)
    assert fired("dead-pages", paging) == [dead]
    paging.discard_dead_letters()
    paging.minutes()
    assert fired("dead-pages", paging) == []
    paging.receive()
    paging.deliver("oncall", Lane.PAGE, REJECTED)
    paging.minutes(sweeping=False)
    assert fired("dead-pages", paging) == [dead | {"Dead": 1}]


def test_a_page_that_waits_too_long_fires_until_it_is_sent(paging: AtWork) -> None:
    """Too long is what the health page calls late."""
    paging.receive()
    paging.minutes(int(LATE[Lane.PAGE] / MINUTE))
    assert fired("late-pages", paging) == []
    paging.minutes()
    assert fired("late-pages", paging) == [{"Stream": "cwpp", "Seconds": 180}]
    paging.deliver("oncall", Lane.PAGE)
    paging.minutes()
    assert fired("late-pages", paging) == []


def test_a_ticket_that_is_dead_or_waits_wakes_nobody(work: AtWork) -> None:
    """The workbook and the health page show it."""
    work.receive()
    work.deliver("tickets", Lane.TICKET, REJECTED)
    work.receive()
    work.minutes(30)
    assert [fired(name, work) for name in ("dead-pages", "late-pages")] == [[], []]


def test_messages_that_the_hub_forgot_fire_for_a_day(work: AtWork) -> None:
    """With how many they were."""
    work.receive()
    work.publish(4)
    work.minutes()
    work.trim(before=4)
    for minutes in (3, 60):
        work.minutes(minutes)
        assert fired("loss", work) == [{"Stream": "cwpp", "Lost": 3}]
    work.now += DAY
    assert fired("loss", work) == []


def test_a_hub_that_fills_faster_than_it_is_taken_in_fires(work: AtWork) -> None:
    """By how much it grew; what two workers tell in one minute is no more than what one tells. What waited for the first start
    is worked off like a hill: its first twenty minutes say nothing."""
    _climb(work, 20)
    assert fired("lag", work) == []
    _climb(work, 1)
    assert fired("lag", work)
    _climb(work, 14)
    (found,) = fired("lag", work)
    assert (found["Stream"], found["Lowest"], found["Last"] - found["First"]) == ("cwpp", found["First"], 29 * 20)
    work.rows += work.rows
    assert fired("lag", work) == [found]


def test_a_hill_that_is_worked_off_is_no_lag(work: AtWork) -> None:
    """A weekly snapshot comes in at once, and is taken in bit by bit; it need not be done with. What came in after the hub was
    empty is young."""
    _climb(work, 40)
    for _ in range(30):
        work.take(20)
        work.minutes()
    assert fired("lag", work) == []
    work.take()
    work.minutes()
    _climb(work, 18)
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


def test_a_destination_that_refuses_our_credentials_fires_until_it_takes_them(work: AtWork) -> None:
    """For that destination alone."""
    work.receive()
    work.deliver("tickets", Lane.TICKET, Unauthorized("answered 401"))
    work.deliver("sentinel", Lane.ROWS)
    work.minutes(10)
    assert fired("paused", work) == [{"Stream": "cwpp", "Destination": "tickets"}]
    work.deliver("tickets", Lane.TICKET)
    work.minutes()
    assert fired("paused", work) == []


def test_a_rule_fires_from_two_weeks_before_its_end_until_a_day_after(at_work: Callable[..., AtWork]) -> None:
    """Two weeks is what the starter's policy of alerts warns at, too. What a router that is dead by now said last is enough to
    know when; whether the file of a rule that has ended is still there makes no difference."""
    soon, later = NOW + timedelta(days=13), NOW + timedelta(days=14, hours=3)
    work = at_work(
        a_rule("pentest", expires=soon), a_rule("scanner", expires=later), a_rule("over", expires=NOW + 2 * MINUTE)
    )
    work.minutes(3)
    rows = [row for row in fired("expiring-rules", work) if row["Stream"] == "cwpp"]
    assert {row["Rule"]: row["Until"] for row in rows} == {
        "pentest": soon.replace(tzinfo=None),
        "over": (NOW + 2 * MINUTE).replace(tzinfo=None),
    }
    assert yaml.safe_load((RULES / "cwpp" / "policy.yaml").read_text("utf-8"))["suppression"]["warn"] == "14d"
    work.minutes(5 * 60, sweeping=False)
    assert "scanner" in {row["Rule"] for row in fired("expiring-rules", work)}
    work.now += DAY
    work.minutes()
    assert "over" not in {row["Rule"] for row in fired("expiring-rules", work)}


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


def test_a_router_that_stopped_is_silent_about_both_streams(work: AtWork) -> None:
    """No row has to say so, nor any start. A worker that does not sweep repeats itself for three minutes before."""
    both = [{"Stream": "cwpp"}, {"Stream": "cspm"}]
    assert fired("silent-stream", work) == both
    work.minutes(20)
    assert fired("silent-stream", work) == []
    work.minutes(15, sweeping=False)
    assert fired("silent-stream", work) == []
    work.minutes(int(FRESH / 60), sweeping=False)
    assert fired("silent-stream", work) == both


def test_a_hub_that_cannot_be_read_is_a_silent_stream(work: AtWork) -> None:
    """The router is alive and says so of the other stream; of this one it knows nothing."""
    work.silence_hub()
    work.minutes(20)
    assert fired("silent-stream", work) == [{"Stream": "cwpp"}]


def test_messages_that_are_not_committed_fire_by_the_platforms_own_word(work: AtWork) -> None:
    """The router says nothing at all, or sweeps and takes nothing in; what else it tells meanwhile is no message. Many teams
    send their metrics into one workspace: another namespace is none of ours."""
    work.minutes(30, sweeping=False)
    found = fired("nothing-committed", work, {"AzureMetrics": incoming(1, 6, 12, 20, at=work.now)})
    assert found == [{"Came": (work.now - 6 * MINUTE).replace(tzinfo=None), "Committed": None}]
    work.minutes(30)
    assert len(fired("nothing-committed", work, {"AzureMetrics": incoming(12, at=work.now)})) == 1
    other = incoming(12, at=work.now, namespace=NAMESPACE + "2")
    assert fired("nothing-committed", work, {"AzureMetrics": other}) == []
    assert len(fired("silent-export", work, {"AzureMetrics": other})) == 1


def test_what_is_not_committed_fires_until_it_is_though_no_other_message_comes(work: AtWork) -> None:
    """A night in which one alert came and the state was down: it lies in the hub till morning."""
    work.receive()
    work.minutes()
    work.minutes(9 * 60, sweeping=False)
    came = {"AzureMetrics": incoming(8 * 60, at=work.now)}
    assert len(fired("nothing-committed", work, came)) == 1
    work.receive()
    work.minutes()
    assert fired("nothing-committed", work, came) == []


def test_a_message_has_five_minutes_to_be_committed(work: AtWork) -> None:
    """Also where all before it was committed at once."""
    work.receive()
    work.minutes(11)
    for ago, fires in ((1, False), (5, False), (6, True)):
        assert bool(fired("nothing-committed", work, {"AzureMetrics": incoming(ago, 11, at=work.now)})) is fires


def test_messages_that_are_committed_as_they_come_fire_nothing(work: AtWork) -> None:
    """Neither while they come nor in the quiet after them; a minute without any is told as none."""
    came: list[Row] = []
    for minute in range(60):
        if minute < 20:
            work.receive(3)
        came += incoming(0, at=work.now, count=3 if minute < 20 else 0)
        work.minutes()
        # Each minute that differs: while the first are on their way, and after the last.
        if minute < 8 or 18 <= minute < 30 or minute % 10 == 0:
            assert fired("nothing-committed", work, {"AzureMetrics": came}) == []


def test_telemetry_or_record_alone_show_that_messages_are_committed(work: AtWork, routed: Rows) -> None:
    """A router whose telemetry is broken still writes rows, and the other way round."""
    came = {"AzureMetrics": incoming(6, at=NOW)}
    work.now = NOW + MINUTE
    assert fired("nothing-committed", work, came) != []
    assert fired("nothing-committed", work, {**came, DECISIONS: routed[DECISIONS]}) == []
    work.receive()
    work.minutes()
    assert fired("nothing-committed", work, came) == []


def test_a_database_that_runs_out_of_something_fires(work: AtWork, subtests: pytest.Subtests) -> None:
    """By the server's own word: 80 % of its disk or of the 414 connections of Standard_B2s, a third of its first credits. What
    was said last counts: not when the disk was given more, or credits came back."""
    for name, metric, enough, bad in (
        ("database-storage", "storage_percent", 80, 81),
        ("database-connections", "active_connections", 331, 332),
        ("database-credits", "cpu_credits_remaining", 20, 19),
    ):
        with subtests.test(name):
            before, last = measured(metric, bad, 20, at=work.now), measured(metric, bad, 5, at=work.now)
            mended = measured(metric, enough, 5, at=work.now)
            assert fired(name, work, {"AzureMetrics": last})
            assert fired(name, work, {"AzureMetrics": mended}) == []
            if name != "database-connections":
                assert fired(name, work, {"AzureMetrics": [*before, *mended]}) == []
            elsewhere = measured(metric, bad, 5, at=work.now, server=DATABASE + "2")
            assert fired(name, work, {"AzureMetrics": elsewhere}) == []
            assert fired(name, work) == []


def test_a_day_without_a_message_is_a_silent_export(work: AtWork) -> None:
    """Zeros and nothing at all are the same; one message ends it."""
    silence = [*incoming(*range(0, 1440, 30), at=work.now, count=0)]
    assert fired("silent-export", work) == [{"Messages": 0}]
    assert fired("silent-export", work, {"AzureMetrics": silence}) == [{"Messages": 0}]
    assert fired("silent-export", work, {"AzureMetrics": [*silence, *incoming(1000, at=work.now)]}) == []


def _troubled(work: AtWork, at: datetime) -> Rows:
    """Everything that a first day may look like: no code, so no sweep for half an hour, and credentials not taken yet."""
    work.now = at - 2 * MINUTE
    work.receive()
    work.deliver("tickets", Lane.TICKET, Unauthorized("answered 403"))
    work.minutes()
    paused = [row for row in work.rows if row["Name"] == "alert_router.paused"]
    work.rows, work.now = paused, at
    return {"AzureMetrics": incoming(12, at=at)}


@pytest.mark.parametrize(("name", "hours"), QUIET.items())
def test_what_cannot_be_heard_of_yet_is_quiet_for_so_long_and_no_longer(work: AtWork, name: str, hours: int) -> None:
    """Though nothing ever came: an app that never starts, and an export that never comes, are told. An instant that is still to
    come, which is a wrong one, keeps nothing quiet."""
    for at, fires in ((-MINUTE, True), (timedelta(0), False), (hours * HOUR - MINUTE, False), (hours * HOUR, True)):
        rows = _troubled(work, FIRST + at)
        if name == "silent-export":
            rows = {"AzureMetrics": incoming(*range(0, 1440, 30), at=work.now, count=0)}
        assert bool(fired(name, work, rows, DATED)) is fires
        assert fired(name, work, rows)


def test_a_first_sign_changes_nothing_of_the_first_hour(work: AtWork) -> None:
    """A router that swept and stopped is silent when the hour is over."""
    work.minutes(20)
    work.minutes(39, sweeping=False)
    assert (work.now, fired("silent-stream", work, rules=DATED)) == (FIRST + 59 * MINUTE, [])
    work.minutes(sweeping=False)
    assert fired("silent-stream", work, rules=DATED) == [{"Stream": "cwpp"}, {"Stream": "cspm"}]


def test_an_export_that_came_and_stopped_is_told_after_two_days(work: AtWork) -> None:
    """A first message does not make the rest of the two days loud, nor the time after them quiet."""
    came = {"AzureMetrics": incoming(0, at=FIRST + 2 * HOUR)}
    for hours, fires in ((3, False), (47, False), (48, True)):
        work.now = FIRST + hours * HOUR
        assert bool(fired("silent-export", work, came, DATED)) is fires
    assert fired("silent-export", work, {"AzureMetrics": incoming(5, at=work.now)}, DATED) == []


def test_a_rule_says_from_when_it_means_something_and_no_moment_falls_between(subtests: pytest.Subtests) -> None:
    """In the words that come with the alert; who counts from the first deployment says how long. It looks as far as Azure
    allows, and is run at least as often as its window is long."""
    for name, rule in RULES_BY_NAME.items():
        with subtests.test(name):
            (since,) = re.findall(r"It means something (from|once) (.*?)\.", DATED[name].said)
            counts = re.findall(r"(an|\d+) hours? after the first deployment", since[1])
            quiet = [QUIET[name]] if name in QUIET else []
            assert [1 if number == "an" else int(number) for number in counts] == quiet
            assert ("FirstDeployed" in DATED[name].query) is (name in QUIET)
            assert rule.window in WINDOWS
            assert rule.every <= min(rule.window, STATEFUL)
            assert rule.severity in (1, 2, 3)


def _climb(work: AtWork, minutes: int) -> None:
    """More comes in than is taken, minute after minute."""
    for _ in range(minutes):
        work.publish(30)
        work.take(10)
        work.minutes()
