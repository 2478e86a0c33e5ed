"""Makes a state with every kind of thing in it, by the code of a commit: `python make.py COMMIT DIRECTORY`.

It runs in a checkout of that commit, and speaks its language: rooms, classes and fields are called as they were called
then, and no renaming may reach them here. So the tests never run it, and nobody changes it. README.md says how to run it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import sys
import tempfile
import zlib
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID


def then(module: str) -> Any:
    """A module of the checkout, by its name then."""
    return import_module(module)


builders = then("tests.builders")
decisions, deliveries, journal = (then(f"router.domain.{name}") for name in ("decisions", "deliveries", "journal"))
ledger, notices, rulebook, signals = (
    then(f"router.domain.{name}") for name in ("ledger", "notices", "rulebook", "signals")
)
intake = then("router.intake")
keys = then("router.domain.keys")
azure, sqlite = then("router.store.azure_storage"), then("router.store.sqlite")

Change, State, Lane, Stream = decisions.Change, deliveries.DeliveryState, rulebook.Lane, signals.Stream
NOW: datetime = builders.NOW
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
PLACE = journal.Partition("cwpp", "0")
ERA = journal.Era(PLACE, 1)
NAMED = ("tickets", "oncall", "chat", "summary", "sentinel")

SMALL = 3 * 512
"""Bytes up to which a body lies inside its row here: what lies in a blob need not be 60 KiB long."""


def noise(size: int) -> str:
    """Text that does not compress to less than half, the same each time."""
    return Random(size).randbytes(size).hex()  # noqa: S311  Nothing here is secret.


LONG = noise(2_000)


def settle_on_what_is_random() -> None:
    """Gives ids in order, lets each pointer show at once, and puts bodies into blobs that are far smaller."""
    numbers = count(1)

    def in_order() -> UUID:
        return UUID(int=next(numbers))

    for name in ("bodies", "outbox.claims"):
        then(f"router.store.azure_storage.{name}").uuid4 = in_order
    then("router.store.azure_storage.bodies").INSIDE = SMALL
    pointers = then("router.store.azure_storage.outbox.pointers")
    pointers.seconds = lambda _: 0


def a_book() -> Any:
    """Alerts: all to tickets and rows, the urgent to a pager, those of some types to who is told of groups."""
    lanes = {"tickets": Lane.TICKET, "oncall": Lane.PAGE, "chat": Lane.TICKET, "summary": Lane.TICKET}
    specs = [builders.a_destination(name, lane) for name, lane in {**lanes, "sentinel": Lane.ROWS}.items()]
    grouping = rulebook.Grouping((rulebook.By.ALERT_TYPE,), HOUR)
    groups = {"chat": {"group": grouping}, "summary": {"limit": rulebook.Limit(1, 2 * HOUR)}}
    urgent = rulebook.Clause("title", "urgent", lambda signal, attack: signal.title.startswith("Urgent"))
    grouped = rulebook.Clause("type", "VM_Group", lambda signal, attack: signal.type.startswith("VM_Group"))
    book = builders.a_rulebook(
        builders.a_rule(),
        routes=[
            builders.a_route("all", "tickets"),
            builders.a_route("urgent", "oncall", when=[urgent], respond_within=4 * HOUR),
            builders.a_route("grouped", "chat", "summary", when=[grouped]),
        ],
        destinations=[replace(one, **groups.get(one.name, {})) for one in specs],
    )
    owner = rulebook.Owner(group="web", service="shop", pager="WEB_PAGER")
    return replace(book, owners=(rulebook.Ownership(lambda _, group: group == "rg-web", owner),))


def a_posture_book() -> Any:
    """Findings: all to a backlog, and to rows of their own; what is decided goes to the record's second home."""
    return builders.a_rulebook(
        stream=Stream.CSPM,
        routes=[builders.a_route("all", "backlog")],
        always=("tables",),
        otherwise=("backlog",),
        destinations=[builders.a_destination("backlog"), builders.a_destination("tables", Lane.ROWS)],
        record=builders.a_destination("record", Lane.ROWS),
    )


