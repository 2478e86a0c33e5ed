"""`coverage check --live`: over real sockets, from what Azure answers to the exit code."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.documents import DocumentKind
from router.store.documents import TagsById, find_document, find_tags_in
from tests.cli.house import House, Said
from tests.cli.transcripts import Transcript
from tests.coverage.builders import kubectl, managed_cluster, nodes, sensor
from tests.coverage.live_clusters import DARK, HEALTHY
from tests.coverage.test_kubectl import kubeconfig
from tests.stack.azure_management.estate import HUB, Estate, healthy_estate, subscription_id
from tests.stack.azure_management.management import FAULTS, AzureManagement, serving
from tests.stack.kubernetes_api.kubectl import install
from tests.store.opened import open_store
from tests.store.within import within
from tests.warm import started

AT = ("--now", "2026-11-26T12:00:00Z")
FIRST, SECOND = subscription_id(0), subscription_id(1)
MANIFEST = f"""
expect:
  - kind: subscription
    name: [{FIRST}, {SECOND}]
  - kind: machine
    name: web-*
export: {{alerts: {HUB}}}
"""

type Serves = Callable[[AzureManagement], AzureManagement]


@pytest.fixture
def serves(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serves]:
    """Has a double answer as Azure Resource Manager, and as Log Analytics, in a house that expects two subscriptions."""
    house.writes("rules/coverage.yaml", MANIFEST)
    with ExitStack() as stack:

        def serve(azure: AzureManagement) -> AzureManagement:
            monkeypatch.setenv("ALERT_ROUTER_RESOURCE_MANAGER", stack.enter_context(serving(azure)))
            return azure

        yield serve


def check(house: House, *arguments: str) -> Said:
    """What the gate says."""
    return house.says("coverage", "check", "--live", *AT, *arguments)


def without_clusters(estate: Estate) -> AzureManagement:
    """Azure with an estate without clusters, which have an API of their own."""
    estate.graph["resources"] = [row for row in estate.graph["resources"] if "managedclusters" not in row["type"]]
    return AzureManagement(estate, page=7)


def without_tags(request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
    """A fault that refuses what is asked of tags alone."""
    return FAULTS["403"](request, answer) if b"union" in request.body else answer


def test_a_healthy_estate_passes_and_a_gap_is_1(house: House, serves: Serves) -> None:
    """Without any file; a page is made of the same."""
    estate = healthy_estate(2)
    azure = serves(without_clusters(estate))
    said = check(house)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("4 workloads of what Azure answered judged: 4 are covered\n")
    assert {one.headers["authorization"] for one in azure.asked} == {"Bearer loopback"}
    assert house.says("coverage", "report", "--live", *AT, "--out", "page.html").code == 0
    page = (house.directory / "page.html").read_text()
    assert "contoso-1" in page and ">just now</time>" in page and "no time said" not in page
    estate.set_plan(SECOND, "VirtualMachines", pricingTier="Free")
    for form in ("json", "github"):
        said = check(house, "--format", form)
        assert said.code == 1
        assert "VirtualMachines is Free" in said.out


def test_one_subscription_alone_can_be_asked_and_files_are_judged_beside(house: House, serves: Serves) -> None:
    """In any spelling of its id; Azure says which cluster there is, and kubectl how it is."""
    azure = serves(without_clusters(healthy_estate(2)))
    house.writes("rules/coverage.yaml", f"expect: [{{kind: subscription}}]\nexport: {{alerts: {HUB}}}")
    assert check(house, "--subscription", f"/subscriptions/{FIRST.upper()}").code == 0
    assert not [one for one in azure.asked if SECOND in one.url or SECOND.encode() in one.body]
    house.writes("payouts.json", json.dumps(kubectl(*sensor(), *nodes())))
    house.writes("rules/coverage.yaml", "expect: [{kind: cluster, rungs: [plan, integration, sensor-running]}]")
    serves(AzureManagement(healthy_estate()))
    assert check(house).code == 2
    said = check(house, "aks-payouts=payouts.json")
    assert said.code == 0
    assert said.out.startswith("1 workload of 1 file and what Azure answered judged: 1 is covered\n")


def test_whoever_watches_sees_how_far_it_is(house: House, serves: Serves) -> None:
    """On a terminal, where the bar is gone at the end; nobody else sees it."""
    serves(without_clusters(healthy_estate(2)))
    main, terminal = pty.openpty()
    asking = started(
        *("router", "coverage", "check", "--live", *AT),
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        cwd=house.directory,
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    out, _ = asking.communicate()
    os.close(terminal)
    with os.fdopen(main, "rb", buffering=0) as watched:
        assert b"asking Azure" in watched.read(65536)
    assert asking.wait() == 0
    assert out.startswith("4 workloads of what Azure answered judged")
    assert "asking Azure" not in out


def test_a_fault_of_every_answer_is_no_pass_and_no_traceback(
    house: House, serves: Serves, subtests: pytest.Subtests
) -> None:
    """The whole thread, with the real client: the gate ends with 2, and says what was not answered."""
    azure = serves(without_clusters(healthy_estate(2)))
    for fault in ("silent", "500", "redirect", "garbage", "cut"):
        with subtests.test(fault):
            azure.fault = FAULTS[fault]
            said = check(house, "--timeout", "0.9")
            assert (said.code, said.err) == (2, "")
            assert "not answered in full" in said.out


def test_what_is_refused_says_which_role_is_missing(house: House, serves: Serves) -> None:
    """In one subscription; the other one is judged all the same."""
    estate = healthy_estate(2)
    estate.hidden.add(SECOND)
    serves(without_clusters(estate))
    said = check(house)
    assert said.code == 2
    assert f"subscription {SECOND}: not answered in full" in said.out
    assert "the role Reader is missing there" in said.out
    assert "the role Security Reader is missing" in said.out
    assert "1 is unknown, 2 are covered" in said.out
    assert "answers were not given in full" in said.out.splitlines()[0]


def test_what_cannot_be_asked_is_one_line(
    house: House, transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is asked; who is not signed in is told so."""
    transcript(f"coverage check --subscription {FIRST}", "coverage check --keep-tags x.json", "coverage check")
    for option in ("--subscription contoso", "--workspace /subscriptions/x", "--timeout 0"):
        transcript(f"coverage check --live {option}")
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    complaint = house.says("coverage", "check", "--live", *AT).complaint
    assert complaint.startswith("--live: nobody is signed in to Azure (")
    assert complaint.endswith("); sign in with `az login`, or give this job an identity")


