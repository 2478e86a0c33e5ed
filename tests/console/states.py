"""States to show in the console: three days of the demo's samples, one without a message, and one of hostile messages."""

from __future__ import annotations

import re
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import orjson

import alert_router_demo
from benchmarks.virtual import Clock, VirtualRouter
from router.app.destination_states import KnownDestination, hold
from router.app.repairs import discard_letters
from router.app.rules import Rules, load_rules
from router.app.silences import add_silence, end_silence, extend_silence
from router.coverage.last_check import document_of_check
from router.coverage.verdicts import CoverageException, CoverageRow, CoverageState, Verdict, Workload
from router.domain.conversation import Result
from router.domain.coverage import Rung, WorkloadKind
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind, LastHeard
from router.domain.deliveries import Claim, Receipt
from router.domain.documents import DocumentKind, StoredDocument
from router.domain.errors import Rejected, Unauthorized
from router.domain.keys import signal_key
from router.domain.notices import Notice
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.domain.silent_sources import KnownSource
from router.rulebook.starter import STARTER
from router.store.dead_letters import list_dead_letters
from router.store.documents import put_document
from router.store.quarantine import list_quarantined
from router.store.sources import write_watched
from router.store.store import Store
from tests.builders import NOW, alert_body, finding_body
from tests.coverage.stored_builders import drill
from tests.silences import HOUR, a_silence, called
from tests.store.opened import Place, open_store
from tests.store.within import within

SAMPLES = Path(alert_router_demo.__file__).parent / "samples"
PRODUCTION = "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
MACHINE = "web-lin-01"
RULE = "scanner-sql-bruteforce"
RETIRED = "retired-scanner#1?.json"
BY = "ana@contoso.example"

SCRIPT = "<script>window.taken=1</script>"
MARKUP = (
    SCRIPT,
    '"><img src=x onerror="window.taken=1">',
    "'><svg onload=window.taken=1>",
    "</textarea></title></pre><script>window.taken=1</script>",
    "{{191*7}} {% raw %} ${191*7}",
)
CONTROLS = "\u202egnp.exe\u2066\u200f\u0000\u001b[31m\u009b\U000e0041\u2028"
LONG = "N" * 100_000
CLIMBING = "../../x?y=1#z&token=<b>"
"""The id of a resource that leads elsewhere where a link takes it as it is."""
LINKS = (
    "javascript:window.taken=1",
    "data:text/html,<script>window.taken=1</script>",
    "//evil.example/",
    "http://evil.example/",
)

type Fill = Callable[[Store, Rules, Clock], Awaitable[Mapping[str, str]]]
"""Fills a store; returns the URLs of the views that need an id or a name, by the paths of the views."""


class State(NamedTuple):
    """A state, and what to ask about it.

    Attributes:
        clock: the console's; it stands still.
        is_hostile: whether its messages would do something if a page took them for more than text.
    """

    place: Place
    rules: Rules
    paths: Mapping[str, str]
    clock: Callable[[], datetime]
    is_hostile: bool = False

    def url(self, path: str) -> str:
        """The URL of a view by its path; raises KeyError where that has a parameter which is not in `paths`."""
        path = re.sub(r":\w+}", "}", path)
        return self.paths[path] if "{" in path else self.paths.get(path, path)


async def new_state(place: Place, rules: Rules, fill: Fill) -> State:
    """Make a state in a place."""
    clock = Clock(NOW)
    store = open_store(place, clock)
    await store.upgrade()
    paths = await fill(store, rules, clock)
    clock.now = NOW
    await store.close()
    return State(place, rules, paths, clock, fill is fill_hostile)


def write_rules(directory: Path, owner: str = "platform-oncall") -> Rules:
    """The starter's rules, and one that ends within three days and holds nothing. One owner has what no other one has."""
    shutil.copytree(STARTER, directory)
    suppressions, owners = directory / "cwpp" / "suppressions", directory / "owners.yaml"
    ending = orjson.loads((suppressions / f"{RULE}.json").read_bytes())
    ending["properties"] |= {"expirationDateUtc": "2026-11-27T00:00:00Z", "alertType": "SQL.DB_PrincipalAnomaly"}
    (suppressions / f"{RETIRED}.json").write_bytes(orjson.dumps(ending))
    rest = f"\n  - {orjson.dumps({'group': owner}).decode()}\n\nsubscriptions:"
    owners.write_text(owners.read_text().replace("\nsubscriptions:", rest))
    return load_rules(directory, list(Stream), NOW)


async def fill_nothing(store: Store, rules: Rules, clock: Clock) -> Mapping[str, str]:
    """Leave a store as it is."""
    return {}


