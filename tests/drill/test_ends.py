"""However a drill ends, it says what it left: samples that stand, results that are not written, whom nobody called."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest

from router.app.drill import Drill
from router.domain.errors import StoreError
from router.drill.results import DrillResult
from tests.cli.house import said_into
from tests.drill.drilling import SUBSCRIPTION, Drilling, hooks_in_thread, is_decided
from tests.drill.small_router import Grounds, grounds_in

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """Hubs, a SOC and Defender, which all drills here share."""
    with grounds_in(tmp_path_factory.mktemp("ends")) as grounds:
        yield grounds


@pytest.fixture
def drill(grounds: Grounds, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Drilling:
    """Holds drills by the command line."""
    for name, value in grounds.environment().items():
        monkeypatch.setenv(name, value)
    return Drilling(capsys)


@pytest.mark.parametrize(("question", "is_raised"), [("list", False), ("simulate", True), ("dismiss", True)])
def test_ctrl_c_while_anything_is_asked_leaves_no_sample(
    grounds: Grounds, drill: Drilling, monkeypatch: pytest.MonkeyPatch, question: str, is_raised: bool
) -> None:
    """Before the order nothing is ordered any more; after it what is listed is dismissed. Nothing is written down."""
    house, before, dismissed = grounds.house(), grounds.defender.count(), len(grounds.defender.dismissed)
    sent: list[str] = []
    monkeypatch.setenv("ALERT_ROUTER_DRILL_HEARTBEAT", "https://127.0.0.1:1/nobody")

    def interrupt(asked: str) -> None:
        if asked == question and not sent:
            sent.append(asked)
            os.kill(os.getpid(), signal.SIGINT)

    grounds.defender.asked = interrupt
    with house.at_work():
        drilled = drill(house, "--heartbeat")
    assert (drilled.code, drilled.result) == (130, {}), drilled
    assert "heartbeat" not in drilled.said
    assert grounds.defender.count() - before == (2 if is_raised else 0)
    assert len(grounds.defender.dismissed) - dismissed == (2 if is_raised else 0)
    last = drilled.said.splitlines()[-1]
    if is_raised:
        assert last.startswith("interrupted: nothing is judged; 2 of its sample alerts are dismissed in Defender; ")
        assert last.endswith(" of its pages and tickets are open")
    else:
        assert last == "interrupted: nothing was raised"
    assert house.results() == {}


def test_a_sample_that_may_not_be_dismissed_is_named_with_the_role_that_may(grounds: Grounds, drill: Drilling) -> None:
    """The others are dismissed."""
    house = grounds.house()
    grounds.defender.refuses_dismissal = "SIMULATED_VM_SuspiciousLogin"
    with house.at_work():
        drilled = drill(house)
    assert (drilled.code, drilled.result["dismissed"]) == (0, 1), drilled
    (left,) = [
        id for id, (one, state) in grounds.defender.raised.items() if state == "Active" and id in ids_of(drilled.result)
    ]
    assert f"dismiss {left}: Azure answered 403" in drilled.result["undismissed"]
    assert "Security Admin" in drilled.result["undismissed"]


def ids_of(result: dict[str, object]) -> set[str]:
    """The ids of the alerts that were decided."""
    alerts = result["alerts"]
    assert isinstance(alerts, list)
    return {one["id"] for one in alerts}


def test_samples_that_another_one_raised_meanwhile_are_not_dismissed(grounds: Grounds, drill: Drilling) -> None:
    """In the portal, say, or by another router. Nobody can tell whose they are, so they are named."""
    house, dismissed = grounds.house(), len(grounds.defender.dismissed)
    others: list[str] = []

    def order_too(asked: str) -> None:
        if asked == "simulate" and not others:
            others.append(asked)
            grounds.defender.raise_samples("VirtualMachines", SUBSCRIPTION)

    grounds.defender.asked = order_too
    with house.at_work():
        drilled = drill(house)
    assert (drilled.code, drilled.result["dismissed"]) == (0, 0), drilled
    assert "which cannot be told apart" in drilled.result["undismissed"]
    assert all(id in drilled.result["undismissed"] for id in ids_of(drilled.result))
    assert len(grounds.defender.dismissed) == dismissed


def test_a_drill_whose_output_is_cut_goes_on_and_dismisses_its_samples(grounds: Grounds, drill: Drilling) -> None:
    """As `drill | head -1`: the exit code says that not all was read, and the state what came of it."""
    house, dismissed = grounds.house(), len(grounds.defender.dismissed)
    with house.at_work():
        assert said_into(150, *drill.arguments(house))[0] == 141
    assert len(grounds.defender.dismissed) - dismissed == 2
    assert [one["verdict"] for one in house.results().values()] == ["passed"]


def test_a_result_that_cannot_be_written_is_printed_and_nobody_is_called(
    grounds: Grounds, drill: Drilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for drills that pass looks for the result in the state."""

    async def write(self: Drill, result: DrillResult) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(Drill, "write", write)
    house = grounds.house()
    with hooks_in_thread() as hooks, house.at_work():
        monkeypatch.setenv("ALERT_ROUTER_DRILL_HEARTBEAT", f"{hooks.url}/s3cret")
        drilled = drill(house, "--heartbeat")
        assert hooks.called == []
    assert (drilled.code, drilled.result["verdict"], drilled.result["dismissed"]) == (1, "passed", 2)
    assert drilled.said.splitlines()[-1] == "the result is not written down, and no heartbeat was sent: disk full"


def test_a_state_that_cannot_be_read_proves_nothing(
    grounds: Grounds, drill: Drilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not said that nothing came: nobody knows. Samples are dismissed all the same."""

    async def read(self: Drill) -> None:
        raise StoreError("the database does not answer")

    monkeypatch.setattr(Drill, "_read_lives", read)
    house = grounds.house()
    drilled = drill(house, within="1s")
    assert (drilled.code, drilled.result["verdict"], drilled.result["dismissed"]) == (1, "not proven", 2), drilled
    assert "could not be read, so what came is not known: the database does not answer" in drilled.result["reason"]


def test_what_was_decided_too_late_is_named(grounds: Grounds, drill: Drilling) -> None:
    """One sample proves the ticket; the other one is listed, and comes later."""
    house = grounds.house()
    grounds.defender.late_type = "SIMULATED_VM_DigitalCurrencyMining"
    with house.at_work():
        drilled = drill(house, "--to", "tickets")
    assert (drilled.code, is_decided(drilled)) == (0, False), drilled
    (late,) = drilled.result["undecided"]
    assert grounds.defender.raised[late][0].type == grounds.defender.late_type