def test_tags_are_kept_as_owners_read_them(house: House, serves: Serves) -> None:
    """Those of resources and of subscriptions, of everything that was asked; what is not whole leaves the file as it is."""
    azure = serves(without_clusters(healthy_estate(2)))
    assert check(house, "--keep-tags", "tags.json").code == 0
    kept = (house.directory / "tags.json").read_text()
    rows = json.loads(kept)["data"]
    assert {"id": f"/subscriptions/{FIRST}", "tags": {"owner": "platform"}} in rows
    assert len(rows) == 2 * (1 + 4)
    assert all(row["tags"] for row in rows)
    assert [one.name for one in house.directory.iterdir() if one.name.startswith(".tags")] == []
    azure.fault = without_tags
    said = check(house, "--keep-tags", "tags.json")
    assert said.code == 2
    assert "is not written, as not every tag was answered" in said.err
    assert "Resource Graph: tags: not answered in full" in said.out
    assert (house.directory / "tags.json").read_text() == kept


def test_tags_are_kept_in_a_state(house: House, serves: Serves) -> None:
    """Where one is named; what was not answered stays as it was."""
    state = house.directory / "state"
    azure = without_clusters(healthy_estate(2))

    async def tags() -> TagsById:
        store = open_store(state)
        document = await within(store, find_document, DocumentKind.TAGS, FIRST)
        await store.close()
        return (find_tags_in(document) if document is not None else None) or {}

    assert asyncio.run(tags()) == {}
    serves(azure)
    assert check(house, "--state", str(state)).code == 0
    before = asyncio.run(tags())
    assert before[f"/subscriptions/{FIRST}"].tags == {"owner": "platform"}
    azure.fault = without_tags
    said = check(house, "--state", str(state))
    assert (said.code, asyncio.run(tags())) == (0, before)
    assert said.err == "tags: not every one was answered; the state keeps what it had of the others\n"


