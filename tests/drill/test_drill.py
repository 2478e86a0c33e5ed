"""A drill runs whole on loopback and passes; each hop that is broken is named; a cluster is asked once, if that is wanted."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import replace
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Event, Thread

import pytest
import yaml

from alert_router_demo.soc import LoseAnswer, Status, soc_in_thread
from router.cli import main
from router.coverage.drill import running as at_work
from router.coverage.drill.results import DrillResult
from router.coverage.drill.running import Drill
from router.domain.errors import StoreError
from tests.builders import alert_body
from tests.cli.house import said_into
from tests.coverage.test_kubectl import kubeconfig
from tests.deliver.sockets import answering
from tests.drill.drilling import (
    CLUSTER,
    HEARTBEAT,
    POLICY,
    SAMPLES,
    SUBSCRIPTION,
    Drilling,
    Grounds,
    Outcome,
    SmallHouse,
    arguments,
)
from tests.drill.test_verdict import a_sample
from tests.stack.defender import defender_in_thread
from tests.stack.event_hubs import event_hubs_in_thread
from tests.stack.event_hubs.threads import in_thread
from tests.stack.kubernetes_api.kubectl import install


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """The grounds of a file."""
    with (
        event_hubs_in_thread({"cwpp": 1}) as hubs,
        soc_in_thread() as soc,
        defender_in_thread(lambda body: hubs.append("cwpp", "0", body)) as defender,
    ):
        yield Grounds(hubs, soc, defender, tmp_path_factory.mktemp("drill"))


@pytest.fixture
def drill(grounds: Grounds, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Drilling:
    """Holds drills by the command line, with the settings of the router."""
    for name, value in grounds.environment().items():
        monkeypatch.setenv(name, value)
    return Drilling(capsys)


TWO, NO_TIME = "Defender lists 2", "{'hop': 'hub', 'at': None, 'seconds': None}"


def test_a_drill_passes_and_says_the_seconds_of_each_hop(grounds: Grounds, drill: Drilling) -> None:
    """It dismisses its samples, lists what is open by its receipt, and what it prints lies in the state for the gate."""
    house = grounds.house()
    with house.at_work():
        drilled = drill(house)
    assert drilled.end == (0, "passed", None, 2), drilled
    assert drilled.verdicts == {"oncall": "passed", "tickets": "passed"}
    assert [one["hop"] for one in drilled.result["hops"]] == ["raised", "hub", "decided"]
    assert all(0 <= one["seconds"] < 60 for one in [*drilled.result["hops"], *drilled.result["destinations"]])
    ticket = next(one for one in drilled.result["destinations"] if one["name"] == "tickets")
    assert ticket["receipt"] in {one["number"] for one in grounds.soc.state()["tickets"]}
    assert set(grounds.defender.dismissed[-2:]) == drilled.ids
    assert {one["destination"] for one in drilled.result["open"]} == {"oncall", "tickets"}
    assert "pages oncall (pagerduty, page lane)" in drilled.said
    assert "opens a ticket at tickets (servicenow, ticket lane)" in drilled.said
    assert re.search(r"in the hub +\d+\.\d s", drilled.said)
    assert house.results() == {f"drill:{SUBSCRIPTION}:virtualmachines": drilled.result}


def refuse(house: SmallHouse) -> None:
    """Has Defender refuse every order."""
    house.grounds.defender.faults.add(Status(403), times=None, method="POST")


def add_silence(house: SmallHouse) -> None:
    """Holds both samples."""
    words = ["--resource", "Sample-VM", "--for", "2h", "--reason", "a test", "--yes", "--author", "ana"]
    assert main(["silences", "add", *words, "--state", str(house.state), "--rules", str(house.rules)]) == 0


def break_soc(house: SmallHouse) -> None:
    """Has one destination tried again later, and the other one's deliveries die."""
    house.grounds.soc.pagerduty.faults.add(Status(500), times=None)
    house.grounds.soc.servicenow.faults.add(Status(400), times=None)


def send_foreign(house: SmallHouse) -> None:
    """Sends a sample of another router, or an old one."""

    def send(question: str) -> None:
        house.grounds.hubs.append("cwpp", "0", a_sample().exported())

    house.grounds.defender.asked = send


