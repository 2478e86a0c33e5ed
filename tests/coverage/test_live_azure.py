"""What is asked of Azure, and what its answers prove: a fault never makes anything covered."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections.abc import Mapping
from copy import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alert_router_demo.soc.endpoint import served
from router.app.settings import Settings
from router.coverage.asking.arm import QUERIES, SUBSCRIPTIONS, TAGS
from router.coverage.asking.azure import AzureQuestions, AzureScope, ask_azure
from router.coverage.asking.azure_api import PUBLIC, AzureApi, azure_over
from router.coverage.asking.retries import TimeLimit
from router.coverage.documents import CoverageDocument
from router.coverage.drill.azure import call_heartbeat
from router.coverage.expected.manifest import NO_MANIFEST, CoverageManifest, Expectation, ExpectedExport
from router.coverage.gate import GateResult, judge_documents
from router.deliver.azure_transport import LoopbackCredential
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.coverage import Rung, WorkloadKind
from tests.coverage.builders import COVERED, GAP, NOT_COVERABLE, UNKNOWN, expects, verdict
from tests.egress import EgressProxy
from tests.examples import some_of
from tests.stack.azure_management.estate import HUB, Estate, healthy_estate, subscription_id
from tests.stack.azure_management.management import FAULTS, AzureManagement, Fault
from tests.waiting import PATIENCE

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
FIRST, SECOND = subscription_id(0), subscription_id(1)
EXPORT = CoverageManifest(export=ExpectedExport(alerts=HUB))


def asked(
    azure: AzureManagement, *subscriptions: str, manifest: CoverageManifest = EXPORT, **options: Any
) -> tuple[CoverageDocument, ...]:
    """The documents of everything that is asked."""
    scope = AzureScope(cloud=PUBLIC, subscriptions=subscriptions, manifest=manifest, now=NOW, **options)
    return asyncio.run(ask_azure(scope, AzureApi(azure.send, PUBLIC, LoopbackCredential()).send))


def judged(azure: AzureManagement, *subscriptions: str, manifest: CoverageManifest = EXPORT) -> GateResult:
    """What comes of it."""
    return judge_documents(asked(azure, *subscriptions, manifest=manifest), manifest, NOW)


def covered(result: GateResult) -> set[tuple[str, Rung]]:
    """What is covered."""
    return {(workload.subject, rung) for workload, rung, one in result.assessed.verdicts() if one.state is COVERED}


def is_passed(result: GateResult) -> bool:
    """Whether the gate would end with 0."""
    states = {one.state for _, _, one in result.assessed.verdicts()}
    return bool(states) and states <= {COVERED, NOT_COVERABLE} and not result.unanswered


def gets(azure: AzureManagement) -> list[str]:
    """The paths of Resource Manager that were asked."""
    return [
        one.url.partition("?")[0].removeprefix(PUBLIC.resource_manager) for one in azure.asked if one.method == "GET"
    ]


def of_resources(azure: AzureManagement) -> list[str]:
    """Those of them that are of single resources."""
    return [path for path in gets(azure) if "/resourceGroups/" in path]


def without_clusters(estate: Estate) -> Estate:
    """The estate without its clusters, of which Azure alone proves little."""
    estate.graph["resources"] = [row for row in estate.graph["resources"] if "managedclusters" not in row["type"]]
    return estate


def test_a_healthy_estate_is_covered_and_what_is_wrong_is_a_gap() -> None:
    """As far as Azure can say it: clusters have an API of their own. The evidence says what was asked."""
    result = judged(AzureManagement(without_clusters(healthy_estate(2, machines=2))))
    assert (is_passed(result), len(result.assessed.rows), result.unused) == (True, 2 * (1 + 4 + 2), ())
    result = judged(AzureManagement(healthy_estate()))
    installed = verdict(result, "web-0", Rung.SENSOR_INSTALLED).evidence[0].document
    assert installed.startswith("Resource Graph: machines data[")
    (export,) = {one.document for one in verdict(result, "contoso-0", Rung.EXPORT).evidence}
    assert export.startswith(f"GET /subscriptions/{FIRST}/providers/Microsoft.Security/automations value[0]")
    estate = healthy_estate(machines=2)
    estate.set_plan(FIRST, "SqlServers", pricingTier="Free")
    estate.lists[f"/subscriptions/{FIRST}/providers/microsoft.security/automations"][0]["properties"]["isEnabled"] = (
        False
    )
    result = judged(AzureManagement(estate))
    cells = ("ledger", Rung.PLAN), ("contoso-0", Rung.EXPORT), ("web-1", Rung.PLAN)
    assert [verdict(result, *cell).state for cell in cells] == [GAP, GAP, COVERED]


def test_few_requests_are_made_of_many_subscriptions() -> None:
    """Whatever the pages. Plans are asked again where Resource Graph does not know of them, and not where it says enough."""
    whole = judged(AzureManagement(healthy_estate(3, machines=3)))
    for page in (1, 2, 7):
        result = judged(AzureManagement(healthy_estate(3, machines=3), page=page))
        assert covered(result) == covered(whole)
        assert result.unanswered == ()
    azure = AzureManagement(without_clusters(healthy_estate(200, machines=0)))
    assert is_passed(judged(azure))
    pages_of_plans = 3
    assert len([one for one in azure.asked if one.method == "POST"]) == len(QUERIES) + pages_of_plans
    assert len(gets(azure)) == 4 * 200
    estate = healthy_estate(3)
    for row in estate.graph["securityresources"]:
        if "pricings" in row["type"]:
            row["properties"]["resourcesCoverageStatus"] = "FullyCovered"
    azure = AzureManagement(estate)
    judged(azure)
    assert len(gets(azure)) == 3 * 3
    estate = healthy_estate(machines=0)
    estate.graph["resources"].clear()
    azure = AzureManagement(estate)
    azure.fault = lambda request, answer: (
        FAULTS["500"](request, answer) if b"security/pricings" in request.body else answer
    )
    result = judged(azure)
    assert verdict(result, "contoso-0", Rung.PLAN).state is COVERED
    assert [name for name, _ in result.unanswered] == ["Resource Graph: pricings"]


def test_a_resource_is_asked_only_where_its_plan_may_be_off_there() -> None:
    """Each of that plan, and the one that differs is a gap; of too many those that were not asked are unknown, and said."""
    azure = AzureManagement(healthy_estate(2, machines=2))
    judged(azure)
    assert not of_resources(azure)
    for plan, name, many in (
        *(("VirtualMachines", "web-1", 2), ("Containers", "images", 2)),
        *(("StorageAccounts", "uploads", 1), ("CosmosDbs", "carts", 1)),
    ):
        estate = healthy_estate(2, machines=2)
        estate.override(FIRST, plan, off=name)
        azure = AzureManagement(estate)
        rows = [one for one in judged(azure).assessed.rows if one.workload.name == name]
        assert [path.split("/")[2] for path in of_resources(azure)] == [FIRST] * many
        states = {one.workload.subscription: one.verdicts[Rung.PLAN].state for one in rows}
        assert states == {FIRST: GAP, SECOND: COVERED}
    for most, is_cut in ((2, False), (1, True)):
        estate = healthy_estate(machines=2)
        estate.override(FIRST, "VirtualMachines")
        azure = AzureManagement(estate)
        result = judge_documents(asked(azure, most_resources=most), EXPORT, NOW)
        assert len(of_resources(azure)) == most
        said = "holds an answer that was refused: 1 of 2 were asked; name fewer subscriptions with --subscription"
        assert dict(result.unanswered) == ({"plans of single resources": said} if is_cut else {})
        plans = [one.state for _, rung, one in result.assessed.verdicts() if rung is Rung.PLAN]
        assert plans.count(UNKNOWN) == (1 if is_cut else 0)


def expecting(*names: str, subscription: str = "*") -> CoverageManifest:
    """A manifest that names subscriptions."""
    named = expects(*names, kinds=[WorkloadKind.SUBSCRIPTION], subscriptions=[subscription], rungs=None)
    return replace(EXPORT, expectations=(named, Expectation(number=2)), is_given=True)


def asks_of(azure: AzureManagement) -> set[str]:
    """The subscriptions that Resource Graph was asked about in its first query for what is in them."""
    bodies = [json.loads(one.body) for one in azure.asked if one.method == "POST"]
    return set(next(one["subscriptions"] for one in bodies if one["query"] == QUERIES[0].text))


def test_the_subscriptions_that_are_named_are_asked() -> None:
    """On the command line, else in the manifest by their ids; else all that can be read. Nothing runs in a disabled one."""
    for named, manifest, expected in (
        ((), NO_MANIFEST, {FIRST, SECOND, subscription_id(2)}),
        ((SECOND,), expecting(FIRST), {SECOND}),
        ((), expecting(FIRST), {FIRST}),
        ((), expecting(f"/subscriptions/{FIRST.upper()}"), {FIRST}),
        ((), expecting("*", subscription=SECOND), {SECOND}),
        ((), expecting(FIRST, "contoso-*"), {FIRST, SECOND, subscription_id(2)}),
        ((), expecting("contoso-1"), {FIRST, SECOND, subscription_id(2)}),
    ):
        azure = AzureManagement(healthy_estate(3))
        asked(azure, *named, manifest=manifest)
        assert asks_of(azure) == expected, (named, manifest)
    estate = healthy_estate(2)
    estate.graph["resourcecontainers"][1]["properties"]["state"] = "Disabled"
    azure = AzureManagement(estate)
    judged(azure)
    assert {path.split("/")[2] for path in gets(azure)} == {FIRST}


def test_a_subscription_that_vanishes_is_unknown() -> None:
    """Named on the command line or in the manifest; and an estate without a role is empty, which is not healthy."""
    manifest = expecting(FIRST, SECOND)
    for named in ((FIRST, SECOND), ()):
        estate = without_clusters(healthy_estate(2))
        assert is_passed(judged(AzureManagement(estate), *named, manifest=manifest))
        estate.hidden.add(SECOND)
        result = judged(AzureManagement(estate), *named, manifest=manifest)
        assert not is_passed(result)
        assert [verdict(result, name, Rung.PLAN).state for name in (SECOND, "contoso-0")] == [UNKNOWN, COVERED]
        reasons = dict(result.unanswered)
        assert "does not appear in what Resource Graph answers" in reasons[f"subscription {SECOND}"]
        settings_asked = reasons[f"GET /subscriptions/{SECOND}/providers/Microsoft.Security/settings"]
        assert "403, so that the role Security Reader is missing: AuthorizationFailed" in settings_asked
    estate = healthy_estate()
    estate.hidden.add(FIRST)
    result = judged(AzureManagement(estate))
    assert result.assessed.rows == ()
    assert "none can be read; name one with --subscription" in dict(result.unanswered)["subscriptions"]


def test_a_query_has_pages_and_takes_a_thousand_subscriptions() -> None:
    """Without an id there is no second page; of a tenant that has too many, a header alone says so."""
    for query in (*QUERIES, SUBSCRIPTIONS, TAGS):
        assert query.text.rpartition("| project ")[2].split(",")[0] == "id", query.title
    for many, sizes in ((1000, [1000]), (1001, [1000, 1])):
        azure = AzureManagement(Estate())
        questions = AzureQuestions(azure.send, PUBLIC)
        some = [subscription_id(number) for number in range(many)]
        asyncio.run(questions.ask(questions.graph(QUERIES[0], some)))
        assert [len(json.loads(one.body)["subscriptions"]) for one in azure.asked] == sizes
    azure = AzureManagement(healthy_estate())
    limit = {"x-ms-tenant-subscription-limit-hit": "true"}
    azure.fault = lambda _, answer: replace(answer, headers={**answer.headers, **limit})
    assert "more subscriptions than one query takes" in dict(judged(azure).unanswered)["Resource Graph: subscriptions"]


def troubled_estate() -> Estate:
    """An estate in which something of everything is asked, so that each question can go wrong."""
    estate = healthy_estate(machines=2)
    for plan, off in {
        "VirtualMachines": "web-1",
        "StorageAccounts": "",
        "CosmosDbs": "carts",
        "Containers": "",
    }.items():
        estate.override(FIRST, plan, off)
    estate.set_plan(FIRST, "SqlServers", pricingTier="Free")
    return estate


UNHARMED = {"truncated", "elsewhere", "endless", "odd tokens", "other next", "truncated indeed"}
"""Faults that say that more follows, which nobody asks of what is one object."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_never_makes_anything_covered(fault: str) -> None:
    """Whichever request it comes to: never more is covered than without it, and the gate never passes."""
    azure = AzureManagement(troubled_estate(), page=10)
    before = covered(judged(azure))
    requests = list({(one.url, one.body): one for one in azure.asked}.values())
    assert len(requests) > 20
    for request in requests:
        azure.fault = at({(request.url, request.body): fault})
        result = judged(azure)
        assert covered(result) <= before, request.url
        is_of_one_object = "/resourceGroups/" in request.url
        assert result.unanswered or (fault in UNHARMED and is_of_one_object), (request.url, request.body)


