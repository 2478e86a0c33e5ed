"""A drill runs whole on loopback and passes; each hop that is broken on purpose is named, with the seconds before it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest

from alert_router_demo.soc import Drop, Hang, LoseAnswer, Status
from router.cli import main
from tests.builders import alert_body
from tests.drill.drilling import PACE, SOON, SUBSCRIPTION, Drilling, hooks_in_thread, is_decided, is_listed
from tests.drill.small_router import POLICY, Grounds, grounds_in
from tests.leash import leashed
from tests.stack.defender.samples import NO_SUBSCRIPTION, samples_of_bundle
from tests.waiting import wait_until


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


def test_samples_of_the_subscription_of_zeros_are_known_by_defenders_list(grounds: Grounds, drill: Drilling) -> None:
    """Defender writes such samples, too; their type says nothing then."""
    house = grounds.house()
    grounds.defender.of_nobody = True
    with house.at_work():
        drilled = drill(house, "--to", "tickets", bundle="KeyVaults")
    assert (drilled.code, drilled.verdicts) == (0, {"tickets": "passed"}), drilled
    assert NO_SUBSCRIPTION in next(one.resource for one, _ in reversed(grounds.defender.raised.values()))


def test_an_order_that_is_refused_is_named(grounds: Grounds, drill: Drilling) -> None:
    """Nothing was raised then, and nothing is waited for."""
    house = grounds.house()
    grounds.defender.faults.add(Status(403), times=None, method="POST")
    with house.at_work():
        drilled = drill(house)
    assert (drilled.code, drilled.result["verdict"], drilled.result["failed_hop"]) == (1, "failed", "raised")
    assert "simulate: Azure answered 403" in drilled.result["reason"]
    assert "role in that subscription" in drilled.result["reason"]


def test_an_order_that_is_refused_lets_anothers_samples_neither_pass_nor_be_dismissed(
    grounds: Grounds, drill: Drilling
) -> None:
    """Another order is under way, whose samples come meanwhile. That says nothing of the path, so it is not proven."""
    house, before = grounds.house(), len(grounds.defender.dismissed)
    grounds.defender.is_busy = True
    with house.at_work():
        drilled = drill(house)
        grounds.defender.raise_samples("VirtualMachines", SUBSCRIPTION)
        again = drill(house)
    for one in (drilled, again):
        assert (one.code, one.result["verdict"], one.result["failed_hop"]) == (1, "not proven", "raised"), one
        assert "Azure answered 409" in one.result["reason"]
        assert (one.result["dismissed"], one.result["alerts"]) == (None, [])
    assert len(grounds.defender.dismissed) == before


def test_azure_may_be_slow_and_busy(grounds: Grounds, drill: Drilling) -> None:
    """What changes nothing is asked again, as late as Azure wishes."""
    house = grounds.house()
    for fault in (Status(429, retry_after="1"), Hang(seconds=0.5), Status(503), Drop()):
        grounds.defender.faults.add(fault, method="GET")
    with house.at_work():
        drilled = drill(house)
    assert (drilled.code, drilled.result["dismissed"]) == (0, 2), drilled


def test_where_defender_refuses_its_list_a_drill_passes_and_dismisses_nothing(
    grounds: Grounds, drill: Drilling
) -> None:
    """It cannot tell then which are its own, and says why."""
    house, before = grounds.house(), len(grounds.defender.dismissed)
    grounds.defender.refuses_list = True
    with house.at_work():
        drilled = drill(house)
    assert (drilled.code, drilled.result["dismissed"]) == (0, 0), drilled
    assert "Azure answered 403" in drilled.result["undismissed"]
    assert len(grounds.defender.dismissed) == before


def test_an_order_that_fails_later_is_named(grounds: Grounds, drill: Drilling) -> None:
    """Defender took it, and then says that it came to nothing."""
    house = grounds.house()
    grounds.defender.fails = True
    with house.at_work():
        drilled = drill(house)
    assert (drilled.code, drilled.result["failed_hop"]) == (1, "raised"), drilled
    assert "Defender says Failed (InternalServerError: no sensor of ours)" in drilled.result["reason"]


def test_an_order_whose_answer_was_lost_is_followed_and_what_it_raised_is_dismissed(
    grounds: Grounds, drill: Drilling
) -> None:
    """Defender may have taken it; it is not given a second time."""
    house, before = grounds.house(), grounds.defender.count()
    grounds.defender.faults.add(LoseAnswer(), method="POST")
    with house.at_work():
        drilled = drill(house)
    assert (drilled.code, drilled.result["verdict"], drilled.result["dismissed"]) == (0, "passed", 2), drilled
    assert grounds.defender.count() == before + 2


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


def test_samples_below_the_floor_are_named(grounds: Grounds, drill: Drilling) -> None:
    """Nobody is told of them, so nothing is proved."""
    house = grounds.house()
    grounds.defender.severity = "Low"
    with house.at_work():
        drilled = drill.in_vain(house, is_decided)
    assert (drilled.code, drilled.result["verdict"], drilled.result["failed_hop"]) == (1, "failed", "decided")
    assert "below the floor" in drilled.result["reason"]


def a_rule() -> str:
    """A suppression rule that holds one of the two samples."""
    properties = {
        "alertType": "SIMULATED_VM_DigitalCurrencyMining",
        "state": "Enabled",
        "reason": "Other",
        "expirationDateUtc": f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%dT00:00:00Z}",
        "comment": "Miners are allowed for a test, ticket SEC-1, owner platform@contoso.example",
        "suppressionAlertsScope": {"allOf": [{"field": "entities.azureresource.resourceid", "contains": "/sample-vm"}]},
    }
    return json.dumps({"properties": properties})


def test_a_suppression_rule_that_held_is_named_and_nothing_is_passed(grounds: Grounds, drill: Drilling) -> None:
    """The page was held; the other sample opens its ticket."""
    house = grounds.house()
    (house.rules / "cwpp" / "suppressions").mkdir()
    (house.rules / "cwpp" / "suppressions" / "no-miners.json").write_text(a_rule())
    with house.at_work():
        drilled = drill.in_vain(house, is_decided)
    assert (drilled.code, drilled.result["verdict"]) == (1, "not proven"), drilled
    assert drilled.verdicts == {"oncall": "not proven", "tickets": "passed"}
    assert "rule no-miners held what came" in drilled.reason_of("oncall")


def test_a_silence_that_holds_everything_is_said_before_and_named_after(grounds: Grounds, drill: Drilling) -> None:
    """It is made at run time, of the machine that samples are about."""
    house = grounds.house()
    silence = ["silences", "add", "--resource", "Sample-VM", "--for", "2h", "--reason", "a test", "--yes"]
    assert main([*silence, "--author", "ana", "--state", str(house.state), "--rules", str(house.rules)]) == 0
    with house.at_work():
        drilled = drill(house)
    assert (drilled.code, drilled.result["verdict"]) == (1, "not proven"), drilled
    assert set(drilled.verdicts.values()) == {"not proven"}
    assert "silence" in drilled.reason_of("oncall")
    assert "cannot be proven now: silence" in drilled.said


def test_a_destination_that_a_person_holds_is_not_proven(grounds: Grounds, drill: Drilling) -> None:
    """The other one passed, so that nothing more is waited for."""
    house = grounds.house()
    hold = ["destinations", "hold", "oncall", "--stream", "cwpp", "--for", "2h", "--reason", "moved"]
    assert main([*hold, "--author", "ana", "--state", str(house.state), "--rules", str(house.rules)]) == 0
    with house.at_work():
        drilled = drill(house)
    assert (drilled.code, drilled.verdicts) == (1, {"oncall": "not proven", "tickets": "passed"}), drilled
    assert "held by ana" in drilled.reason_of("oncall")


def test_a_destination_that_is_down_and_one_that_refuses_are_named(grounds: Grounds, drill: Drilling) -> None:
    """One is tried again later, the other one's deliveries are dead."""
    house = grounds.house()
    grounds.soc.pagerduty.faults.add(Status(500), times=None)
    grounds.soc.servicenow.faults.add(Status(400), times=None)
    with house.at_work():
        drilled = drill.in_vain(
            house, lambda found: "given up on" in found.result["reason"] and "500" in found.result["reason"]
        )
    assert (drilled.code, drilled.result["verdict"], drilled.result["failed_hop"]) == (1, "failed", "destination")
    assert "500" in drilled.reason_of("oncall")
    assert "given up on" in drilled.reason_of("tickets")
    assert "400" in drilled.reason_of("tickets")