def test_nothing_is_asked_where_the_end_is_known(house: House, serves: Serves, transcript: Transcript) -> None:
    """The name of a context or a state is wrong, or a file that cannot be written: who waited would be told in the end."""
    house.writes("kubeconfig", "contexts: []")
    azure = serves(without_clusters(healthy_estate()))
    for option in ("--kubeconfig kubeconfig --context x", "--keep-tags no/tags.json", "--state none"):
        transcript(f"coverage check --live {option}")
    transcript("coverage report --live --out no/page.html")
    assert azure.asked == []


@pytest.fixture
def asking(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house with a kubeconfig of both, and of one that is not to be asked, and what Azure says of one of them."""
    install(house.directory / "bin", {"payments": HEALTHY, "aks-ledger": DARK})
    monkeypatch.setenv("PATH", f"{house.directory / 'bin'}{os.pathsep}{os.environ['PATH']}")
    house.writes("clusters.json", json.dumps(managed_cluster()))
    gone = kubeconfig(user={"auth-provider": {"name": "azure"}}, name="gone")
    some = [kubeconfig(), kubeconfig(name="aks-ledger"), gone]
    merged = {part: [one for each in some for one in each[part]] for part in ("clusters", "users", "contexts")}
    house.writes("kubeconfig", json.dumps(merged))
    return house


CHECK = "coverage check --now 2026-11-25T12:00:00Z --kubeconfig kubeconfig"


def test_clusters_are_asked_beside_files_or_alone(asking: House, transcript: Transcript) -> None:
    """Each counts as the cluster that its context is called as, or as the name before it; none that was not named is asked."""
    asking.says(*CHECK.split()[:4], "clusters.json")
    assert not (asking.directory / "bin" / "log").exists()
    transcript(f"{CHECK} --context payments --context ledger=aks-ledger clusters.json", f"{CHECK} --context '*a*'")
    assert transcript(f"{CHECK} --context aks-ledger").code == 1
    assert asking.says(*f"coverage report {CHECK[15:]} --context aks-ledger --out page.html".split()).code == 0
    assert "baseline" in (asking.directory / "page.html").read_text()


def test_what_cannot_be_asked_is_unknown(
    asking: House, transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with 2, is named, and keeps none of the others from being judged; nor does a time that is over."""
    assert transcript(f"{CHECK} --context gone --context payments clusters.json").code == 2
    install(asking.directory / "bin", {}, "exec sleep 60")
    said = asking.says(*CHECK.split(), "--context", "aks-ledger", "--timeout", "1", "--format", "json")
    (one,) = json.loads(said.out)["workloads"]
    assert one["rungs"]["sensor-running"]["state"] == "unknown"
    monkeypatch.setenv("PATH", str(asking.directory))
    assert transcript(f"{CHECK} --context payments", f"{CHECK} --context payments clusters.json").code == 2


@pytest.mark.usefixtures("asking")
def test_what_was_called_wrongly_is_said_in_one_line(transcript: Transcript) -> None:
    """Before anything is asked."""
    transcript("coverage check", CHECK, f"{CHECK} --context aks-z")
    transcript("coverage check --timeout 9 clusters.json", "coverage check --kubeconfig none --context x")
