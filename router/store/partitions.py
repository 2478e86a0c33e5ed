"""The partitions of hubs: which sequence numbers are taken in, tried and lost, and which process reads which partition.

A transaction that takes numbers in, loses them or begins an epoch holds the lock of the partition's row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple
from uuid import uuid4

from router.domain.errors import Undecodable
from router.domain.hubs import HubEpoch, Loss, Partition, PartitionClaim, Span, gaps_in
from router.store.codec import MOST_STEPS, Columns, attempt, micros
from router.store.quarantine import read_sound
from router.store.store import Transaction

_FIND = "SELECT * FROM partitions WHERE hub=? AND partition=?"
_LOCK = """
SELECT *, EXISTS (
    SELECT 1 FROM tries WHERE hub=partitions.hub AND partition=partitions.partition AND last>=? AND first<=? AND process<>?
) AS tried FROM partitions WHERE hub=? AND partition=? FOR UPDATE OF partitions
"""
# The number of an epoch whose row was lost is not used again: numbers of another hub may have been taken in under it.
_CREATE = """
INSERT INTO partitions (hub, partition, epoch, owner, claim)
SELECT ?, ?, 1+coalesce(max(epoch), 0), '', '' FROM taken WHERE hub=? AND partition=?
ON CONFLICT (hub, partition) DO NOTHING
"""
_TAKEN = "SELECT * FROM taken WHERE hub=? AND partition=? AND epoch=? AND last>=? ORDER BY first"
_TAKE = """
INSERT INTO taken (hub, partition, epoch, first, last, enqueued, since, at) VALUES (?,?,?,?,?,?,?,?)
ON CONFLICT (hub, partition, epoch, first)
DO UPDATE SET last=excluded.last, enqueued=excluded.enqueued, since=excluded.since, at=excluded.at
"""
_MERGED = "DELETE FROM taken WHERE hub=? AND partition=? AND epoch=? AND first>? AND first<=?"
_TRY = """
INSERT INTO tries (hub, partition, first, last, process, began) VALUES (?,?,?,?,?,?) ON CONFLICT (process)
DO UPDATE SET hub=excluded.hub, partition=excluded.partition, first=excluded.first, last=excluded.last, began=excluded.began
"""
_TRIES = "SELECT * FROM tries WHERE hub=? AND partition=? AND last>=? AND first<=? AND process<>? ORDER BY process"
_FAILED = "DELETE FROM tries WHERE process=?"
_SUCCEEDED = "DELETE FROM tries WHERE hub=? AND partition=? AND first>=? AND last<=?"
_LOSE = """
INSERT INTO losses (hub, partition, epoch, first, last, at, why) VALUES (?,?,?,?,?,?,?)
ON CONFLICT (hub, partition, epoch, first) DO NOTHING
"""
_LOSSES = "SELECT * FROM losses WHERE hub=? ORDER BY at, partition, epoch, first"
_SWEEP = "INSERT INTO sweeps (hub, at) VALUES (?,?) ON CONFLICT (hub) DO UPDATE SET at=excluded.at"
_GONE = "the hub was created anew before these events were taken in"
_CLAIM = "UPDATE partitions SET owner=?, claim=? WHERE hub=? AND partition=? AND claim=?"


class HubPartition(NamedTuple):
    """A partition as it is known.

    Attributes:
        created: when its hub was created, as a sweep found it; None before the first sweep of the epoch.
        begins: the number from which on each must be taken in; None before the first sweep of the epoch.
        is_tried: whether other processes have rows in `tries` that overlap what it was locked for.
    """

    epoch: HubEpoch
    created: datetime | None = None
    begins: int | None = None
    is_tried: bool = False


class Taken(NamedTuple):
    """Numbers that were taken in, with a gap before them and after them.

    Attributes:
        enqueued: when the hub got the last of them.
        since: when the first of them were taken in.
        at: when more of them were taken in last.
    """

    span: Span
    enqueued: datetime
    since: datetime
    at: datetime


class Try(NamedTuple):
    """Numbers that a process tries to take in, or died of; `began` is in microseconds, where it matters."""

    partition: Partition
    span: Span
    process: str
    began: int | None = None


async def find_partition(tx: Transaction, partition: Partition) -> HubPartition | None:
    """Return what is known of a partition; None where nothing is."""
    return await _find_known(tx, partition, _FIND, *partition)


async def lock_partition(tx: Transaction, partition: Partition, one: Try | None = None) -> HubPartition:
    """Lock a partition, for a try or else for a sweep; one of which nothing is known begins its first epoch."""
    span, process = (one.span, one.process) if one is not None else (Span(1, 0), "")
    values = (*span, process, *partition)
    if (known := await _find_known(tx, partition, _LOCK, *values)) is None:
        await tx.write(_CREATE, *partition, *partition)
        known = await _find_known(tx, partition, _LOCK, *values)
    return known or HubPartition(HubEpoch(partition, 1))


async def write_beginning(tx: Transaction, known: HubPartition, created: datetime, begins: int) -> HubPartition:
    """Write down when the hub of an epoch was created, and from which number on each must be taken in."""
    where = known.epoch.partition
    await tx.write(
        "UPDATE partitions SET created=?, begins=? WHERE hub=? AND partition=?", micros(created), begins, *where
    )
    return known._replace(created=created, begins=begins)


async def begin_epoch(
    tx: Transaction, known: HubPartition, now: datetime, created: datetime | None = None
) -> tuple[HubPartition, list[Loss]]:
    """Begin the next epoch of a locked partition, and write down as lost what is missing of the old one.

    What was first taken in after the new hub was created says nothing of the old one. Where the old hub began is not known
    before the first sweep: only what lies between is known to be missing.
    """
    partition = known.epoch.partition
    taken, done = await read_done(tx, known.epoch)
    old = [one.span for one in taken if created is None or one.since <= created]
    losses: list[Loss] = []
    if old:
        first = known.begins if known.begins is not None else old[0].first
        losses = [Loss(known.epoch, gap, now, _GONE) for gap in gaps_in(done, Span(first, old[-1].last))]
    await write_losses(tx, losses)
    await tx.write("DELETE FROM tries WHERE hub=? AND partition=?", *partition)
    sql = "UPDATE partitions SET epoch=epoch+1, created=NULL, begins=NULL WHERE hub=? AND partition=?"
    await tx.write(sql, *partition)
    return HubPartition(HubEpoch(partition, known.epoch.number + 1)), losses


async def read_taken(tx: Transaction, epoch: HubEpoch, first: int = 0) -> list[Taken]:
    """Return what was taken in of an epoch and ends at a number or after it, in order."""
    return await read_sound(tx, "taken", _TAKEN, (*epoch.partition, epoch.number, first), _taken)


async def read_done(tx: Transaction, epoch: HubEpoch) -> tuple[list[Taken], list[Span]]:
    """Return what was taken in of an epoch, and with it the numbers of all that was taken in or lost."""
    taken, lost = await read_taken(tx, epoch), await read_losses(tx, epoch.partition.hub)
    return taken, [*(one.span for one in taken), *(one.span for one in lost if one.epoch == epoch)]


async def take(tx: Transaction, epoch: HubEpoch, known: Sequence[Taken], new: Taken) -> None:
    """Write down that numbers of a locked partition were taken in, so that no try of them is open any more.

    `known` is what was taken in next to them.
    """
    near = [one for one in known if one.span.first <= new.span.last + 1 and one.span.last >= new.span.first - 1]
    all = [*near, new]
    span = Span(min(one.span.first for one in all), max(one.span.last for one in all))
    enqueued, since = max(one.enqueued for one in all), min(one.since for one in all)
    key = (*epoch.partition, epoch.number)
    await tx.write(_TAKE, *key, *span, micros(enqueued), micros(since), micros(new.at))
    if any(one.span.first > span.first for one in near):
        await tx.write(_MERGED, *key, *span)
    await tx.write(_SUCCEEDED, *epoch.partition, *span)


async def begin_try(tx: Transaction, one: Try) -> None:
    """Write down which numbers a process tries: these and no others, whatever it could not take back before."""
    await tx.write(_TRY, *one.partition, *one.span, one.process, micros(tx.now))


async def end_try(tx: Transaction, one: Try) -> None:
    """Write down that a process tries nothing: it took nothing in, and lives."""
    await tx.write(_FAILED, one.process)


async def find_other_tries(tx: Transaction, one: Try) -> list[Try]:
    """Return the tries of other processes that overlap one: those processes died, or are at it."""
    return await read_sound(tx, "tries", _TRIES, (*one.partition, *one.span, one.process), _try)


async def write_losses(tx: Transaction, losses: Collection[Loss]) -> None:
    """Write losses down, create-if-absent by epoch and first number; they are tried no more."""
    rows = sorted((*one.epoch.partition, one.epoch.number, *one.span, micros(one.at), one.why) for one in losses)
    await tx.write_many(_LOSE, rows)
    await tx.write_many(_SUCCEEDED, sorted((*one.epoch.partition, *one.span) for one in losses))


async def read_losses(tx: Transaction, hub: str) -> list[Loss]:
    """Return the losses of a hub, oldest first."""
    return await read_sound(tx, "losses", _LOSSES, (hub,), _loss)


async def find_last_sweep(tx: Transaction, name: str) -> datetime | None:
    """Return when the last sweep of a hub ended, or when what goes by another name was last done."""
    found = await read_sound(tx, "sweeps", "SELECT * FROM sweeps WHERE hub=?", (name,), lambda row: row.time("at"))
    return next(iter(found), None)


async def write_sweep_end(tx: Transaction, name: str, at: datetime) -> None:
    """Write down that a sweep of a hub ended, or that what goes by another name was done."""
    await tx.write(_SWEEP, name, micros(at))


async def list_claims(tx: Transaction, hub: str) -> list[PartitionClaim]:
    """Return which process reads which partition of a hub, and up to where each is taken in or lost without a gap.

    A claim has no time in it: each process sees by its own clock how long another one's claim did not change.
    """
    claims = []
    for row in await tx.fetch("SELECT * FROM partitions WHERE hub=? ORDER BY partition", hub):
        partition = Partition(hub, row.text("partition"))
        known = attempt(_known, partition, row)
        _, done = await read_done(tx, known.epoch) if not isinstance(known, Undecodable) else ([], [])
        claims.append(PartitionClaim(partition, row.text("owner"), row.text("claim"), _reach(done)))
    return claims


async def claim_partitions(tx: Transaction, wanted: Collection[PartitionClaim]) -> list[PartitionClaim]:
    """Claim partitions for the owners that they name, each only where its claim is still the one that is stored.

    Return those that were got, with their new claims.
    """
    got = []
    for old in sorted(wanted, key=attrgetter("partition")):
        new = replace(old, claim=uuid4().hex)
        if not old.claim:
            await tx.write(_CREATE, *old.partition, *old.partition)
        if await tx.execute(_CLAIM, new.owner, new.claim, *old.partition, old.claim):
            got.append(new)
    return got


async def free_partitions(tx: Transaction) -> None:
    """Have no process read any partition: all that claimed one are dead."""
    await tx.write("UPDATE partitions SET owner=''")


def _reach(done: Collection[Span]) -> int | None:
    """The last number before the first gap; None where nothing is done."""
    if not done:
        return None
    whole = Span(min(done).first, max(span.last for span in done))
    return next((gap.first - 1 for gap in gaps_in([*done], whole)), whole.last)


async def _find_known(tx: Transaction, partition: Partition, sql: str, *values: object) -> HubPartition | None:
    found = await read_sound(tx, "partitions", sql, values, lambda row: _known(partition, row))
    return next(iter(found), None)


def _known(partition: Partition, row: Columns) -> HubPartition:
    begins = row.whole("begins") if row.raw("begins") is not None else None
    epoch = HubEpoch(partition, row.whole("epoch", 1, MOST_STEPS))
    return HubPartition(epoch, row.find_time("created"), begins, bool(row.raw("tried")))


def _taken(row: Columns) -> Taken:
    return Taken(_span(row), row.time("enqueued"), row.time("since"), row.time("at"))


def _try(row: Columns) -> Try:
    return Try(Partition(row.text("hub"), row.text("partition")), _span(row), row.text("process"), row.whole("began"))


def _loss(row: Columns) -> Loss:
    epoch = HubEpoch(Partition(row.text("hub"), row.text("partition")), row.whole("epoch", 1, MOST_STEPS))
    return Loss(epoch, _span(row), row.time("at"), row.text("why"))


def _span(row: Columns) -> Span:
    first = row.whole("first")
    return Span(first, row.whole("last", first))
