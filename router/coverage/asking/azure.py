"""Everything that Azure is asked for the gate, in the order in which one answer leads to the next question.

1. which subscriptions there are; the workspaces
2. Resource Graph over all of them, and three lists of Resource Manager for each
3. the plans of those subscriptions of which Resource Graph did not say enough
4. each resource whose plan may have been switched off there

A subscription that may not be read is missing from every answer of Resource Graph without a word: so it starts from those that
are expected, and what does not appear is refused.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from router.coverage.asking import arm
from router.coverage.asking.azure_api import AzureCloud
from router.coverage.asking.retries import Advance, Send
from router.coverage.documents import CoverageDocument, parsed_document
from router.coverage.expected.manifest import EVERY_NAME, NO_MANIFEST, CoverageManifest
from router.coverage.facts import CoverageCase, CoverageFact, Facts, ResourceFact, subscription_subject
from router.coverage.fields import find_list, find_text
from router.coverage.plans.at_resource import ResourcePlan, on_part, resource_plan
from router.coverage.plans.table import PLAN_OF_KIND
from router.coverage.readers import read_facts
from router.coverage.readers.plans import PlanFact
from router.coverage.remedies import PRICINGS_VERSION
from router.coverage.verdicts import CoverageState
from router.domain.coverage import WorkloadKind
from router.domain.errors import Unavailable
from router.domain.resources import find_subscription_id
from router.domain.values import Value

MOST_RESOURCES = 2000
"""Resources that are asked for a plan of their own at the most, at some ten a second."""

_COLUMNS = "AzureResourceId: string, AwsResourceName: string, GcpFullResourceName: string"

LAST_ROWS = (
    f"union isfuzzy=true (datatable(TimeGenerated: datetime, {_COLUMNS})[]), CloudProcessEvents"
    " | summarize last = max(TimeGenerated) by AzureResourceId, AwsResourceName, GcpFullResourceName"
)
"""The last row of each cluster's sensor. A workspace that does not have the table answers with none, and no error.
https://learn.microsoft.com/azure/azure-monitor/reference/tables/cloudprocessevents"""

_SPAN = "P30D"
"""How far back it looks: what is older says nothing of today."""

_VERSION = "?api-version="


class AzureScope(Value, kw_only=True):
    """What of Azure is asked: subscriptions by id; none for those that the manifest names, or for all that can be read."""

    cloud: AzureCloud
    subscriptions: tuple[str, ...] = ()
    workspaces: tuple[str, ...] = ()
    manifest: CoverageManifest
    now: datetime
    most_resources: int = MOST_RESOURCES


class AzureQuestions:
    """Asks questions side by side, and counts them."""

    def __init__(self, send: Send, cloud: AzureCloud, advance: Advance = lambda ended, known: None) -> None:
        self.send = send
        self.cloud = cloud
        self._advance = advance
        self._ended = self._known = 0

    def graph(self, query: arm.GraphQuery, subscriptions: Sequence[str]) -> Iterator[Awaitable[arm.Documents]]:
        """Return a query over some subscriptions, or over all that can be read if none is named."""
        for name, batch in arm.batch_subscriptions(query, subscriptions):
            yield arm.ask_graph(self.send, self.cloud, query, batch, name)

    async def ask(self, questions: Iterable[Awaitable[arm.Documents]]) -> list[CoverageDocument]:
        """Return the documents of all questions, in their order."""
        asked = list(questions)
        self._known += len(asked)
        self._advance(self._ended, self._known)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._count(one)) for one in asked]
        return [document for task in tasks for document in task.result()]

    async def _count(self, question: Awaitable[arm.Documents]) -> arm.Documents:
        documents = await question
        self._ended += 1
        self._advance(self._ended, self._known)
        return documents


async def ask_azure(scope: AzureScope, send: Send, advance: Advance = lambda ended, known: None) -> arm.Documents:
    """Return all answers; what is expected and does not appear in any of them is a document of its own."""
    cloud, azure = scope.cloud, AzureQuestions(send, scope.cloud, advance)
    expected, are_all = asked_subscriptions(scope.subscriptions, scope.manifest)
    found = await azure.ask(
        [
            *azure.graph(arm.SUBSCRIPTIONS, expected if are_all else ()),
            *(ask_workspace(send, cloud, workspace) for workspace in scope.workspaces),
        ]
    )
    seen = seen_subscriptions(found)
    subscriptions = tuple(dict.fromkeys((*expected, *seen)))
    if not subscriptions:
        reason = "none can be read; name one with --subscription, or give the role Reader"
        return (*found, arm.refused("subscriptions", reason))
    enabled = [one for one in subscriptions if not seen.get(one, False)]
    answers = await azure.ask(
        [
            *(question for query in arm.QUERIES for question in azure.graph(query, subscriptions)),
            *(arm.ask_security_list(send, cloud, one, *each) for one in enabled for each in arm.SECURITY_LISTS.items()),
        ]
    )
    known: list[CoverageFact] = [*_plan_facts(answers)]
    of_plans = await azure.ask(
        arm.ask_security_list(send, cloud, one, "pricings", PRICINGS_VERSION)
        for one in _subscriptions_to_ask(Facts.of(known), enabled, scope.now)
    )
    known += _plan_facts(of_plans)
    resources = _resources_to_ask(Facts.of(known), scope.now)
    asked = resources[: scope.most_resources]
    of_resources = await azure.ask(arm.ask_object(send, cloud, path, version) for path, version in asked)
    # What is expected and does not appear is unknown.
    gone = "it does not appear in what Resource Graph answers: it is gone, or the role Reader is missing there"
    lacking = []
    for id in (one for one in expected if one not in seen):
        named = {"id": f"/subscriptions/{id}", "type": "Microsoft.Resources/subscriptions", "subscriptionId": id}
        lacking.append(arm.partly(parsed_document(named, f"subscription {id}"), gone))
    if len(asked) < len(resources):
        reason = f"{len(asked):,} of {len(resources):,} were asked; name fewer subscriptions with --subscription"
        lacking.append(arm.refused("plans of single resources", reason))
    return (*found, *answers, *of_plans, *of_resources, *lacking)