RICH = {
    "Severity": "Critical",
    "Intent": "Execution, LateralMovement",
    "Techniques": ["T1059", "T1021"],
    "Description": "A shell was opened in a pod.",
    "CompromisedEntity": "web-01",
    "AlertUri": "https://portal.example/alert",
    "RemediationSteps": ["Look at it.", "Mend it."],
    "ProductName": "Microsoft Defender for Cloud",
    "CorrelationKey": "c-1",
    "StartTimeUtc": "2026-11-24T11:00:00Z",
    "EndTimeUtc": "2026-11-24T11:05:00Z",
    "ProcessingEndTime": "2026-11-24T11:06:00Z",
    "Entities": [
        {"$id": "1", "Type": "host", "HostName": "web-01", "OSFamily": "Linux"},
        {"$id": "2", "Type": "ip", "Address": "203.0.113.7"},
        {"$id": "3", "Type": "account", "Name": "ada", "NTDomain": "CORP"},
        {"$id": "4", "Type": "process", "ProcessId": "0x2f", "CommandLine": "sh -i", "ImageFile": {"$ref": "5"}},
        {"$id": "5", "Type": "file", "Name": "sh", "Directory": "/bin"},
        {"$id": "6", "Type": "K8s-pod", "Name": "shop-1", "Namespace": {"$ref": "7"}},
        {"$id": "7", "Type": "K8s-namespace", "Name": "shop", "Cluster": {"$ref": "8"}},
        {"$id": "8", "Type": "K8s-cluster", "CloudResource": {"$ref": "9"}},
        {"$id": "9", "Type": "azure-resource", "ResourceId": f"{builders.RESOURCE}-cluster"},
        {"$id": "10", "Type": "url", "Url": "https://bad.example/x"},
    ],
    "ExtendedProperties": {"User Name": "ada", "Größe": "37 µs"},
}
ALERTS = [{"$id": "1", "Type": "SecurityAlert", "SystemAlertId": "open"}]
SCORE = {
    "id": f"/subscriptions/{builders.SUBSCRIPTION}/providers/Microsoft.Security/secureScores/ascScore",
    "name": "ascScore",
    "type": "Microsoft.Security/secureScores",
    "properties": {
        "displayName": "ASC score",
        "score": {"max": 58, "current": 33.41, "percentage": 0.576},
        "weight": 4,
    },
}


class Maker:
    """A router at work on a store, by a clock of its own.

    Attributes:
        store: what it works on.
        now: what its clock says.
    """

    def __init__(self, store: Any) -> None:
        self.store = store
        self.now = NOW
        self._books = {Stream.CWPP: a_book(), Stream.CSPM: a_posture_book()}
        self._sequence = count(1)

    async def take(self, *bodies: bytes, hub: str = "cwpp", trace: str | None = None) -> None:
        """Takes messages in as they come from a hub."""
        origin = journal.Era(journal.Partition(hub, "0"), 1).origin
        messages = []
        for body in bodies:
            number = next(self._sequence)
            arrival = ledger.Arrival(origin, number, self.now + number * timedelta(milliseconds=1))
            messages.append(intake.Message(body, f"hub {hub}/0:{number}", arrival, trace))
        one = intake.Intake(self.store, self._books, then("router.domain.catalogue").Catalogue(), Stream(hub))
        await one.take(messages, self.now)

    async def owe(self, *more: Any) -> None:
        """Owes deliveries."""
        await self.store.outbox.add(more, self.now)

    async def claim(self, destination: str, stream: str = "cwpp") -> Any:
        """Claims what is due at a destination, for a minute."""
        return await self.store.outbox.claim(stream, destination, self.now, self.now + MINUTE, 50)

    async def settle(self, claim: Any, state: Any, **more: Any) -> None:
        """Writes down what became of a claim."""
        await self.store.outbox.settle(
            [deliveries.Settlement(delivery=claim.delivery, state=state, at=self.now, **more)]
        )

    async def send(self, destination: str, stream: str = "cwpp") -> None:
        """Sends what is due at a destination; what is told of the alert called `dead...` is refused."""
        while claims := await self.claim(destination, stream):
            for one in claims:
                is_refused = getattr(one.delivery.content, "id", "").startswith("dead") and destination == "tickets"
                reference = f"INC-{one.delivery.id[:6]}"
                receipt = notices.Receipt(
                    reference=reference,
                    link=f"https://desk.example/{reference}",
                    handles={"sys_id": one.delivery.id[:8]},
                )
                if is_refused:
                    await self.settle(one, State.DEAD, error="400 Bad Request")
                else:
                    await self.settle(one, State.SENT, receipt=receipt)

    def a_delivery(self, told: Any, destination: str, key: str, **changes: Any) -> Any:
        """A delivery that no message made: of a signal of its own, to a destination that no policy names."""
        content = replace(told.content, key=key, turn=changes.get("turn", 1))
        return replace(told, destination=destination, key=key, content=content, **{"turn": 1, "opened": 1, **changes})


