"""What `demo --keep` adds to the story: a shift in which people act and a ticket is refused, with the console open on it.

Alerts come in as messages, and people act by the functions that the command line and the console call, so nothing is made up.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from copy import replace
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from alert_router_demo.connection import connected
from alert_router_demo.soc import Soc, Status
from router.app.connections import open_state
from router.app.destination_states import KnownDestination, hold
from router.app.repairs import discard_messages
from router.app.rules import Rules, load_rules
from router.app.settings import CONSOLE, Settings
from router.app.silences import end_silence, extend_silence, list_silences
from router.app.silencing import WantedSilence, draft_silence, make_silence
from router.cli.console import console_on
from router.cli.files import input_file
from router.cli.option_values import author_given
from router.cli.printing import print_lines
from router.cli.run_job import Job, Work, at_work, messages_in
from router.destinations.webhook import Webhook
from router.domain.errors import BadFile, BadUsage
from router.domain.signals import Stream
from router.domain.silences import Silence
from router.ingest.messages import Message
from router.rulebook.lints import KnownTypes
from router.rulebook.starter import STARTER
from router.store.documents import put_document
from router.store.quarantine import list_quarantined
from router.store.store import Store

WEBHOOK = "demo-webhook"

_KIM, _OLA = "kim@contoso.example", "ola@contoso.example"

_SAMPLES = Path(__file__).parent / "samples" / "cwpp.ndjson"

_ESTATE = _SAMPLES.with_name("coverage")
_TOGGLES, _ASKED = ("pricings", "settings", "clusters"), ("cards", "ledger", "payouts")
"""What Azure says of an estate, and what its clusters say themselves."""

_TIMES = ("StartTimeUtc", "EndTimeUtc", "TimeGenerated", "ProcessingEndTime")

_SILENCED, _MOVED = "web-win-02", "pay-lin-03"
"""The machine that Kim patches, and the one that a rule is about."""

_REFUSED = ((26, "sqlvm-dwh-01", "sqlvm-dwh-02"),)
_LATER = ((9, _SILENCED, _SILENCED), (18, "pay-lin-02", _MOVED), (29, "stpaymentsweu", "stpaymentsneu"))
"""The lines of the samples that alerts of the shift are like, the resource there, and the one that they are about."""


def write_rules(directory: Path, at: datetime) -> Path:
    """Write the starter's rules into a directory, with one rule more, which ends in three days; raises BadFile."""
    rules = directory / "rules"
    files = {path.relative_to(STARTER): path.read_bytes() for path in STARTER.rglob("*") if path.is_file()}
    files[Path("cwpp/suppressions/move-of-pay-lin-03.json")] = _ending_rule(at + timedelta(days=3))
    try:
        for name, content in files.items():
            (rules / name).parent.mkdir(parents=True, exist_ok=True)
            (rules / name).write_bytes(content)
    except OSError as fault:
        raise BadFile(f"{fault.filename or rules}: cannot be written: {fault.strerror}") from fault
    return rules


def with_links(settings: Settings, listen: str) -> Settings:
    """Return settings by which what is sent links to a console that listens there; raises BadUsage where none can."""
    from router.console.serving import read_address  # which the demo alone does not wait for

    _, port = read_address(listen)
    # A port that is still to be found is in no link.
    return Settings({**settings.values, CONSOLE: f"http://{listen}"}) if port else settings


async def keep_open(soc: Soc, job: Job, listen: str) -> None:
    """Add the shift to a state, unless an earlier one lasts, and serve the console until a signal ends it.

    Raises Interrupted then, BadFile, and BadUsage where nothing can listen there.
    """
    # The console shows a rule as its file has it. A database has no place for files.
    with TemporaryDirectory(prefix="alert-router-demo-") as scratch:
        await _keep_open(soc, job, listen, job.state if isinstance(job.state, Path) else Path(scratch))


async def _keep_open(soc: Soc, job: Job, listen: str, directory: Path) -> None:
    store = await open_state(job.state, job.settings)
    try:
        now = store.now()
        # That one of them ends soon is no news here, so no warning is printed.
        rules, _ = connected(load_rules(write_rules(directory, now), list(Stream), now), soc)
        is_fresh = not (await list_silences(store, now))[0]
        if is_fresh:
            await _act(store, rules)
            await _check_coverage(store)
    finally:
        await store.close()
    # What was silenced and held is read anew by a job that begins after that.
    job = replace(job, rules=rules, decisions=None)
    async with (
        at_work(job) as work,
        console_on(work.store, rules, job.settings, listen, is_shared=False, author=_find_author()) as url,
    ):
        if is_fresh:
            soc.servicenow.faults.add(Status(400), times=None, method="POST")
            await _take(work, _REFUSED)
            soc.servicenow.faults.clear()
            await _take(work, _LATER)
            print_lines(
                [
                    "",
                    f"  since then {_KIM} silenced {_SILENCED}, {_OLA} holds {WEBHOOK},",
                    "  and ServiceNow refused a ticket",
                ]
            )
        print_lines(["", f"the console is at {url}", "Ctrl-C ends it"])
        sys.stdout.flush()
        await work.go_on()