def test_a_destination_that_refuses_our_credentials_is_named(grounds: Grounds, drill: Drilling) -> None:
    """It is paused, and says since when and why."""
    house = grounds.house()
    grounds.soc.servicenow.faults.add(Status(401), times=None)
    with house.at_work():
        drilled = drill.in_vain(house, lambda found: "paused" in found.result["reason"])
    assert drilled.verdicts == {"oncall": "passed", "tickets": "failed"}, drilled
    assert "it is paused since" in drilled.reason_of("tickets")


def test_rules_that_keep_samples_off_the_pager_are_said_before_and_never_passed(
    grounds: Grounds, drill: Drilling
) -> None:
    """Whoever wants the rest proved names it with --to."""
    house = grounds.house(POLICY.replace("at_least: High}}", "at_least: High, sample: false}}"))
    with house.at_work():
        drilled = drill(house)
        rest = drill(house, "--to", "tickets")
    assert (drilled.code, drilled.verdicts) == (1, {"oncall": "not proven", "tickets": "passed"}), drilled
    assert "oncall (pagerduty, page lane): cannot be proven now: the rules keep samples from it" in drilled.said
    assert "the rules keep samples from it; not to be proven" in rest.said
    assert (rest.code, rest.verdicts) == (0, {"tickets": "passed"}), rest