async def make(store: Any) -> None:
    """Everything that a store keeps, in every state that it has."""
    maker = Maker(store)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    held = {"Entities": [builders.an_ip("10.20.0.5")]}
    alert = builders.alert_body
    await maker.take(alert("open", AlertDisplayName="Urgent: a shell", **RICH), trace=trace)
    await maker.take(
        *(alert(id) for id in ("over", "dead", "dead-redriven", "dead-discarded")),
        alert("low", Severity="Low"),
        alert("held", **held),
        alert("held-and-over", **held),
        alert("held-long", **held, ExtendedProperties={"noise": LONG}),
        alert("incident", IsIncident=True, Entities=ALERTS, AlertType="Incident"),
        alert("one", AlertType="VM_GroupA"),
        alert("two", AlertType="VM_GroupA", AzureResourceId=f"{builders.RESOURCE}-2"),
        alert("ended", AlertType="VM_GroupB", AlertDisplayName="Urgent: over soon"),
        alert("other", AlertType="VM_GroupC"),
    )
    await maker.take(b"?", b"[]", alert(None), builders.finding_body("astray"), b"\xff" + LONG.encode())
    await maker.take(
        builders.finding_body("stands"),
        builders.finding_body("over", changed=NOW - HOUR),
        builders.finding_body("deleted"),
        json.dumps(SCORE).encode(),
        hub="cspm",
    )
    for destination in NAMED:
        await maker.send(destination)
    for destination in ("backlog", "tables", "record"):
        await maker.send(destination, "cspm")

    maker.now += 10 * MINUTE
    await maker.take(
        alert("over", Status="Resolved"),
        alert("held-and-over", Status="Resolved", **held),
        alert("ended", Status="Resolved", AlertType="VM_GroupB"),
        alert("two", Status="Resolved", AlertType="VM_GroupA"),
    )
    await maker.take(
        builders.finding_body("over", "Healthy", NOW), builders.finding_body("deleted", action="Delete"), hub="cspm"
    )
    for destination in ("tickets", "oncall", "chat"):
        await maker.send(destination)
    for letter in await store.outbox.dead():
        if letter.delivery.content.id == "dead-discarded":
            await store.outbox.discard(letter.delivery.id, maker.now)
    await claims_of_every_kind(maker)
    await what_is_owed(maker)
    await what_only_the_ledger_knows(maker)
    await what_the_journal_keeps(store)
    await what_came_later(maker)
    await store.outbox.pause(
        deliveries.Pause(
            stream="cwpp", destination="oncall", since=NOW, probe=NOW + 5 * MINUTE, error="401 Unauthorized"
        )
    )
    await store.outbox.pause(
        deliveries.Pause(stream="cspm", destination="backlog", since=NOW, probe=NOW, error="403 Forbidden")
    )


async def a_told(maker: Maker, id: str) -> Any:
    """A delivery as it was told of an alert."""
    for letter in await maker.store.outbox.dead():
        if letter.delivery.content.id == id:
            return letter.delivery
    raise LookupError(id)