def at(faults: Mapping[tuple[str, bytes], str]) -> Fault:
    """Faults of the answers to some requests, each by its URL and its body."""

    def answer(asked: HttpRequest, found: HttpAnswer) -> HttpAnswer:
        name = faults.get((asked.url, asked.body))
        return FAULTS[name](asked, found) if name else found

    return answer


_WRONG_PLAN = st.tuples(
    st.sampled_from([FIRST, SECOND]),
    st.sampled_from(["VirtualMachines", "Containers", "StorageAccounts", "SqlServers", "CloudPosture"]),
    st.sampled_from(
        [{"pricingTier": "Free"}, *({"resourcesCoverageStatus": f"{word}Covered"} for word in ("Partially", "Not"))]
    ),
)


@settings(max_examples=some_of(100), deadline=None)
@given(
    broken=st.lists(_WRONG_PLAN, max_size=3),
    hidden=st.sampled_from([frozenset(), frozenset({SECOND})]),
    page=st.sampled_from([3, 1000]),
    given=st.sampled_from([(), (FIRST, SECOND)]),
    faults=st.dictionaries(st.integers(0, 50), st.sampled_from(sorted(FAULTS)), min_size=1, max_size=4),
)
@example(broken=[], hidden=frozenset(), page=3, given=(), faults={32: "other next"})
def test_faults_together_never_make_anything_covered(
    broken: list[tuple[str, str, dict[str, str]]],
    hidden: frozenset[str],
    page: int,
    given: tuple[str, ...],
    faults: dict[int, str],
) -> None:
    """Several requests go wrong, each in its own way, in an estate that is somehow broken itself."""
    estate = healthy_estate(2)
    for subscription, plan, changes in broken:
        estate.set_plan(subscription, plan, **changes)
    estate.hidden |= hidden
    azure = AzureManagement(estate, page)
    before = covered(judged(azure, *given))
    requests = [azure.asked[number % len(azure.asked)] for number in faults]
    by_request = {(one.url, one.body): name for one, name in zip(requests, faults.values(), strict=True)}
    azure.fault = at(by_request)
    result = judged(azure, *given)
    assert covered(result) <= before
    is_harmed = any(name not in UNHARMED or "/resourceGroups/" not in url for (url, _), name in by_request.items())
    assert result.unanswered or not is_harmed


