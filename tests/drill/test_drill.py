"""A drill runs whole on loopback and passes; each hop that is broken on purpose is named, with the seconds before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event, Thread

import pytest

from alert_router_demo.soc import LoseAnswer, Status
from router.cli import main
from tests.builders import alert_body
from tests.drill.drilling import PACE, SOON, SUBSCRIPTION, Drilling, hooks_in_thread, is_decided, is_listed
from tests.drill.small_router import POLICY, Grounds, grounds_in
from tests.stack.defender.samples import samples_of_bundle


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """Hubs, a SOC and Defender, which all drills here share."""
    with grounds_in(tmp_path_factory.mktemp("drill")) as grounds:
        yield grounds


@pytest.fixture
def drill(grounds: Grounds, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Drilling]:
    """Holds drills by the command line."""
    for name, value in grounds.environment().items():
        monkeypatch.setenv(name, value)
    yield Drilling(capsys)


def test_a_drill_passes_and_says_the_seconds_of_each_hop(grounds: Grounds, drill: Drilling) -> None:
    """It dismisses its samples, lists what is open by its receipt, and what it prints lies in the state for the gate."""
    house = grounds.house()
    with house.at_work():
        drilled = drill(house)
    assert drilled.code == 0, drilled
    assert drilled.result["verdict"] == "passed"
    assert drilled.verdicts == {"oncall": "passed", "tickets": "passed"}
    assert [one["hop"] for one in drilled.result["hops"]] == ["raised", "hub", "decided"]
    assert all(0 <= one["seconds"] < 60 for one in [*drilled.result["hops"], *drilled.result["destinations"]])
    ticket = next(one for one in drilled.result["destinations"] if one["name"] == "tickets")
    assert ticket["receipt"] in {one["number"] for one in grounds.soc.state()["tickets"]}
    assert sorted(grounds.defender.dismissed[-2:]) == sorted(one["id"] for one in drilled.result["alerts"])
    assert drilled.result["dismissed"] == 2
    assert {one["destination"] for one in drilled.result["open"]} == {"oncall", "tickets"}
    assert "pages oncall (pagerduty, page lane)" in drilled.said
    assert "opens a ticket at tickets (servicenow, ticket lane)" in drilled.said
    assert re.search(r"in the hub +\d+\.\d s", drilled.said)
    assert house.results() == {f"drill:{SUBSCRIPTION}:virtualmachines": drilled.result}


@pytest.mark.parametrize("question", ["simulate", "Defender's list of alerts"])
def test_an_order_that_is_refused_is_named(grounds: Grounds, drill: Drilling, question: str) -> None:
    """Without Defender's list no order is given: the drill could not tell its samples from others."""
    house, before = grounds.house(), grounds.defender.count()
    grounds.defender.refuses_list = question != "simulate"
    grounds.defender.faults.add(Status(403), times=None, method="POST")
    drilled = drill(house)
    assert (drilled.code, drilled.result["verdict"], drilled.result["failed_hop"]) == (1, "failed", "raised")
    assert f"{question}: Azure answered 403" in drilled.result["reason"]
    assert "role in that subscription" in drilled.result["reason"]
    assert (grounds.defender.count(), drilled.result["dismissed"]) == (before, None)


def test_an_order_beside_another_proves_nothing_and_leaves_the_others_samples(
    grounds: Grounds, drill: Drilling
) -> None:
    """Azure refuses the order, and the samples of the other one come meanwhile."""
    house, before = grounds.house(), len(grounds.defender.dismissed)
    grounds.defender.is_busy = True
    with house.at_work():
        drilled = drill(house)
    assert (drilled.code, drilled.result["verdict"], drilled.result["failed_hop"]) == (1, "not proven", "raised")
    assert "Azure answered 409" in drilled.result["reason"]
    assert (drilled.result["dismissed"], drilled.result["alerts"]) == (None, [])
    assert len(grounds.defender.dismissed) == before