async def claims_of_every_kind(maker: Maker) -> None:
    """Deliveries that were put off, lost, skipped, given up on, redriven, and that somebody has now."""
    told = await a_told(maker, "dead")

    async def claimed(destination: str, key: str, times: int = 1) -> Any:
        """A delivery that is claimed, and whose claim is lost until it was claimed so often."""
        await maker.owe(maker.a_delivery(told, destination, key))
        start, claim = maker.now, None
        for _ in range(times):
            (claim,) = await maker.claim(destination)
            maker.now += 2 * MINUTE
        maker.now = start
        return claim

    await maker.settle(
        await claimed("put-off", "backoff"), State.OWED, due=maker.now + 14 * MINUTE, error="503 Service Unavailable"
    )
    await maker.settle(await claimed("untried", "untried"), State.OWED, due=maker.now, spent=False)
    await claimed("lost", "lost-once", 2)
    await claimed("suspect", "suspect", 3)
    await claimed("deadly", "deadly", 4)
    long = await claimed("long", "long-receipt")
    await maker.settle(long, State.SENT, receipt=notices.Receipt(reference="INC9", handles={"note": LONG}))
    await maker.owe(
        maker.a_delivery(told, "long", "long-receipt", turn=2, change=Change.UPDATED),
        maker.a_delivery(told, "skipped", "unsaid"),
        maker.a_delivery(told, "skipped", "unsaid", turn=2, change=Change.RESOLVED),
        maker.a_delivery(told, "retired", "nowhere"),
    )
    assert not await maker.claim("skipped")
    await maker.store.outbox.abandon("cwpp", NAMED_STILL, maker.now, maker.now)
    for letter in await maker.store.outbox.dead():
        if letter.delivery.content.id == "dead-redriven":
            await maker.store.outbox.redrive(letter.delivery.id, maker.now)
    await claimed("claimed", "claimed-now")
    await maker.owe(maker.a_delivery(told, "claimed", "claimed-page", lane=Lane.PAGE))
    await maker.claim("claimed")


NAMED_STILL = (*NAMED, "put-off", "untried", "lost", "suspect", "deadly", "long", "skipped", "claimed")
"""Every destination of alerts but the one that a policy ceased to name."""


async def what_is_owed(maker: Maker) -> None:
    """Deliveries in each lane that nobody has claimed yet: an opening, an update and a resolution of one signal too."""
    alert = builders.alert_body
    maker.now += 5 * MINUTE
    await maker.take(
        alert("open", AlertDisplayName="Urgent: a shell", **{**RICH, "Status": "InProgress"}),
        alert("pending", AlertDisplayName="Urgent: pending"),
        alert("late", AlertType="VM_GroupD"),
    )
    maker.now += MINUTE
    await maker.take(
        alert("pending", Status="InProgress", Severity="Critical", AlertDisplayName="Urgent: pending"),
        alert("one", AlertType="VM_GroupA", Severity="Critical"),
    )
    maker.now += MINUTE
    await maker.take(alert("pending", Status="Resolved", AlertDisplayName="Urgent: pending"))
    await maker.take(builders.finding_body("late"), hub="cspm")
    told = await a_told(maker, "dead")
    long = maker.a_delivery(told, "tickets", "long-content")
    await maker.owe(replace(long, content=replace(long.content, description=LONG)))