def test_whom_a_drill_calls_is_named_also_where_it_is_not_to_prove_them(grounds: Grounds, drill: Drilling) -> None:
    """The page goes out whatever --to says."""
    house = grounds.house()
    with house.at_work():
        drilled = drill(house, "--to", "tickets")
    assert (drilled.code, drilled.verdicts) == (0, {"tickets": "passed"}), drilled
    assert re.search(r"pages oncall \(pagerduty, page lane\): up to .* go there; not to be proven", drilled.said)


def test_rules_that_are_not_those_at_work_prove_nothing(grounds: Grounds, drill: Drilling) -> None:
    """What is deployed may lead a real alert to somebody else; both are named by the beginning of their hashes."""
    house = grounds.house()
    with house.at_work():
        policy = house.rules / "cwpp" / "policy.yaml"
        policy.write_text(policy.read_text().replace("otherwise: [tickets]", "otherwise: [tickets]  # as of today"))
        drilled = drill(house)
    assert (drilled.code, drilled.result["verdict"]) == (1, "not proven"), drilled
    assert "the router decided by other rules" in drilled.result["reason"]
    assert set(drilled.verdicts.values()) == {"passed"}


def test_what_a_limit_only_counted_is_not_proven(grounds: Grounds, drill: Drilling) -> None:
    """A first drill uses up what the limit leaves to samples; of the second the pager is told in a summary at most."""
    limited = POLICY.replace(
        "{{secret: CWPP_ROUTING_KEY}}", "{{secret: CWPP_ROUTING_KEY}}, limit: {{most: 1, window: 1h}}"
    )
    house = grounds.house(limited)
    with house.at_work():
        first = drill(house)
        second = drill.in_vain(house, lambda found: "there are more" in found.result["reason"])
    assert first.code == 0, first
    assert second.verdicts == {"oncall": "not proven", "tickets": "passed"}, second
    assert "only told that there are more" in second.reason_of("oncall")
    assert {one["id"] for one in first.result["alerts"]}.isdisjoint({one["id"] for one in second.result["alerts"]})


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