def test_nothing_of_an_answer_leads_to_another_host() -> None:
    """An id, or a link, may be anything."""
    estate = healthy_estate()
    estate.override(FIRST, "StorageAccounts")
    for row in estate.graph["resources"]:
        row["id"] = row["id"].replace("uploads", "up?loads#@evil.test/../..")
    azure = AzureManagement(estate)
    judged(azure)
    assert all(one.url.startswith(f"{PUBLIC.resource_manager}/") for one in azure.asked)
    assert any("up%3Floads%23%40evil.test" in one.url for one in azure.asked)


WORKSPACE = "0d3f1c52-1111-4b7a-9c45-000000000001"


def of_workspaces(fault: Fault) -> Fault:
    """A fault of what workspaces answer alone."""
    return lambda request, answer: fault(request, answer) if "/workspaces/" in request.url else answer


def test_a_workspace_says_when_the_sensor_of_a_cluster_last_sent_a_row(subtests: pytest.Subtests) -> None:
    """One without rows proves nothing, and is no fault; one that does not answer is named, and nothing else is worse for it."""
    estate = healthy_estate()
    cluster = next(row["id"] for row in estate.graph["resources"] if "managedclusters" in row["type"])
    azure = AzureManagement(estate)
    before = judged(azure)
    estate.processes[WORKSPACE] = []
    assert judge_documents(asked(azure, workspaces=(WORKSPACE,)), EXPORT, NOW) == before
    for name in sorted(FAULTS.keys() - {"rows lost", *UNHARMED}):
        with subtests.test(name):
            azure.fault = of_workspaces(FAULTS[name])
            result = judge_documents(asked(azure, workspaces=(WORKSPACE,)), EXPORT, NOW)
            assert covered(result) == covered(before)
            (reason,) = [text for document, text in result.unanswered if WORKSPACE in document]
            assert "Log Analytics Reader" in reason or name != "403"
    estate.processes[WORKSPACE] = [(cluster, "2026-11-26T09:00:00Z"), ("arn:aws:eks:x", "2026-11-26T09:00:00Z")]
    documents = asked(AzureManagement(estate), workspaces=(WORKSPACE,))
    found = verdict(judge_documents(documents, EXPORT, NOW), "aks-payouts", Rung.SENSOR_RUNNING)
    said = "the last row of its sensor is 3 hours old, and says nothing of its other nodes"
    assert (found.state, found.reason.endswith(said)) == (UNKNOWN, True)
    assert found.evidence[-1].document == f"Log Analytics: last rows in workspace {WORKSPACE} [0]"