async def what_only_the_ledger_knows(maker: Maker) -> None:
    """Rows that carry an intent, short and long, and one whose packed columns are long."""
    store = maker.store
    told = (await a_told(maker, "dead")).content
    key = keys.signal_key("cwpp", "alert", "dead")
    row = (await store.ledger.find([key]))[key]
    decide = then("router.decide")
    nonsense = signals.Quarantined(reason=then("router.domain.reasons").Reason("not_json"), body=b"?")
    entry = decide.entry_for(
        nonsense, decide.quarantined(nonsense, None), key="cwpp:0:1:900", source="hub cwpp/0:900", now=NOW
    )
    await store.record.add([replace(entry, key="cwpp:0:1:901", title=LONG), replace(entry, key="cwpp:0:1:902@1")])
    targets = (
        ledger.Target("tickets", Lane.TICKET, Change.UPDATED, 1),
        ledger.Target("chat", Lane.TICKET, Change.OPENED, 2, grouped=True),
    )
    turn = ledger.Turn(
        number=2,
        entry=entry,
        notice=replace(told, key="intended", turn=2),
        targets=targets,
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    silent = ledger.Turn(number=3, entry=replace(entry, key="cwpp:0:1:903", title=LONG))
    new = replace(row, version=None)
    await store.ledger.write(
        [
            replace(
                new, key="intended", turn=2, open={"tickets": 1, "chat": 2}, grouped=frozenset({"chat"}), intent=turn
            ),
            replace(new, key="silent", turn=3, intent=silent),
            replace(new, key="measured", state=new.state._replace(measure=LONG)),
        ]
    )


async def what_the_journal_keeps(store: Any) -> None:
    """Progress with and without an end, what is taken in and what is tried, losses and sweeps."""
    done = [journal.Mark(ERA, journal.Span(1, 20), "me"), journal.Mark(ERA, journal.Span(22, 22), "me")]
    await store.journal.begin(done)
    await store.journal.finish(done, [journal.Taken(one.span, NOW, NOW + MINUTE) for one in done])
    await store.journal.begin(
        [
            journal.Mark(ERA, journal.Span(21, 21), "another", alone=True),
            journal.Mark(ERA, journal.Span(23, 40), "worker/2"),
        ]
    )
    second = journal.Era(journal.Partition("cwpp", "1"), 2)
    await store.journal.advance(journal.Progress(era=ERA, settled=0, top=(0, NOW), created=NOW - HOUR))
    await store.journal.advance(journal.Progress(era=second))
    posture = journal.Era(journal.Partition("cspm", "0"), 1)
    await store.journal.advance(journal.Progress(era=posture, settled=2**40, top=(2**40, NOW)))
    await store.journal.lose(
        [
            journal.Loss(ERA, journal.Span(50, 60), NOW, "gone"),
            journal.Loss(second, journal.Span(0, 0), NOW + MINUTE, "the hub is new"),
        ]
    )
    await store.journal.sweep_ended("cwpp", NOW + MINUTE)
    await store.journal.sweep_ended("cspm", NOW + 2 * MINUTE)


async def what_came_later(maker: Maker) -> None:
    """What only the younger program keeps: a group that waits for room, and when something was owed by a wrong clock."""
    groups = then("router.domain.groups")
    if not hasattr(groups.Board(), "waiting"):
        return
    told = (await a_told(maker, "dead")).content
    named = notices.Named(key="waits", title=told.title, severity=told.severity, place=told.resource)
    group = notices.Group(by=(("alert_type", told.type),), total=2, standing=1, named=(named,))
    card = groups.GroupCard(
        group=group, turn=0, opened=0, is_open=False, severity="High", severity_written="High", respond_by=None, at=NOW,
        waiting=told, whose="w",
    )  # fmt: skip
    opened = replace(card, is_open=True, turn=1, opened=1, whose=None)
    opening = groups.Opening(NOW, "WEB_PAGER", beyond=True, sample=True, gravity=4)
    board = groups.Board(openings=(opening,), unsure=("waits",), waiting=("g-waits",), admitted=("g-admitted",))
    members = {
        "waits": groups.MemberCard(group="g-waits", turn=1, stands=True, told=None, at=NOW),
        "admitted": groups.MemberCard(
            group="g-admitted", turn=1, stands=True, told=groups.Told(turn=1, change=Change.OPENED, opened=1), at=NOW
        ),
    }
    cards = groups.Cards(members=members, groups={"g-waits": card, "g-admitted": opened})
    assert await maker.store.groups.write("cwpp", "full", board, cards)
    told = await a_told(maker, "dead")
    await maker.store.outbox.add([maker.a_delivery(told, "tickets", "early")], NOW + timedelta(days=400))
    await maker.store.outbox.repair_times(maker.now)


HURT = keys.signal_key("cwpp", "alert", "low")
"""The signal whose row is damaged, where the program sets damaged rows aside."""


async def make_sqlite(directory: Path, sets_aside: bool) -> None:
    """A directory with a SQLite state, closed."""
    store = sqlite.SqliteStore(directory, **({"clock": lambda: NOW + HOUR} if sets_aside else {}))
    store.hold()
    await make(store)
    if sets_aside:
        with sqlite3.connect(directory / "router.db") as db:
            db.execute("UPDATE ledger SET outcome='nonsense' WHERE key=?", (HURT,))
            db.execute("UPDATE payloads SET body=? WHERE key='nowhere'", (b"{",))
        db.close()
        await store.ledger.find([HURT])
    await store.close()


async def make_azure(directory: Path, connection: str, sets_aside: bool) -> None:
    """What an account holds, as files of JSON."""
    account = azure.Account(azure.Address(connection_string=connection))
    store = azure.AzureStore(account, **({"clock": lambda: NOW + HOUR} if sets_aside else {}))
    await store.prepare()
    await make(store)
    if sets_aside:
        rows = account.tables.get_table_client("ledger")
        async for row in rows.query_entities(f"RowKey eq '{HURT}'"):
            await rows.update_entity({**row, "outcome": "nonsense"})
        told = account.tables.get_table_client("deliveries")
        async for row in told.query_entities("key eq 'nowhere'"):
            await told.update_entity({**row, "content": zlib.compress(b"{")})
        await store.ledger.find([HURT])
    await to_poison(account)
    for name in then("router.store.azure_storage.store").TABLES:
        found = [dict(row) async for row in account.tables.get_table_client(name).list_entities()]
        write(
            directory / f"{name}.json", sorted(map(shown, found), key=lambda row: (row["PartitionKey"], row["RowKey"]))
        )
    queues = [queue.name async for queue in account.queues.list_queues()]
    write(
        directory / "queues.json",
        [{"queue": name, "message": text} for name in sorted(queues) for text in await messages_in(account, name)],
    )
    container = account.blobs.get_container_client("bodies")
    names = sorted([blob.name async for blob in container.list_blobs()])
    blobs = [{"blob": name, "body": value(await (await container.download_blob(name)).readall())} for name in names]
    write(directory / "blobs.json", blobs)
    await store.close()


async def to_poison(account: Any) -> None:
    """Moves a pointer of each lane to where the platform puts what it gave up on."""
    for name in ("cwpp-ticket", "cwpp-page", "cwpp-rows"):
        first = next(iter(await messages_in(account, name)))
        queue = account.queues.get_queue_client(name)
        await queue.clear_messages()
        rest = SHOWN.pop(name)[1:]
        for text in rest:
            await queue.send_message(text)
        await account.queues.get_queue_client(f"{name}-poison").send_message(first)


SHOWN: dict[str, list[str]] = {}


async def messages_in(account: Any, name: str) -> list[str]:
    """Every message of a queue, in the order of their texts; each is received once."""
    if name not in SHOWN:
        queue = account.queues.get_queue_client(name)
        found = [one.content async for one in queue.receive_messages(messages_per_page=32, visibility_timeout=3600)]
        SHOWN[name] = sorted(found)
    return SHOWN[name]


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """An entity as JSON, its columns in order."""
    return {name: value(row[name]) for name in sorted(row)}


def value(column: Any) -> Any:
    """A column as JSON: bytes as the text that they are packed from, or in base64."""
    if not isinstance(column, bytes):
        return column
    try:
        text = zlib.decompress(column).decode()
    except (zlib.error, UnicodeDecodeError):
        return {"base64": base64.b64encode(column).decode()}
    return {"zlib": text} if zlib.compress(text.encode()) == column else {"base64": base64.b64encode(column).decode()}


def write(path: Path, rows: list[Any]) -> None:
    """Writes a file with one row a line."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"[\n{lines}\n]\n" if rows else "[]\n")


def main(commit: str, target: Path) -> None:
    """Makes the fixtures of a commit; its code is what the interpreter finds."""
    settle_on_what_is_random()
    sets_aside = hasattr(then("router.store.azure_storage.quarantine").AzureQuarantine, "set_aside")
    places = {name: target / commit / name for name in ("sqlite", "azure")}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
        for old in place.iterdir():
            old.unlink()
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(make_sqlite(Path(scratch), sets_aside))
        for file in Path(scratch).iterdir():
            (places["sqlite"] / file.name).write_bytes(file.read_bytes())
    with then("tests.stack.azurite").azurite_running() as azurite:
        asyncio.run(make_azure(places["azure"], azurite.connection_string, sets_aside))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