def test_an_order_whose_answer_was_lost_is_followed_and_given_once(grounds: Grounds, drill: Drilling) -> None:
    """Its samples are dismissed. A question that changes nothing is asked again."""
    house, before = grounds.house(), grounds.defender.count()
    grounds.defender.faults.add(LoseAnswer(), method="POST")
    grounds.defender.faults.add(Status(503), method="GET")
    with house.at_work():
        drilled = drill(house)
    assert (drilled.code, drilled.result["verdict"], drilled.result["dismissed"]) == (0, "passed", 2), drilled
    assert grounds.defender.count() == before + 2


def test_samples_that_defender_does_not_make_are_named(grounds: Grounds, drill: Drilling) -> None:
    """It took the order, and lists nothing: what it lists later stands there."""
    house = grounds.house()
    grounds.defender.fails = True
    with house.at_work():
        drilled = drill(house, within="1s")
    assert (drilled.code, drilled.result["verdict"], drilled.result["failed_hop"]) == (1, "failed", "defender"), drilled
    assert (drilled.result["dismissed"], "lists none of them yet" in drilled.result["undismissed"]) == (0, True)


def test_an_export_that_brings_nothing_is_named(grounds: Grounds, drill: Drilling) -> None:
    """Defender has the samples, the router is at work, and nothing comes."""
    house = grounds.house()
    grounds.defender.exports = False
    with house.at_work():
        drilled = drill.in_vain(house, is_listed)
    assert (drilled.code, drilled.result["failed_hop"]) == (1, "hub"), drilled
    assert "Defender lists 2; the router is at work, so the export did not bring them" in drilled.result["reason"]
    assert re.search(r"\d+\.\d s before it", drilled.result["reason"])
    assert [(one["hop"], one["seconds"] is None) for one in drilled.result["hops"]] == [
        ("raised", False),
        ("defender", False),
        ("hub", True),
    ]
    assert drilled.result["dismissed"] == 2


def test_a_hub_that_is_stopped_is_named(grounds: Grounds, drill: Drilling) -> None:
    """Then the router ends no sweep."""
    house = grounds.house()
    with house.at_work(is_deaf=True):
        drilled = drill.in_vain(house, is_listed)
    assert (drilled.code, drilled.result["failed_hop"]) == (1, "hub")
    assert "has ended no sweep of the hub ever" in drilled.result["reason"]


def test_a_message_that_is_not_understood_is_named(grounds: Grounds, drill: Drilling) -> None:
    """What came lies in quarantine."""
    house = grounds.house()
    grounds.defender.garbled = True
    with house.at_work():
        drilled = drill.in_vain(house, lambda found: "not_json" in found.result["reason"])
    assert (drilled.code, drilled.result["failed_hop"]) == (1, "decided")
    assert "not_json" in drilled.result["reason"]
    assert "quarantine show" in drilled.result["reason"]


def test_a_silence_that_held_is_named(grounds: Grounds, drill: Drilling) -> None:
    """Both samples are held, so neither destination is proven."""
    house = grounds.house()
    silence = ["silences", "add", "--resource", "Sample-VM", "--for", "2h", "--reason", "a test", "--yes"]
    assert main([*silence, "--author", "ana", "--state", str(house.state), "--rules", str(house.rules)]) == 0
    with house.at_work():
        drilled = drill.in_vain(house, is_decided)
    assert (drilled.code, drilled.result["verdict"], drilled.result["failed_hop"]) == (1, "not proven", "destination")
    assert drilled.verdicts == {"oncall": "not proven", "tickets": "not proven"}
    assert "silence" in drilled.reason_of("oncall")


def test_a_destination_that_is_down_and_one_that_refuses_are_named(grounds: Grounds, drill: Drilling) -> None:
    """One is tried again later, the other one's deliveries are dead. The rules at work are others than were read."""
    house = grounds.house()
    grounds.soc.pagerduty.faults.add(Status(500), times=None)
    grounds.soc.servicenow.faults.add(Status(400), times=None)
    with house.at_work():
        policy = house.rules / "cwpp" / "policy.yaml"
        policy.write_text(policy.read_text().replace("otherwise: [tickets]", "otherwise: [tickets]  # as of today"))
        drilled = drill.in_vain(
            house, lambda found: "given up on" in found.result["reason"] and "500" in found.result["reason"]
        )
    assert (drilled.code, drilled.result["verdict"], drilled.result["failed_hop"]) == (1, "failed", "destination")
    assert "it did not take it in time: " in drilled.reason_of("oncall")
    assert re.search("given up on: .*400", drilled.reason_of("tickets"))
    assert "the router decided by other rules" in drilled.result["reason"]