def refuse_dismissal(house: SmallHouse) -> None:
    """Has Defender let nobody dismiss one of two samples, so that the other one is dismissed."""
    house.grounds.defender.refuses_dismissal = "SIMULATED_VM_SuspiciousLogin"


def lose_one(house: SmallHouse) -> None:
    """Has Defender list one of two samples that is never exported: what is decided later is none of the drill's proof."""
    house.grounds.defender.late_type = "SIMULATED_VM_DigitalCurrencyMining"


ROLE = "role in that subscription"
NOT_DONE = "it did not take it in time: "


@dataclass(frozen=True)
class Broken:
    """A hop that is broken: who breaks it or how Defender behaves, how the drill ends, and what it says."""

    end: tuple[int, str, str | None, int | None]
    words: tuple[str, ...]
    spoil: Callable[[SmallHouse], None] | None = None
    behaviour: str = ""


BROKEN = (
    Broken((1, "failed", "raised", None), ("simulate: Azure answered 403", ROLE), refuse),
    Broken((1, "failed", "raised", None), ("list of alerts: Azure answered 403", ROLE), behaviour="refuses_list"),
    Broken((1, "not proven", "raised", None), ("Azure answered 409", "'alerts': []"), behaviour="is_busy"),
    Broken((1, "failed", "defender", 0), ("lists none of them yet",), behaviour="fails"),
    Broken((1, "failed", "hub", 2), (TWO, "the export did not bring them", "s before", NO_TIME), behaviour="exports"),
    Broken((1, "failed", "hub", 2), (TWO, "has ended no sweep of the hub ever"), behaviour="is_deaf"),
    Broken((1, "failed", "decided", 2), ("not_json", "quarantine show"), behaviour="garbled"),
    Broken((1, "not proven", "destination", 2), ("oncall: silence", "tickets: silence"), add_silence),
    Broken((1, "failed", "destination", 2), (NOT_DONE, "500", "given up on", "400"), break_soc),
    Broken((0, "passed", None, 1), ("dismiss ", "Azure answered 403", "Security Admin"), refuse_dismissal),
    Broken((1, "not proven", "destination", 2), ("'undecided': ['",), lose_one),
    Broken((1, "not proven", "hub", 2), ("may be another's", "'alerts': []", "'open': []"), send_foreign, "exports"),
)


@pytest.mark.parametrize("broken", BROKEN)
def test_a_hop_that_is_broken_is_named(grounds: Grounds, drill: Drilling, broken: Broken) -> None:
    """Samples of its own are dismissed all the same, and no others; without Defender's list no order is given."""
    house, raised, dismissed = grounds.house(), grounds.defender.count(), len(grounds.defender.dismissed)
    if broken.behaviour:
        setattr(grounds.defender, broken.behaviour, broken.behaviour != "exports")
    if broken.spoil is not None:
        broken.spoil(house)
    with house.at_work(is_deaf=broken.behaviour == "is_deaf"):
        drilled = drill.in_vain(house, *broken.words)
    assert drilled.end == broken.end, drilled
    assert all(one in str(drilled.result) for one in broken.words), drilled
    assert (broken.spoil is not refuse and broken.behaviour != "refuses_list") or grounds.defender.count() == raised
    assert len(grounds.defender.dismissed) - dismissed == (broken.end[3] or 0)


def test_an_order_whose_answer_was_lost_is_followed_and_given_once(grounds: Grounds, drill: Drilling) -> None:
    """Its samples are dismissed. A question that changes nothing is asked again."""
    house, before = grounds.house(), grounds.defender.count()
    grounds.defender.faults.add(LoseAnswer(), method="POST")
    grounds.defender.faults.add(Status(503), method="GET")
    with house.at_work():
        drilled = drill(house)
    assert (*drilled.end, grounds.defender.count()) == (0, "passed", None, 2, before + 2), drilled


