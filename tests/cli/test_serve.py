"""`serve` as a process: what is in the hubs comes out at the SOC, whatever happens to storage, hubs and the process."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

from alert_router_demo.soc import Hang
from router.cli import main
from router.domain.deliveries import DeliveryState
from router.domain.keys import event_uid, signal_key
from router.store.conninfo import parse_address
from router.store.delivery_status import count_deliveries
from tests.builders import RESOURCE, alert_body, finding_body
from tests.cli.serving import Received, Serving, serving
from tests.parse.messages import (
    a_common_alert,
    a_compliance_assessment,
    a_flat_alert,
    a_legacy_attack_path,
    a_score_control,
    a_secure_score,
    a_sub_assessment,
    a_table_row,
    an_arm_alert,
    an_assessment,
    an_attack_path,
    an_old_arm_alert,
    body_of,
)
from tests.secrecy import found_in, secrets_in
from tests.stack.postgres import Server, Way, postgres_running
from tests.stack.stack import Stack, stack_running
from tests.store import opened
from tests.store.within import within
from tests.waiting import PATIENCE

EVERY_KIND: dict[str, list[object]] = {
    "cwpp": [
        a_flat_alert(),
        a_flat_alert(SystemAlertId="incident-1", IsIncident=True),
        an_arm_alert(),
        an_old_arm_alert(),
        a_table_row(),
        a_common_alert(),
        an_assessment(),
        "no object",
    ],
    "cspm": [
        an_assessment(),
        a_sub_assessment(),
        an_attack_path(),
        a_legacy_attack_path() | {"id": "/subscriptions/s/providers/microsoft.security/attackpaths/older"},
        a_secure_score(),
        a_score_control(),
        a_compliance_assessment(),
    ],
}


type Trouble = Callable[[Serving], None]
"""What becomes of one of several processes."""

type Ended = Callable[..., tuple[int, str]]
"""The exit code of a serve under further settings, or with other rules, and what it said."""

FINDING = f"{RESOURCE}/providers/Microsoft.Security/assessments/finding-{{}}".lower()


@pytest.fixture
def stack(postgresql: str) -> Iterator[Stack]:
    """A stack in which nothing was done yet."""
    with stack_running(postgresql) as stack:
        yield stack


@pytest.fixture(scope="module")
def unserved(postgres: Server) -> Iterator[Stack]:
    """A stack for all that never begins to serve."""
    with stack_running(postgres.new_database()) as stack:
        yield stack


@pytest.fixture
def said_here(unserved: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Ended]:
    """What becomes of a serve that ends by itself, in this process: a process of its own takes a second to start."""

    def ended_here(settings: Mapping[str, str], rules: Path = unserved.rules) -> tuple[int, str]:
        for name, value in {**unserved.environment, **settings}.items():
            monkeypatch.setenv(name, value)
        code = main(["serve", "--rules", str(rules)])
        return code, capsys.readouterr().err

    root, router = logging.getLogger(), logging.getLogger("router")
    before, level = root.handlers[:], router.level
    yield ended_here
    root.handlers[:] = before
    router.setLevel(level)


def publish(stack: Stack, numbers: range) -> None:
    """Puts alerts that page and findings of those numbers into the hubs, in turn into their partitions."""
    for number in numbers:
        stack.hubs.append("cwpp", number % 2, alert_body(f"alert-{number}"))
        stack.hubs.append("cspm", number % 2, finding_body(f"finding-{number}"))


def has_received(stack: Stack, numbers: range) -> bool:
    """Whether the SOC was told everything about what was published, be it once or more often."""
    received = Received.at(stack)
    alerts = {signal_key("cwpp", "alert", f"alert-{number}") for number in numbers}
    findings = {signal_key("cspm", "recommendation", FINDING.format(number)) for number in numbers}
    return (
        received.pages.keys() == alerts
        and received.tickets.keys() == alerts | findings
        and received.rows.keys() == {"ASimAlertEventLogs", "DefenderFindings_CL"}
        and received.rows["ASimAlertEventLogs"].keys() == {event_uid(alert, 1) for alert in alerts}
        and received.rows["DefenderFindings_CL"].keys() == {event_uid(finding, 1) for finding in findings}
        and len(received.decisions) == 2 * len(numbers)
    )


def assert_nothing_was_received_twice(stack: Stack) -> None:
    """Each page, ticket, row and decision is there once, and the SOC had nothing to fold together."""
    received = Received.at(stack)
    assert {*received.pages.values(), *received.tickets.values(), *received.decisions.values()} == {1}
    assert {count for rows in received.rows.values() for count in rows.values()} == {1}
    assert set(stack.soc.counts()["duplicates"].values()) == {0}


def states(stack: Stack) -> Counter[DeliveryState]:
    """How many deliveries are in which state."""

    async def counted() -> Counter[DeliveryState]:
        store = stack.store()
        try:
            counts = [await within(store, count_deliveries, stream) for stream in ("cwpp", "cspm")]
        finally:
            await store.close()
        found: Counter[DeliveryState] = Counter()
        for some in counts:
            for (_, state), count in some.items():
                found[state] += count
        return found

    return asyncio.run(counted())


def slow_down(stack: Stack, seconds: float) -> None:
    """Lets every answer of the SOC take a while from now on; no time at all for none."""
    for endpoint in stack.soc.endpoints:
        endpoint.faults.clear()
        if seconds:
            endpoint.faults.add(Hang(seconds), times=None)


def test_every_kind_of_message_comes_out(stack: Stack) -> None:
    """Alerts page, open tickets and are rows; posture opens tickets and is rows; what is not understood is on record."""
    for stream, messages in EVERY_KIND.items():
        for place, message in enumerate(messages):
            stack.hubs.append(stream, place % 2, body_of(message))
    with serving(stack) as one:
        one.until(lambda: len(rows_in(stack, "AlertRouterDecisions_CL")) == 15)
        one.until(lambda: len(rows_in(stack, "ASimAlertEventLogs")) == 6)
        one.until(lambda: len(rows_in(stack, "DefenderFindings_CL")) == 7)
        one.until(lambda: len(stack.soc.pagerduty.pages) == 4)
        one.until(lambda: len(stack.soc.servicenow.tickets) == 9)
        stack.hubs.append("cwpp", 0, body_of(a_flat_alert(Status="Resolved", ProcessingEndTime="2026-11-17T00:00:00Z")))
        stack.hubs.append("cwpp", 0, body_of(a_common_alert(condition="Resolved")))
        one.until(lambda: [page.status for page in stack.soc.pagerduty.pages].count("resolved") == 2)
        one.until(lambda: [ticket.is_active for ticket in stack.soc.servicenow.tickets].count(False) == 2)
        one.until(lambda: len(rows_in(stack, "AlertRouterDecisions_CL")) == 17)
        assert one.stop() == 0
    decided = Counter((row["Stream"], row["Kind"], row["Outcome"]) for row in rows_in(stack, "AlertRouterDecisions_CL"))
    assert decided == {
        ("cwpp", "alert", "routed"): 4,
        ("cwpp", "incident", "routed"): 1,
        ("cwpp", "alert", "resolved"): 3,
        ("cwpp", "unknown", "quarantined"): 2,
        ("cspm", "recommendation", "routed"): 1,
        ("cspm", "vulnerability", "routed"): 1,
        ("cspm", "attack_path", "routed"): 2,
        ("cspm", "secure_score", "noted"): 1,
        ("cspm", "secure_score_control", "noted"): 1,
        ("cspm", "compliance", "noted"): 1,
    }


def test_a_graceful_stop_settles_what_is_in_hand(stack: Stack) -> None:
    """In the midst of work it sends on what it has begun to, takes up nothing more, and ends with 0; the next serve goes
    on from the checkpoints, and nobody is told twice. The log has no line for each message."""
    slow_down(stack, 1.5)
    publish(stack, range(8))
    with serving(stack) as one:
        one.until(lambda: bool(stack.soc.pagerduty.pages))
        assert one.stop() == 0
        assert one.lines[-1] == "INFO stopped"
    left = states(stack)
    assert left[DeliveryState.SENT] > 0
    assert left[DeliveryState.OWED] > 0
    assert left[DeliveryState.CLAIMED] == 0
    slow_down(stack, 0)
    publish(stack, range(8, 10))
    with serving(stack) as one:
        one.until(lambda: has_received(stack, range(10)))
        assert one.stop() == 0
        assert not one.says("repeat")
        assert len(one.lines) < 20
    assert_nothing_was_received_twice(stack)


def test_a_second_signal_ends_it_at_once(stack: Stack) -> None:
    """Who does not want to wait for a slow destination need not; the claim is due again when its lease ends."""
    slow_down(stack, 60)
    publish(stack, range(1))
    with serving(stack) as one:
        one.until(lambda: states(stack)[DeliveryState.CLAIMED] > 0)
        one.process.send_signal(signal.SIGTERM)
        one.until(lambda: one.says("stopping"))
        assert one.stop() == -signal.SIGTERM


@pytest.mark.soak  # Leases, graces and the ownership of partitions have to run out.
def test_what_was_in_hand_when_it_was_killed_comes_out(stack: Stack) -> None:
    """A claim once its lease is over, an event although its partition is still another's; one page and one ticket
    each."""
    lease = timedelta(seconds=3)
    quick = {"ALERT_ROUTER_LEASE": f"{lease.seconds}", "ALERT_ROUTER_GRACE": "2"}
    slow_down(stack, 2)
    publish(stack, range(6))
    with serving(stack, **quick) as one:
        one.until(lambda: states(stack)[DeliveryState.CLAIMED] > 0)
        publish(stack, range(6, 9))
        one.kill()
    slow_down(stack, 0)
    publish(stack, range(9, 10))
    with serving(stack, **quick) as one:
        one.until(lambda: has_received(stack, range(10)))
        assert one.stop() == 0
    assert set(Received.at(stack).pages.values()) == {1}
    assert set(Received.at(stack).tickets.values()) == {1}


def test_it_outlives_the_state() -> None:
    """While the database is down it says so and waits; what came meanwhile comes out afterwards."""
    with postgres_running() as server, stack_running(server.new_database()) as stack:
        publish(stack, range(2))
        with serving(stack) as one:
            one.until(lambda: has_received(stack, range(2)))
            server.kill()
            publish(stack, range(2, 4))
            one.until(lambda: one.says(f"ERROR {parse_address(stack.state).name}: cannot be reached: "))
            server.start()
            one.until(lambda: has_received(stack, range(4)))
            assert one.stop() == 0
        assert_nothing_was_received_twice(stack)


@pytest.mark.soak  # Each looks at what the other claimed every ten seconds, and a minute after it died takes that, too.
def test_two_share_the_partitions_of_a_state(stack: Stack) -> None:
    """Each reads a partition of each hub; what one had when it was killed the other one reads. Nothing is told twice."""

    def owners() -> list[tuple[str, int]]:
        query = "SELECT hub, count(DISTINCT owner) FROM partitions WHERE owner<>'' GROUP BY hub ORDER BY hub"
        return opened.rows_in(stack.state, query)

    with serving(stack) as one, serving(stack) as other:
        one.until(lambda: owners() == [("cspm", 2), ("cwpp", 2)])
        publish(stack, range(6))
        one.until(lambda: has_received(stack, range(6)))
        one.kill()
        publish(stack, range(6, 10))
        other.until(lambda: has_received(stack, range(10)))
        assert other.stop() == 0
    assert owners() == []
    assert_nothing_was_received_twice(stack)


def is_killed(one: Serving) -> None:
    """It is gone."""
    one.process.kill()


def hangs(one: Serving) -> None:
    """It does nothing for longer than its leases and its claims on partitions last, and then goes on where it was."""
    one.process.send_signal(signal.SIGSTOP)


A_ROUND = 6
MOST_TRIPS = 150
"""Round trips to the state within which trouble comes: about as many as a round takes."""


@pytest.mark.parametrize("rounds", [1, pytest.param(12, marks=pytest.mark.soak)])
def test_several_lose_nothing_whichever_is_killed_or_hangs_in_the_midst_of_a_batch(stack: Stack, rounds: int) -> None:
    """At a round trip to the state that chance chose, and another one in its place. Every partition is read again, every
    message comes out, and what came twice was on its way: a page is one, and so is all that was claimed once."""
    chance, published = random.Random(20261130), 0  # noqa: S311  A seed, so that a failure can be had again.

    def is_over(is_last: bool) -> bool:
        return has_received(stack, range(published)) and (not is_last or positions(stack) == ends(stack))

    with ExitStack() as held:
        way = held.enter_context(Way(stack.state))
        settings = {"ALERT_ROUTER_STATE": way.to(stack.state), "ALERT_ROUTER_LEASE": "2", "ALERT_ROUTER_GRACE": "1"}

        def begun() -> Serving:
            return held.enter_context(serving(stack, "tests.cli.hasty", **settings))

        running = [begun(), begun()]
        for trouble in islice(cycle((is_killed, is_killed, hangs)), rounds):
            victim, met = running.pop(0), threading.Event()

            def happens(trouble: Trouble = trouble, victim: Serving = victim, met: threading.Event = met) -> None:
                trouble(victim)
                met.set()

            way.cut_at(chance.randint(1, MOST_TRIPS), is_after=chance.random() < 0.5, happens=happens)
            published += A_ROUND
            publish(stack, range(published - A_ROUND, published))
            assert met.wait(PATIENCE)
            if rounds > 1:
                running.append(begun())
            if trouble is hangs:
                running[0].until(lambda: is_over(is_last=False))
                victim.process.send_signal(signal.SIGCONT)
                running.append(victim)
        published += A_ROUND
        publish(stack, range(published - A_ROUND, published))
        running[0].until(lambda: is_over(is_last=True))
        assert {one.stop() for one in running} == {0}
    received = Received.at(stack)
    assert set(received.pages.values()) == {1}
    cut_off = {key for (key,) in opened.rows_in(stack.state, "SELECT key FROM deliveries WHERE attempts > 1")}
    told = received.tickets + received.decisions
    assert {key for key, count in told.items() if count > 1} <= cut_off
    again = {uid for rows in received.rows.values() for uid, count in rows.items() if count > 1}
    assert again <= {event_uid(key, 1) for key in cut_off}
    assert rounds == 1 or cut_off, "no trouble met a delivery, so nothing was proven"


def positions(stack: Stack) -> dict[tuple[str, str], int]:
    """Up to where each partition is taken in, of those without a gap."""
    whole = "SELECT hub, partition, max(last) FROM taken GROUP BY hub, partition HAVING count(*)=1"
    return {(hub, partition): last for hub, partition, last in opened.rows_in(stack.state, whole)}


def ends(stack: Stack) -> dict[tuple[str, str], int]:
    """The last number of each partition."""
    places = [(hub, partition) for hub in ("cwpp", "cspm") for partition in ("0", "1")]
    return {place: stack.hubs.last_sequence(*place) for place in places}


@pytest.mark.soak  # Its client of hubs tries again without a pause, and says so after a minute.
def test_it_outlives_the_hubs(stack: Stack) -> None:
    """What came while they could not be reached comes out when they can be again."""
    publish(stack, range(2))
    with serving(stack) as one:
        one.until(lambda: has_received(stack, range(2)))
        stack.hubs.stop_accepting()
        publish(stack, range(2, 4))
        one.until(lambda: one.says("hub cwpp: ConnectError") and one.says("hub cspm: ConnectError"))
        stack.hubs.resume_accepting()
        one.until(lambda: has_received(stack, range(4)))
        assert one.stop(signal.SIGINT) == 0
    assert_nothing_was_received_twice(stack)


def test_what_is_not_there_yet_is_named_and_the_rest_is_served(stack: Stack) -> None:
    """A line for each destination; pages and rows go out, and a ticket that is due is owed until the password is there."""
    publish(stack, range(2))
    with serving(stack, CWPP_PASSWORD="", CSPM_PASSWORD="@Microsoft.KeyVault(VaultName=v;SecretName=s)") as one:
        one.until(lambda: len(Received.at(stack).decisions) == 4 and len(Received.at(stack).pages) == 2)
        assert one.says("WARNING cwpp tickets: not yet: CWPP_PASSWORD is missing")
        assert one.says("WARNING cspm backlog: not yet: CSPM_PASSWORD is still a reference to Key Vault")
        assert one.stop() == 0
    assert not Received.at(stack).tickets
    with serving(stack) as one:
        one.until(lambda: has_received(stack, range(2)))
        assert not one.says("not yet")
        assert one.stop() == 0
    assert_nothing_was_received_twice(stack)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"ALERT_ROUTER_STATE": "mysql://soc@127.0.0.1/alerts"}, r"ALERT_ROUTER_STATE: is no address of a state; .*"),
        (
            {"ALERT_ROUTER_STATE": "postgresql://soc:s3cret@127.0.0.1:1/alerts"},
            r"127.0.0.1, database alerts: .*",
        ),
        ({"EVENT_HUBS": ""}, r"EVENT_HUBS: is not set; set .*"),
        ({"EVENT_HUBS": "nonsense"}, r"EVENT_HUBS: does not say where a namespace is"),
        ({"ALERT_ROUTER_LEASE": "soon"}, r"ALERT_ROUTER_LEASE: 'soon' is no number of seconds .*"),
    ],
)
def test_what_keeps_it_from_starting_is_named(
    unserved: Stack, said_here: Ended, settings: dict[str, str], complaint: str
) -> None:
    """One line that begins with what is at fault, and exit code 2."""
    code, said = said_here(settings)
    assert code == 2
    assert re.fullmatch(complaint + r"\n", said), said
    assert found_in(said, secrets_in(unserved.environment) | {"s3cret"}) == []


def test_a_directory_has_one_that_serves_it(stack: Stack, said_here: Ended) -> None:
    """A second one would read what the first one claimed; it says so and ends."""
    state = str(stack.directory / "state")
    publish(stack, range(1))
    with serving(stack, ALERT_ROUTER_STATE=state) as one:
        one.until(lambda: has_received(stack, range(1)))
        code, said = said_here({"ALERT_ROUTER_STATE": state})
        assert (code, said) == (2, f"{state}: another run is at work on this state; wait for it to end\n")
        assert one.stop() == 0


def test_a_policy_with_problems_keeps_it_from_starting(unserved: Stack, said_here: Ended, tmp_path: Path) -> None:
    """Each problem has a line, with file and place."""
    rules = tmp_path / "rules"
    shutil.copytree(unserved.rules, rules)
    (rules / "cspm" / "policy.yaml").write_text("stream: cspm\nfloor: {default: Middling}\n")
    code, said = said_here({}, rules)
    assert code == 2
    assert said.splitlines()
    assert all(line.startswith(f"{rules}/cspm/policy.yaml:") for line in said.splitlines())


def test_it_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """--help says what it does and takes."""
    with pytest.raises(SystemExit, match="0"):
        main(["serve", "--help"])
    said = capsys.readouterr().out
    assert "--rules DIR" in said
    assert "until told to stop" in said


def rows_in(stack: Stack, table: str) -> list[dict[str, Any]]:
    """The rows in one table of the SOC's."""
    return list(stack.soc.logs.rows[f"Custom-{table}"])