async def fill_busy(store: Store, rules: Rules, clock: Clock) -> Mapping[str, str]:
    """Take in the samples over three days, deliver them to a SOC that refuses some, and have people act on it."""
    router = VirtualRouter(store, rules, clock, answer=_answer)
    lines = {stream: (SAMPLES / f"{stream}.ndjson").read_bytes().splitlines() for stream in Stream}
    batches = [(stream, list(some)) for stream in Stream for some in batched(lines[stream], 8, strict=False)]
    clock.now = NOW - timedelta(days=3)
    for stream, bodies in batches:
        await router.take(stream, bodies)
        await router.deliver()
        clock.now += timedelta(days=2.9) / len(batches)
    await _act(store, rules, clock)
    await _keep_coverage(store, ESTATE, "nothing came to the hub within 15 minutes")
    # Of this machine, which is silent now; and of another one, which nobody has been told of yet.
    noisy = {"AzureResourceId": _machine(MACHINE), "Entities": [{"Type": "host", "HostName": MACHINE}]}
    await router.take(
        Stream.CWPP, [alert_body("silenced", AlertDisplayName="A new user was added to sudoers", **noisy)]
    )
    await router.deliver()
    clock.now = NOW - timedelta(minutes=4)
    owed = {"AzureResourceId": _machine("pay-lin-02"), "AlertDisplayName": "A web shell was found"}
    await router.take(Stream.CWPP, [alert_body("owed", **owed)])
    async with store.session() as tx:
        letters, unread = await list_dead_letters(tx), await list_quarantined(tx)
    assert letters and unread
    paths = paths_of(signal_key(Stream.CWPP, "alert", "silenced"), _machine(MACHINE), RULE, await _first_silence(store))
    # A day is told against the day before; a week would have none before it.
    return {**paths, "/report": "/report?since=24h"}


async def _act(store: Store, rules: Rules, clock: Clock) -> None:
    """Make silences, one of which goes on and one is ended; hold a destination; discard a dead letter."""
    clock.now = NOW - HOUR
    patching = a_silence(
        "", begins=clock.now, lasts=4 * HOUR, groups=(called(MACHINE),), author=BY, ticket="CHG0030412"
    )
    made = await add_silence(store, patching)
    await extend_silence(
        store, made.id, made.end + HOUR, rules.books, clock.now, author=BY, reason="the patch takes longer"
    )
    over = a_silence(
        "", begins=clock.now, groups=(called("jump-lin-01"),), reason="load test", author="sam@contoso.example"
    )
    ended = await add_silence(store, over)
    clock.now = NOW - HOUR / 2
    await end_silence(store, ended.id, clock.now, author=BY, reason="it is done")
    sentinel = KnownDestination(Stream.CWPP, "sentinel", Lane.ROWS)
    await hold(store, sentinel, NOW + HOUR, clock.now, author=BY, reason="the workspace moves")
    async with store.session() as tx:
        letter, *_ = await list_dead_letters(tx)
    await discard_letters(store, [letter], clock.now, author=BY, reason="told by phone")


def a_workload(
    name: str, running: str, plan: str = "covered", *, remedy: str | None = None, person: str | None = None
) -> CoverageRow:
    """A cluster, what is known of its sensor and its plan, and who excuses it."""
    excused = CoverageException(owner=person, reason=f"{person} moves it", ends=NOW + 99 * HOUR) if person else None
    verdicts = {
        Rung.PLAN: Verdict(state=CoverageState(plan), reason=f"the plan of {name}"),
        Rung.SENSOR_RUNNING: Verdict(
            state=CoverageState(running), reason=f"the sensor of {name}", remedy=remedy, exception=excused
        ),
    }
    workload = Workload(kind=WorkloadKind.CLUSTER, name=name, subscription=PRODUCTION, subject=name.lower())
    return CoverageRow(workload=workload, verdicts=verdicts)


ESTATE = [
    *(a_workload(f"aks-{number}", "covered") for number in range(60)),
    a_workload("aks-ledger", "unknown", remedy="kubectl get pods -A -o json"),
    a_workload("aks-free", "gap", "gap"),
    a_workload("aks-old", "excused", person=BY),
    a_workload("aks-payouts", "gap", remedy="kubectl label namespace kube-system level=privileged"),
]
"""Clusters of which one is paid for and dark."""


async def _keep_coverage(store: Store, rows: Sequence[CoverageRow], reason: str) -> None:
    """Keep what a check found of workloads, a source that is silent, and a drill that failed."""
    heard = LastHeard(source=CoverageSource(CoverageSourceKind.SUBSCRIPTION, PRODUCTION), subscription=PRODUCTION)
    silent = KnownSource(heard=heard, silent_since=NOW - 200 * HOUR, allowed=8 * 24 * HOUR, name=rows[0].workload.name)
    drilled = orjson.dumps(drill("failed", reason=reason, subscription=PRODUCTION, cluster=rows[0].workload.name))
    fact = StoredDocument(kind=DocumentKind.FACT, id=f"drill:{PRODUCTION}", at=NOW, body=drilled)
    await within(store, write_watched, [silent], NOW)
    await within(store, put_document, fact)
    await within(store, put_document, document_of_check(f"{len(rows)} workloads judged", rows, NOW - HOUR))