def test_destinations_that_samples_do_not_reach_or_that_are_left_out_are_named_before(
    grounds: Grounds, drill: Drilling
) -> None:
    """A real alert goes to the pager, so without `--to` it does not pass. Other rules than those at work prove nothing."""
    house = grounds.house(POLICY.replace("at_least: High}}", "at_least: High, sample: false}}"))
    with house.at_work():
        drilled = drill(house)
        rest = drill(house, "--to", "tickets")
        policy = house.rules / "cwpp" / "policy.yaml"
        policy.write_text(f"{policy.read_text()}# as of today\n")
        other = drill(house, "--to", "tickets")
    assert (drilled.code, drilled.verdicts) == (1, {"oncall": "not proven", "tickets": "passed"}), drilled
    assert "oncall: the rules keep samples from it" in drilled.result["reason"]
    assert "  oncall (pagerduty, page lane): the rules keep samples from it; not to be proven" in rest.said
    assert (rest.code, rest.verdicts, rest.result["left_out"]) == (0, {"tickets": "passed"}, ["oncall"]), rest
    assert "the router decided by other rules" in other.result["reason"]


def test_a_dead_mans_switch_is_called_when_the_drill_passed_and_is_on_record_and_only_then(
    grounds: Grounds, drill: Drilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it was not taken is said; the address never is."""

    async def write(self: Drill, result: DrillResult) -> None:
        raise StoreError("disk full")

    house = grounds.house()
    with in_thread(answering(), "hooks") as hooks, house.at_work():
        monkeypatch.setenv(HEARTBEAT, f"{hooks.url}/s3cret-address")
        passed = drill(house, "--heartbeat")
        (called,) = hooks.requests
        head, _, body = called.partition(b"\r\n\r\n")
        assert (passed.code, head.split()[:2]) == (0, [b"POST", b"/s3cret-address"]), passed
        assert json.loads(body)["verdict"] == "passed"
        hooks.body = b"OK (not found)"
        unknown = drill(house, "--heartbeat")
        hooks.status = 404
        refused = drill(house, "--heartbeat")
        assert [len(hooks.requests), unknown.code, refused.code] == [3, 1, 1]
        with monkeypatch.context() as broken:
            broken.setattr(Drill, "write", write)
            unwritten = drill(house, "--heartbeat")
        refuse(house)
        assert drill(house, "--heartbeat").code == 1
        assert len(hooks.requests) == 3
    assert "heartbeat: 127.0.0.1: does not know the address; the drill has passed" in unknown.said
    assert "heartbeat: 127.0.0.1: answered 404" in refused.said
    assert unwritten.end == (1, "passed", None, 2)
    assert unwritten.said.splitlines()[-1] == "the result is not written down, and no heartbeat was sent: disk full"
    assert "s3cret" not in "".join(f"{one.said} {one.result}" for one in (passed, unknown, refused))


UNDONE: list[tuple[tuple[str, ...], dict[str, str], str]] = [
    (SAMPLES, {"FUNCTIONS_WORKER_RUNTIME": "python"}, "drill: this is a function app"),
    (SAMPLES, {"WEBSITE_INSTANCE_ID": "1"}, "drill: this is a function app"),
    ((*SAMPLES, "--heartbeat"), {}, f"{HEARTBEAT}: is not set"),
    ((*SAMPLES, "--heartbeat"), {HEARTBEAT: "http://hc.test/s3cret"}, "must be an https URL"),
    ((*SAMPLES, "--heartbeat"), {HEARTBEAT: "https://hc.example/s3cret"}, "ends in .example"),
    (
        (*SAMPLES, "--to", "nobody"),
        {},
        "--to: nobody: is no destination to which the rules lead such alerts; those are",
    ),
    ((*SAMPLES, "--subscription", "mine"), {}, "--subscription: 'mine' is no id"),
    ((*SAMPLES, "--within", "5h"), {}, "--within"),
    (SAMPLES[:-1], {}, "--yes: is missing"),
    (("--bundle", "DNS", "--yes"), {}, "--subscription: is missing"),
    (("--cluster", "", "--yes"), {}, "--cluster: "),
    (("--machine", "", "--yes"), {}, "--machine: "),
]


def test_what_cannot_be_done_is_one_line_and_raises_nothing(
    grounds: Grounds, drill: Drilling, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """In the router's own app it never runs: its identity may raise nothing."""
    house, before = grounds.house(), grounds.defender.count()
    for about, settings, words in UNDONE:
        with subtests.test(words), monkeypatch.context() as given:
            for name, value in settings.items():
                given.setenv(name, value)
            drilled = drill(house, about=about)
            assert (drilled.code, grounds.defender.count()) == (2, before)
            assert words in drilled.said.splitlines()[-1]
            assert "s3cret" not in drilled.said


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
    assert kept.ids.isdisjoint(own.ids)
    assert {grounds.defender.raised[id][1] for id in kept.ids} == {"Active"}


def test_alerts_that_another_one_raised_meanwhile_are_not_dismissed(grounds: Grounds, drill: Drilling) -> None:
    """The same samples cannot be told apart, so they are named. Samples of other plans and real alerts are not."""
    house, dismissed = grounds.house(), len(grounds.defender.dismissed)
    others: list[str] = []

    def order_too(asked: str) -> None:
        if asked == "simulate" and not others:
            others.append(asked)
            for bundle in ("VirtualMachines", "KeyVaults"):
                grounds.defender.raise_samples(bundle, SUBSCRIPTION)
            real = replace(a_sample(), id="real", type="VM_X", title="Not made up")
            grounds.defender.raised["real"] = real, "Active"

    grounds.defender.asked = order_too
    with house.at_work():
        drilled = drill(house)
    assert drilled.end == (0, "passed", None, 0), drilled
    assert "which cannot be told apart" in drilled.result["undismissed"]
    assert all(id in drilled.result["undismissed"] for id in drilled.ids)
    assert drilled.result["undismissed"].count(",") == 4
    assert len(grounds.defender.dismissed) == dismissed


def test_what_was_decided_too_late_is_named(grounds: Grounds, drill: Drilling) -> None:
    """One sample proves the ticket; the other one is listed, and comes later."""
    house = grounds.house()
    lose_one(house)
    with house.at_work():
        drilled = drill(house, "--to", "tickets")
    assert (drilled.code, len(drilled.ids)) == (0, 1), drilled
    (late,) = drilled.result["undecided"]
    assert grounds.defender.raised[late][0].type == grounds.defender.late_type


def test_a_state_that_cannot_be_read_proves_nothing(
    grounds: Grounds, drill: Drilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it said that nothing came. Samples are dismissed all the same."""

    def read(*arguments: object) -> None:
        raise StoreError("the database does not answer")

    monkeypatch.setattr(at_work, "walk_decisions", read)
    drilled = drill(grounds.house(), within="1s")
    assert (*drilled.end, drilled.result["open"]) == (1, "not proven", "decided", 2, None), drilled
    assert "could not be read, so what came is not known: the database does not answer" in drilled.result["reason"]


@pytest.mark.parametrize(("question", "samples"), [("list", 0), ("simulate", 2), ("dismiss", 2)])
def test_ctrl_c_while_anything_is_asked_leaves_no_sample(
    grounds: Grounds, drill: Drilling, monkeypatch: pytest.MonkeyPatch, question: str, samples: int
) -> None:
    """Before the order nothing is ordered any more; after it what is listed is dismissed. Nothing is written down."""
    house, before, dismissed = grounds.house(), grounds.defender.count(), len(grounds.defender.dismissed)
    sent: list[str] = []
    monkeypatch.setenv(HEARTBEAT, "https://127.0.0.1:1/nobody")

    def interrupt(asked: str) -> None:
        if asked == question and not sent:
            sent.append(asked)
            os.kill(os.getpid(), signal.SIGINT)

    grounds.defender.asked = interrupt
    with house.at_work():
        drilled = drill(house, "--heartbeat")
    assert (drilled.code, drilled.result, house.results()) == (130, {}, {}), drilled
    assert "heartbeat" not in drilled.said
    assert grounds.defender.count() - before == len(grounds.defender.dismissed) - dismissed == samples
    judged = "nothing is judged; dismissed in Defender: 2 sample alerts"
    assert drilled.said.splitlines()[-1].startswith(f"interrupted: {judged if samples else 'nothing was raised'}")


def test_a_drill_whose_output_is_cut_goes_on_and_dismisses_its_samples(grounds: Grounds, drill: Drilling) -> None:
    """As `drill | head -1`: the exit code says that not all was read, and the state what came of it."""
    house, dismissed = grounds.house(), len(grounds.defender.dismissed)
    with house.at_work():
        assert said_into(150, *arguments(house, "--within", "60s"))[0] == 141
    assert len(grounds.defender.dismissed) - dismissed == 2
    assert [one["verdict"] for one in house.results().values()] == ["passed"]


PACE = 0.5
"""Seconds between two real alerts."""


@contextmanager
def real_alerts(grounds: Grounds) -> Iterator[None]:
    """Alerts of a cluster come again and again: the first may come before a drill has begun, and then is none of it."""
    over = Event()

    def raise_alerts() -> None:
        for number in count():
            body = alert_body(f"test-{number}", AlertType="K8S_Test", AzureResourceId=CLUSTER, Severity="High")
            grounds.hubs.append("cwpp", "0", body)
            if over.wait(PACE):
                return

    raising = Thread(target=raise_alerts)
    raising.start()
    try:
        yield
    finally:
        over.set()
        raising.join()


def test_real_alerts_of_a_cluster_are_waited_for(grounds: Grounds, drill: Drilling) -> None:
    """The drill prints the line to run; it raises nothing and dismisses nothing."""
    house, before = grounds.house(), grounds.defender.count()
    with real_alerts(grounds), house.at_work():
        code = main(arguments(house, "--within", "60s", about=("--cluster", "aks-pay", "--to", "oncall", "--yes")))
    said = drill.capsys.readouterr().out
    assert (code, grounds.defender.count()) == (0, before), said
    assert "REAL: these are real alerts" in said
    assert "kubectl --context aks-pay get pods --namespace=asc-alerttest-662jfi039n" in said
    assert "passed: 1 destination took it" in said
    assert "dismissed" not in said.partition("passed:")[2]


TOKEN = "canary-token"
PODS = "/api/v1/namespaces/asc-alerttest-662jfi039n/pods?limit=1"
FORBIDDEN = "context aks-pay: the API server answered 403; the drill needs the right to list pods"
UNASKED = (
    ("aks-pay", (), "--yes: is missing"),
    ("aks-pay=", ("--yes",), "--cluster aks-pay=: has nothing on one side of ="),
    ("aks-other", ("--yes",), "--cluster aks-other: is no context in "),
)


def test_the_drill_asks_the_cluster_once_and_only_after_that_was_wanted(
    grounds: Grounds, drill: Drilling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The context may be called otherwise than the cluster. A cluster that refuses is named, and nothing is waited for.

    No token is ever printed, nor what kubectl complains of.
    """
    refused = "echo 'Error from server (Forbidden): canary' >&2; exit 1"
    known = f"grep -q {TOKEN} {tmp_path}/config || {{ {refused}; }}"
    log = install(tmp_path / "bin", {"aks-pay": [], "admin@pay": []}, known)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def ask(cluster: str, *more: str, token: str = TOKEN, context: str = "aks-pay") -> Outcome:
        (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig(user={"token": token}, name=context)))
        house = grounds.house()
        with real_alerts(grounds), house.at_work():
            about = ("--cluster", cluster, "--kubeconfig", str(tmp_path / "config"), "--to", "oncall", *more)
            return drill(house, about=about)

    for cluster, more, words in UNASKED:
        unasked = ask(cluster, *more)
        assert (unasked.code, unasked.result, log.exists()) == (2, {}, False)
        assert words in unasked.said.splitlines()[-1]
    asking = ask("aks-pay=admin@pay", "--yes", context="admin@pay")
    assert (asking.code, asking.result["cluster"], asking.result["verdict"]) == (0, "aks-pay", "passed"), asking
    (asked,) = [json.loads(line)["words"] for line in log.read_text().splitlines()]
    assert asked[:5] == ["get", "--raw", PODS, "--context", "admin@pay"]
    assert "asks the cluster aks-pay for the pods of the namespace asc-alerttest-662jfi039n" in asking.said
    refusing = ask("aks-pay", "--yes", token="unknown")
    assert refusing.end[:3] == (1, "failed", "raised")
    assert FORBIDDEN in refusing.result["reason"]
    assert "canary" not in f"{asking} {refusing.result['reason']}"