def test_destinations_that_samples_do_not_reach_or_that_are_left_out_are_named_before(
    grounds: Grounds, drill: Drilling
) -> None:
    """A real alert goes to the pager, so without `--to` the drill does not pass."""
    house = grounds.house(POLICY.replace("at_least: High}}", "at_least: High, sample: false}}"))
    with house.at_work():
        drilled = drill(house)
        rest = drill(house, "--to", "tickets")
    assert (drilled.code, drilled.verdicts) == (1, {"oncall": "not proven", "tickets": "passed"}), drilled
    assert drilled.reason_of("oncall") == "the rules keep samples from it"
    assert "  oncall (pagerduty, page lane): the rules keep samples from it; not to be proven" in rest.said
    assert (rest.code, rest.verdicts, rest.result["left_out"]) == (0, {"tickets": "passed"}, ["oncall"]), rest


def test_a_dead_mans_switch_is_called_when_the_drill_passed_and_only_then(
    grounds: Grounds, drill: Drilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for it hears by a path that is not the router's. That it was not taken is said; the address never is."""
    with hooks_in_thread() as hooks:
        address = f"{hooks.url}/s3cret-address"
        monkeypatch.setenv("ALERT_ROUTER_DRILL_HEARTBEAT", address)
        house = grounds.house()
        with house.at_work():
            passed = drill(house, "--heartbeat")
            assert (passed.code, hooks.called) == (0, ["POST /s3cret-address passed"]), passed
            hooks.status, hooks.words = 200, "OK (not found)"
            unknown = drill(house, "--heartbeat")
            hooks.status = 404
            refused = drill(house, "--heartbeat")
        assert [len(hooks.called), unknown.code, refused.code] == [3, 1, 1]
        assert "heartbeat: 127.0.0.1: does not know the address; the drill has passed" in unknown.said
        assert "heartbeat: 127.0.0.1: answered 404" in refused.said
        grounds.defender.faults.add(Status(403), times=None, method="POST")
        assert drill(house, "--heartbeat").code == 1
        grounds.defender.behave()
        assert len(hooks.called) == 3
    said = "".join(f"{one.said} {one.result}" for one in (passed, unknown, refused))
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("more", "settings", "words"),
    [
        ((), {"FUNCTIONS_WORKER_RUNTIME": "python"}, "drill: this is a function app"),
        ((), {"WEBSITE_INSTANCE_ID": "1"}, "drill: this is a function app"),
        (("--heartbeat",), {}, "ALERT_ROUTER_DRILL_HEARTBEAT: is not set"),
        (("--heartbeat",), {"ALERT_ROUTER_DRILL_HEARTBEAT": "http://hc.test/s3cret"}, "must be an https URL"),
        (("--heartbeat",), {"ALERT_ROUTER_DRILL_HEARTBEAT": "https://hc.example/s3cret"}, "ends in .example"),
        (
            ("--to", "nobody"),
            {},
            "--to: nobody: is no destination to which the rules lead such alerts; those are oncall",
        ),
        (("--subscription", "mine"), {}, "--subscription: 'mine' is no id"),
        (("--within", "5h"), {}, "--within"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_raises_nothing(
    grounds: Grounds,
    drill: Drilling,
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
    settings: dict[str, str],
    words: str,
) -> None:
    """In the router's own app it never runs: its identity may raise nothing."""
    before = grounds.defender.count()
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    drilled = drill(grounds.house(), *more)
    assert drilled.code == 2
    assert words in drilled.said.splitlines()[-1]
    assert "s3cret" not in drilled.said
    assert grounds.defender.count() == before


def test_without_a_terminal_it_needs_to_be_told_yes(grounds: Grounds, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody could be asked."""
    house, before = grounds.house(), grounds.defender.count()
    state = ("--state", str(house.state), "--rules", str(house.rules))
    assert main(["drill", "--subscription", SUBSCRIPTION, "--bundle", "DNS", *state]) == 2
    assert "--yes: is missing" in capsys.readouterr().err
    assert grounds.defender.count() == before


@pytest.mark.parametrize("option", ["--cluster", "--machine"])
def test_an_empty_name_is_no_subject(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """So a variable of a shell that is not set waits for nobody's alert."""
    assert main(["drill", option, "", "--yes"]) == 2
    assert capsys.readouterr().err.startswith(f"{option}: ")


def test_a_plan_is_printed_without_an_identity(
    grounds: Grounds, drill: Drilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which destination lacks a setting."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    for name in ("ALERT_ROUTER_RESOURCE_MANAGER", "CWPP_ROUTING_KEY"):
        monkeypatch.delenv(name, raising=False)
    drilled = drill(grounds.house())
    *plan, last = drilled.said.splitlines()
    assert (drilled.code, last.startswith("drill: nobody is signed in to Azure (")) == (2, True)
    (oncall,) = [line for line in plan if " pages oncall (" in line]
    assert oncall.endswith("; not yet: CWPP_ROUTING_KEY is missing, so that it takes nothing")


def test_samples_of_an_earlier_drill_are_neither_followed_nor_dismissed(grounds: Grounds, drill: Drilling) -> None:
    """The first drill keeps them. An exported dismissal opens nothing."""
    house = grounds.house()
    grounds.defender.says_dismissed = True
    with house.at_work():
        kept = drill(house, "--keep")
        own = drill(house)
    assert (kept.code, kept.result["dismissed"], own.code, own.result["dismissed"]) == (0, None, 0, 2)
    ids = {one["id"] for one in kept.result["alerts"]}
    assert ids.isdisjoint(one["id"] for one in own.result["alerts"])
    assert {grounds.defender.raised[id][1] for id in ids} == {"Active"}


def test_a_sample_that_defender_does_not_list_proves_nothing(grounds: Grounds, drill: Drilling) -> None:
    """It is another router's, or an old one that was sent again. The drill's own never reach the hub."""
    house = grounds.house()
    grounds.defender.exports = False

    def send(question: str) -> None:
        (sample, *_) = samples_of_bundle("VirtualMachines", SUBSCRIPTION, datetime.now(UTC))
        grounds.hubs.append("cwpp", "0", sample.exported())

    grounds.defender.asked = send
    with house.at_work():
        drilled = drill.in_vain(house, lambda found: "may be another's" in found.result["reason"])
    assert (drilled.code, drilled.result["verdict"], drilled.result["failed_hop"]) == (1, "not proven", "hub"), drilled
    assert (drilled.result["alerts"], drilled.result["open"], drilled.result["dismissed"]) == ([], [], 2)


def test_real_alerts_of_a_cluster_are_waited_for(
    grounds: Grounds, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drill prints the line to run; it raises nothing and dismisses nothing."""
    for name, value in grounds.environment().items():
        monkeypatch.setenv(name, value)
    house, before, over = grounds.house(), grounds.defender.count(), Event()
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
    cluster = f"{group}/providers/Microsoft.ContainerService/managedClusters/aks-pay"

    def raise_alerts() -> None:
        number = 0
        while not over.wait(PACE):
            number += 1
            body = alert_body(f"test-{number}", AlertType="K8S_Test", AzureResourceId=cluster, Severity="High")
            grounds.hubs.append("cwpp", "0", body)

    state = ("--state", str(house.state), "--rules", str(house.rules), "--within", SOON, "--yes")
    raising = Thread(target=raise_alerts)
    raising.start()
    try:
        with house.at_work():
            code = main(["drill", "--cluster", "aks-pay", "--to", "oncall", *state])
    finally:
        over.set()
        raising.join()
    said = capsys.readouterr().out
    assert code == 0, said
    assert "REAL: these are real alerts" in said
    assert "kubectl --context aks-pay get pods --namespace=asc-alerttest-662jfi039n" in said
    assert "passed: 1 destination took it" in said
    assert "dismissed" not in said.partition("passed:")[2]
    assert grounds.defender.count() == before