def asked_subscriptions(given: Iterable[str], manifest: CoverageManifest) -> tuple[tuple[str, ...], bool]:
    """Return the ids that are given, else those of the manifest, and whether no other subscription is meant.

    Others are, too, if the manifest names some by a name or a pattern: then all that can be read are asked.
    """
    if ids := tuple(dict.fromkeys(given)):
        return ids, True
    selectors = [entry.selects for entry in manifest.expectations]
    named = [name for one in selectors if one.kinds == {WorkloadKind.SUBSCRIPTION} for name in one.names]
    named += [name for one in selectors for name in one.subscriptions]
    found = [find_subscription_id(name) for name in named if name != EVERY_NAME]
    ids = tuple(dict.fromkeys(id for id in found if id is not None))
    return ids, bool(ids) and None not in found


def seen_subscriptions(documents: Iterable[CoverageDocument]) -> Mapping[str, bool]:
    """Return the ids that appear in documents, in lower case, each with whether that subscription is disabled.

    Nothing runs in one that is disabled, and Defender does not answer for it.
    """
    return {
        id: bool(fact.is_stopped)
        for document in documents
        for fact in read_facts(document)
        if isinstance(fact, ResourceFact) and fact.workload.kind is WorkloadKind.SUBSCRIPTION
        if (id := find_subscription_id(fact.subject)) is not None
    }


def _plan_facts(documents: Iterable[CoverageDocument]) -> Iterator[CoverageFact]:
    """What documents say of plans, and of the resources that have them."""
    for document in documents:
        yield from (fact for fact in read_facts(document) if isinstance(fact, PlanFact | ResourceFact))


def _subscriptions_to_ask(facts: Facts, subscriptions: Iterable[str], now: datetime) -> list[str]:
    """The subscriptions whose plans are not known, or not whether some resource differs from them."""
    unknown = {plan.case.subscription for plan, remedy in _unknown(facts, now) if remedy == plan.ask_subscription}
    listed = {one.subject for one in facts.every(PlanFact) if one.source.is_whole}
    return [one for one in subscriptions if one in unknown or subscription_subject(one) not in listed]


def _resources_to_ask(facts: Facts, now: datetime) -> list[tuple[str, str]]:
    """The resources that may have a plan of their own: the path that says so, and the version of its API."""
    lines = dict.fromkeys(remedy for plan, remedy in _unknown(facts, now) if remedy == plan.ask_resource)
    urls = (shlex.split(line)[-1] for line in lines)
    return [(path, version) for path, _, version in (url.rpartition(_VERSION) for url in urls)]


def _unknown(facts: Facts, now: datetime) -> Iterator[tuple[ResourcePlan, str]]:
    """The plans of resources of which it is not known whether they are on, each with the line that answers it."""
    workloads = {
        fact.workload.key: fact.workload
        for fact in facts.every(ResourceFact)
        if fact.workload.kind in PLAN_OF_KIND and fact.workload.id and fact.workload.subscription
    }
    for workload in workloads.values():
        case = CoverageCase(
            workload=workload, expectation=NO_MANIFEST.expectations[0], manifest=NO_MANIFEST, facts=facts, now=now
        )
        plan = resource_plan(case)
        verdict = on_part(plan)
        if verdict.state is CoverageState.UNKNOWN and verdict.remedy is not None:
            yield plan, verdict.remedy


async def ask_workspace(send: Send, cloud: AzureCloud, workspace: str) -> arm.Documents:
    """Return the last rows that sensors sent to one workspace; no document if there are none, which proves nothing.

    https://learn.microsoft.com/azure/azure-monitor/logs/api/request-format
    """
    name = f"Log Analytics: last rows in workspace {workspace}"
    url = f"{cloud.log_analytics}/v1/workspaces/{workspace}/query"
    try:
        answer = await send(arm.post(url, {"query": LAST_ROWS, "timespan": _SPAN}))
        rows = _rows_in(arm.object_in(answer, arm.LOG_ANALYTICS_READER))
    except Unavailable as fault:
        return (arm.refused(name, str(fault)),)
    return (parsed_document(rows, name),) if rows else ()


def _rows_in(body: Mapping[str, object]) -> list[dict[str, object]]:
    """The rows of the first table, which has the result, each by the names of its columns."""
    tables = find_list(body, "tables") or [None]
    columns, rows = find_list(tables[0], "columns"), find_list(tables[0], "rows")
    if columns is None or rows is None:
        raise Unavailable("the answer has no table")
    names = [find_text(column, "name") or "" for column in columns]
    if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        raise Unavailable("the answer has rows that do not fit its columns")
    return [dict(zip(names, row, strict=True)) for row in rows if isinstance(row, list)]