async def _act(store: Store, rules: Rules) -> None:
    """Do what people do in a shift: silence, extend, end, hold, discard."""
    patched = await _silence(store, rules, _SILENCED, timedelta(hours=1), "patching", "CHG-2107")
    until, why = patched.end + timedelta(hours=1), "the reboot takes longer"
    await extend_silence(store, patched.id, until, rules.books, store.now(), author=_OLA, reason=why)
    moved = await _silence(store, rules, "lab-win-07", timedelta(hours=4), "new disks", "CHG-2103")
    await end_silence(store, moved.id, store.now(), author=_KIM, reason="done early")
    webhook, now = KnownDestination(Stream.CWPP, WEBHOOK, Webhook.lane, Webhook.name), store.now()
    await hold(store, webhook, now + timedelta(hours=2), now, author=_OLA, reason="the receiver moves, CHG-2111")
    async with store.session() as tx:
        quarantined = await list_quarantined(tx)
    await discard_messages(store, quarantined[:1], store.now(), author=_KIM, reason="cut off by the sender")


async def _check_coverage(store: Store) -> None:
    """Keep what the gate finds of the sample estate: every toggle is green, and one cluster is dark."""
    from router.coverage.documents import read_document  # for the gate the demo alone does not wait
    from router.coverage.expected.manifest import NO_MANIFEST
    from router.coverage.gate import judge_documents
    from router.coverage.last_check import document_of_check
    from router.coverage.report.findings import GateReport

    files = [(_ESTATE / f"{name}.json", f"aks-{name}" if name in _ASKED else None) for name in (*_ASKED, *_TOGGLES)]
    now, documents = store.now(), [read_document(path.read_bytes(), path.name, given) for path, given in files]
    report = GateReport(judge_documents(documents, NO_MANIFEST, now), (), allows_unknown=False, manifest=None)
    await store.run(partial(put_document, document=document_of_check(report.summary, report.assessed.rows, now)))


async def _silence(store: Store, rules: Rules, host: str, lasts: timedelta, reason: str, ticket: str) -> Silence:
    wanted = WantedSilence(stream=Stream.CWPP, hosts=(host,), lasts=lasts, reason=reason, author=_KIM, ticket=ticket)
    draft = await draft_silence(store, wanted, rules.books[Stream.CWPP], KnownTypes.of(()), store.now())
    return await make_silence(store, draft)


async def _take(work: Work, alike: Sequence[tuple[int, str, str]]) -> None:
    """Take alerts in that are like some lines of the samples, and deliver what is due of them."""
    await work.take(_alerts(alike, work.store.now()))
    await work.deliver()


def _alerts(alike: Sequence[tuple[int, str, str]], at: datetime) -> list[Message]:
    lines = _SAMPLES.read_text(encoding="utf-8").splitlines()
    text = "\n".join(_alert(lines[number - 1].replace(there, here), at) for number, there, here in alike)
    return list(messages_in([input_file("shift.ndjson", lambda: BytesIO(text.encode()))]))


def _alert(line: str, at: datetime) -> str:
    """Return an alert with an id of its own, of that instant."""
    id = json.loads(line)["SystemAlertId"]
    alert = json.loads(line.replace(id, f"{id.partition('_')[0]}_{uuid4()}"))
    return json.dumps(alert | dict.fromkeys(_TIMES, f"{at:%Y-%m-%dT%H:%M:%S}.0000000Z"), ensure_ascii=False)


def _find_author() -> str:
    """Return who is at work; where a user has no name, as in some containers, the demo itself."""
    try:
        return author_given(None).name
    except BadUsage:
        return "demo"


def _ending_rule(end: datetime) -> bytes:
    scope = {"field": "entities.azureresource.resourceid", "contains": f"/virtualmachines/{_MOVED}"}
    properties = {
        "alertType": "VM_RunCommandSuspiciousScript",
        "state": "Enabled",
        "reason": "Other",
        "expirationDateUtc": f"{end:%Y-%m-%dT%H:00:00Z}",
        "comment": f"{_MOVED} is moved by Run Command, ticket CHG-2099, owner payments@contoso.example",
        "suppressionAlertsScope": {"allOf": [scope]},
    }
    return json.dumps({"properties": properties}, indent=2).encode() + b"\n"