MEGABYTE = 1 << 20


@pytest.mark.soak
def test_five_thousand_workloads_are_asked_and_judged_in_little_memory() -> None:
    """It grows with the estate, as the rows do, and with nothing else."""
    peaks = []
    for machines in (50, 250):
        azure = AzureManagement(without_clusters(healthy_estate(20, machines)))
        tracemalloc.start()
        result = judged(azure)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert is_passed(result)
    assert len(result.assessed.rows) == 5100
    assert peaks[1] < 250 * MEGABYTE
    assert peaks[1] < 6 * peaks[0]


def test_azure_its_tokens_and_who_hears_of_a_drill_are_asked_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the settings say, with the settings' authorities; each is told what is for it."""
    asked: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append((request.host, request.headers.get("Authorization", "")))
        return web.json_response({"access_token": "a token", "expires_in": 3600, "token_type": "Bearer"})

    async def work() -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", answer)
        async with served(application) as url:
            proxy = EgressProxy(dict.fromkeys(("login.test", "arm.test", "beat.test"), url), "soc:p")
            proxy.authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
            async with proxy.running():
                settings = Settings(
                    {
                        "ALERT_ROUTER_PROXY": proxy.url("soc:p@"),
                        "ALERT_ROUTER_CA_FILE": str(tmp_path / "ca.pem"),
                        "ALERT_ROUTER_RESOURCE_MANAGER": "https://arm.test",
                    }
                )
                async with azure_over(settings, TimeLimit(PATIENCE)) as (cloud, send):
                    request = HttpRequest(method="GET", url=f"{cloud.resource_manager}/subscriptions")
                    assert (await send(request)).status == 200
                assert await call_heartbeat(settings, "https://beat.test/s3cret", NOW) is None
        assert asked == [("login.test", ""), ("arm.test", "Bearer a token"), ("beat.test", "")]

    for name, value in {
        "AZURE_TENANT_ID": "t",
        "AZURE_CLIENT_ID": "c",
        "AZURE_CLIENT_SECRET": "client-s3cret",
        "AZURE_AUTHORITY_HOST": "https://login.test",
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
    }.items():
        monkeypatch.setenv(name, value)
    asyncio.run(work())
