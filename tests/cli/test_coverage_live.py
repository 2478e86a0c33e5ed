"""`coverage check --live`: over real sockets, from what Azure answers to the exit code."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from router.domain.documents import DocumentKind
from router.store.documents import TagsById, find_document, find_tags_in
from tests.cli.house import House, Said
from tests.coverage.builders import kubectl, nodes, sensor
from tests.stack.azure_management.estate import HUB, Estate, healthy_estate, subscription_id
from tests.stack.azure_management.faults import FAULTS
from tests.stack.azure_management.management import AzureManagement
from tests.stack.azure_management.server import serving
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


def test_a_healthy_estate_passes(house: House, serves: Serves) -> None:
    """Without any file."""
    azure = serves(without_clusters(healthy_estate(2)))
    said = check(house)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("4 workloads of what Azure answered judged: 4 are covered\n")
    assert {one.headers["authorization"] for one in azure.asked} == {"Bearer loopback"}


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


def test_a_context_that_is_not_there_is_said_before_azure_is_asked(house: House, serves: Serves) -> None:
    """Whoever mistyped it need not wait."""
    azure = serves(without_clusters(healthy_estate(1)))
    house.writes("kubeconfig", "{}")
    said = check(house, "--kubeconfig", "kubeconfig", "--context", "payments")
    assert (said.code, azure.asked) == (2, [])
    assert said.err.startswith("--context payments: is in no kubeconfig")


def test_files_are_judged_beside_what_is_asked(house: House, serves: Serves) -> None:
    """Azure says which cluster there is, and kubectl how it is."""
    house.writes("payouts.json", json.dumps(kubectl(*sensor(), *nodes())))
    house.writes("rules/coverage.yaml", "expect: [{kind: cluster, rungs: [plan, integration, sensor-running]}]")
    serves(AzureManagement(healthy_estate()))
    assert check(house).code == 2
    said = check(house, "aks-payouts=payouts.json")
    assert said.code == 0
    assert said.out.startswith("1 workload of 1 file and what Azure answered judged: 1 is covered\n")


@pytest.mark.parametrize("form", ["json", "github"])
def test_a_gap_is_1(house: House, serves: Serves, form: str) -> None:
    """As from files."""
    estate = healthy_estate(2)
    estate.set_plan(SECOND, "VirtualMachines", pricingTier="Free")
    serves(without_clusters(estate))
    said = check(house, "--format", form)
    assert said.code == 1
    assert "VirtualMachines is Free" in said.out


def test_the_page_is_made_of_what_is_asked(house: House, serves: Serves) -> None:
    """`coverage report --live`."""
    serves(without_clusters(healthy_estate(2)))
    said = house.says("coverage", "report", "--live", *AT, "--out", house.directory / "page.html")
    assert said.code == 0
    page = (house.directory / "page.html").read_text()
    assert "contoso-1" in page
    assert ">just now</time>" in page
    assert "no time said" not in page


@pytest.mark.parametrize("fault", ["silent", "429", "500", "redirect", "garbage", "cut", "elsewhere"])
def test_a_fault_of_every_answer_is_no_pass_and_no_traceback(house: House, serves: Serves, fault: str) -> None:
    """The whole thread, with the real client: the gate ends with 2, and says what was not answered."""
    azure = without_clusters(healthy_estate(2))
    azure.fault = FAULTS[fault]
    serves(azure)
    said = check(house, "--timeout", "0.9")
    assert said.code == 2
    assert "not answered in full" in said.out
    assert said.err == ""


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


def test_one_subscription_alone_can_be_asked(house: House, serves: Serves) -> None:
    """In any spelling of its id."""
    azure = serves(without_clusters(healthy_estate(2)))
    house.writes("rules/coverage.yaml", f"expect: [{{kind: subscription}}]\nexport: {{alerts: {HUB}}}")
    assert check(house, "--subscription", f"/subscriptions/{FIRST.upper()}").code == 0
    assert not [one for one in azure.asked if SECOND in one.url or SECOND.encode() in one.body]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--subscription", FIRST), "--subscription: says what is asked, and nobody is; add --live"),
        (("--keep-tags", "x.json"), "--keep-tags: says what is asked, and nobody is; add --live"),
        ((), "or ask Azure with --live: there is nothing to judge"),
        (("--live", "--subscription", "contoso"), "--subscription: 'contoso' is no id of a subscription"),
        (
            ("--live", "--workspace", "/subscriptions/x"),
            "--workspace: '/subscriptions/x' is no id of a workspace",
        ),
        (("--live", "--timeout", "0"), "--timeout: '0' is no number of seconds"),
    ],
)
def test_what_cannot_be_asked_is_one_line(house: House, arguments: tuple[str, ...], complaint: str) -> None:
    """Before anything is asked."""
    assert complaint in house.says("coverage", "check", *AT, *arguments).complaint


def test_whoever_is_not_signed_in_is_told_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Azure itself is not asked: only who may give out a token, and here is nobody."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    complaint = house.says("coverage", "check", "--live", *AT).complaint
    assert complaint.startswith("--live: nobody is signed in to Azure (")
    assert complaint.endswith("); sign in with `az login`, or give this job an identity")


def tags_in(house: House) -> list[Any]:
    """The rows of the file of tags."""
    return list(json.loads((house.directory / "tags.json").read_text())["data"])


def test_tags_are_kept_as_owners_read_them(house: House, serves: Serves) -> None:
    """Those of resources and of subscriptions, of everything that was asked; the rules read the file."""
    serves(without_clusters(healthy_estate(2)))
    assert check(house, "--keep-tags", str(house.directory / "tags.json")).code == 0
    rows = tags_in(house)
    assert {"id": f"/subscriptions/{FIRST}", "tags": {"owner": "platform"}} in rows
    assert len(rows) == 2 * (1 + 4)
    assert all(row["tags"] for row in rows)
    assert [one.name for one in house.directory.iterdir() if one.name.startswith(".tags")] == []


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
    azure.fault = lambda request, answer: FAULTS["403"](request, answer) if b"union" in request.body else answer
    said = check(house, "--state", str(state))
    assert (said.code, asyncio.run(tags())) == (0, before)
    assert said.err == "tags: not every one was answered; the state keeps what it had of the others\n"


def test_nothing_is_asked_where_there_is_no_such_state(house: House, serves: Serves) -> None:
    """Whoever waited for Azure would be told in the end."""
    azure = serves(without_clusters(healthy_estate()))
    assert "holds no state" in check(house, "--state", str(house.directory / "none")).complaint
    assert azure.asked == []


@pytest.mark.parametrize(
    ("command", "arguments", "complaint"),
    [
        ("check", ("--context", "nowhere"), "--context nowhere: is in no kubeconfig"),
        (
            "check",
            ("--keep-tags", "no/tags.json"),
            "no/tags.json: the tags cannot be written there: No such file or directory",
        ),
        (
            "report",
            ("--out", "no/page.html"),
            "no/page.html: the page cannot be written there: No such file or directory",
        ),
    ],
)
def test_nothing_is_asked_where_the_end_is_known(
    house: House, serves: Serves, command: str, arguments: tuple[str, ...], complaint: str
) -> None:
    """The same of a context that is not there, and of a file that cannot be written."""
    house.writes("kubeconfig", "contexts: []")
    azure = serves(without_clusters(healthy_estate()))
    config = ("--kubeconfig", str(house.directory / "kubeconfig")) if "--context" in arguments else ()
    assert complaint in house.says("coverage", command, "--live", *AT, *arguments, *config).complaint
    assert azure.asked == []


def test_tags_that_are_not_whole_leave_the_file_as_it_is(house: House, serves: Serves) -> None:
    """Whoever would be asked about what is missing would be nobody."""
    house.writes("tags.json", '{"data": []}')
    azure = without_clusters(healthy_estate(2))
    azure.fault = lambda request, answer: FAULTS["403"](request, answer) if b"union" in request.body else answer
    serves(azure)
    said = check(house, "--keep-tags", str(house.directory / "tags.json"))
    assert said.code == 2
    assert "is not written, as not every tag was answered" in said.err
    assert "Resource Graph: tags: not answered in full" in said.out
    assert tags_in(house) == []