def test_whom_it_is_going_to_call_needs_nobody_who_is_signed_in(
    grounds: Grounds, drill: Drilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a name that is none; what lacks a setting is said, since it takes nothing."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    for name in ("ALERT_ROUTER_RESOURCE_MANAGER", "CWPP_ROUTING_KEY"):
        monkeypatch.delenv(name, raising=False)
    house = grounds.house()
    drilled = drill(house)
    *forecast, last = drilled.said.splitlines()
    assert (drilled.code, last.startswith("drill: nobody is signed in to Azure (")) == (2, True)
    (oncall,) = [line for line in forecast if " pages oncall (" in line]
    assert oncall.endswith("; not yet: CWPP_ROUTING_KEY is missing, so that it takes nothing")
    assert drill(house, "--to", "nobody").said.startswith("--to: nobody: is no destination")


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


def test_samples_of_another_drill_are_neither_followed_nor_dismissed(grounds: Grounds, drill: Drilling) -> None:
    """What was there before is nobody's business; nor is a sample that is kept."""
    house = grounds.house()
    with house.at_work():
        kept = drill(house, "--keep")
        own = drill(house)
    assert (kept.result["dismissed"], own.result["dismissed"]) == (None, 2)
    ids = {one["id"] for one in kept.result["alerts"]}
    assert ids.isdisjoint(grounds.defender.dismissed)
    assert {grounds.defender.raised[id][1] for id in ids} == {"Active"}


def test_a_dismissal_that_is_exported_closes_what_it_closes_and_opens_nothing(
    grounds: Grounds, drill: Drilling
) -> None:
    """Whether the real one exports it nobody knows; a drill holds either way, and so does the next one."""
    house = grounds.house()
    grounds.defender.says_dismissed = True
    with house.at_work():
        assert [drill(house).code, drill(house).code] == [0, 0]


def test_a_sample_that_fits_and_that_defender_does_not_list_proves_nothing(grounds: Grounds, drill: Drilling) -> None:
    """It is another router's, or an old one that somebody sent again. The drill's own never reach the hub."""
    house, over = grounds.house(), Event()
    grounds.defender.exports = False

    def send() -> None:
        while not over.wait(PACE):
            (sample, *_) = samples_of_bundle("VirtualMachines", SUBSCRIPTION, datetime.now(UTC))
            grounds.hubs.append("cwpp", "0", sample.exported())

    sending = Thread(target=send)
    sending.start()
    try:
        with house.at_work():
            drilled = drill.in_vain(house, lambda found: "may be another's" in found.result["reason"])
    finally:
        over.set()
        sending.join()
    assert (drilled.code, drilled.result["verdict"], drilled.result["failed_hop"]) == (1, "not proven", "hub"), drilled
    assert "Defender does not list it among those that are new since" in drilled.result["reason"]
    assert (drilled.result["alerts"], drilled.result["open"], drilled.result["dismissed"]) == ([], [], 2)


def test_a_cluster_is_waited_for_and_its_alert_is_said_to_be_real(
    grounds: Grounds, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line to run is printed; nothing is raised by us, and nothing dismissed."""
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


def test_ctrl_c_ends_a_drill_in_order_and_its_samples_are_dismissed(grounds: Grounds) -> None:
    """Nothing is judged then, and nothing is written down; the last line says what is left."""
    house, before = grounds.house(), len(grounds.defender.dismissed)
    about = ("--subscription", SUBSCRIPTION, "--bundle", "VirtualMachines", "--within", SOON, "--yes")
    command = [
        sys.executable,
        "-m",
        "router",
        "drill",
        *about,
        "--state",
        str(house.state),
        "--rules",
        str(house.rules),
    ]
    running = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | grounds.environment(),
        preexec_fn=leashed,
    )
    asked = grounds.defender.count()
    wait_until(
        lambda: grounds.defender.count() > asked and grounds.defender.answers["200"] > 0,
        goes_on=lambda: running.poll() is None,
        about=running.communicate,
    )
    running.send_signal(signal.SIGINT)
    _, err = running.communicate()
    assert running.returncode == 130, err
    assert err.splitlines()[-1] == (
        "interrupted: nothing is judged; 2 of its sample alerts are dismissed in Defender; 0 of its pages and tickets are open"
    )
    assert len(grounds.defender.dismissed) == before + 2