async def fill_hostile(store: Store, rules: Rules, clock: Clock) -> Mapping[str, str]:
    """Take in messages, and have people write words, that would do something if a page took them for more than text."""
    router = VirtualRouter(store, rules, clock, answer=_refuse_rows)
    texts = (*MARKUP, CONTROLS, LONG)
    everything = " ".join((*MARKUP, CONTROLS))
    bodies = [_hostile_alert(f"hostile-{number} {text[:200]}", text) for number, text in enumerate(texts)]
    climbing = {"AzureResourceId": CLIMBING, "AlertUri": LINKS[0], "ExtendedLinks": [{"Href": one} for one in LINKS]}
    whole = _hostile_alert("hostile", everything, **climbing)
    clock.now = NOW - HOUR
    silence = a_silence(
        "", begins=clock.now, groups=(called(SCRIPT),), reason=everything, author=everything, ticket=everything
    )
    await add_silence(store, silence)
    await hold(
        store,
        KnownDestination(Stream.CSPM, "posture", Lane.ROWS),
        NOW + HOUR,
        NOW,
        author=everything,
        reason=everything,
    )
    await _keep_coverage(store, [a_workload(everything, "gap", remedy=everything, person=everything)], everything)
    await router.take(Stream.CWPP, [*bodies, whole, everything.encode(), orjson.dumps({SCRIPT: everything})])
    findings = [
        finding_body(f"hostile-{number}", title=text, resource=f"{_machine('m')}{number}/{text[:300]}")
        for number, text in enumerate(texts)
    ]
    await router.take(Stream.CSPM, [*findings, LONG.encode()])
    await router.deliver()
    return paths_of(signal_key(Stream.CWPP, "alert", "hostile"), CLIMBING, RULE, await _first_silence(store))


def _hostile_alert(id: str, text: str, **fields: object) -> bytes:
    where = {"AzureResourceId": f"{_machine('m')}{text}", "CompromisedEntity": text}
    entities = [{"Type": "host", "HostName": text}, {"Type": "account", "Name": text}, {"Type": "url", "Url": LINKS[0]}]
    said = {"AlertDisplayName": text, "Description": text, "AlertType": text[:300], "RemediationSteps": [text]}
    return alert_body(id, **{**where, **said, "Entities": entities, "ExtendedProperties": {text[:300]: text}, **fields})


def _answer(claim: Claim) -> Result:
    """What a SOC answers that has lost one of its fields, and one of whose keys has run out."""
    notice, where = claim.delivery.content, claim.delivery.destination
    if (
        where == "soc-tickets"
        and isinstance(notice, Notice)
        and (notice.type or "").startswith(("NETWORK", "API", "KV"))
    ):
        return Rejected("answered 400 (Invalid value of u_environment)", status=400)
    if where == "soc-coverage":
        return Unauthorized("answered 401")
    if where == "oncall":
        reference = f"Q{claim.delivery.key[:6].upper()}"
        return Receipt(reference=reference, link=f"https://contoso.pagerduty.example/incidents/{reference}")
    if claim.delivery.lane is Lane.TICKET:
        number = f"INC00{int(claim.delivery.key[:4], 16):05d}"
        return Receipt(reference=number, link=f"https://contoso.service-now.example/incident.do?number={number}")
    return Receipt()


def _refuse_rows(claim: Claim) -> Result:
    """What a vendor answers that is hostile itself."""
    if claim.delivery.lane is Lane.ROWS:
        return Rejected("answered 400 (" + " ".join((*MARKUP, CONTROLS)) + ")")
    return Receipt(reference=" ".join(MARKUP), link=LINKS[int(claim.delivery.key[:2], 16) % len(LINKS)])


def _machine(name: str) -> str:
    return f"/subscriptions/{PRODUCTION}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/{name}"


async def _first_silence(store: Store) -> str:
    async with store.session() as tx:
        (row, *_) = await tx.fetch("SELECT id FROM documents WHERE kind='silence' ORDER BY id")
    return row.text("id")


def paths_of(signal: str, resource: str, rule: str, silence: str) -> Mapping[str, str]:
    """The URLs of the views that need something, by the paths of the views: of a signal, a resource, a rule and a silence."""
    return {
        "/signals/{key}": f"/signals/{signal}",
        "/resource": f"/resource?{urlencode({'id': resource})}",
        "/rules/{stream}": f"/rules/cwpp?name={rule}",
        "/silences/{id}": f"/silences/{silence}",
        "/silences/new": f"/silences/new?{urlencode({'resource': resource})}",
    }
