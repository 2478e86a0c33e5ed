"""The partitions of hubs: which sequence numbers are taken in, tried and lost, and which process reads which partition.

A transaction that takes numbers in, loses them or begins an epoch holds the lock of the partition's row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import replace
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple
from uuid import uuid4

from router.domain.hubs import HubEpoch, Loss, Partition, PartitionClaim, Span, gaps_in
from router.store.codec import Columns, RowForm, insert, readable, upsert
from router.store.quarantine import read_sound
from router.store.store import Transaction


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
    """Numbers that a process tries to take in, or died of; `began` is None before it did."""

    partition: Partition
    span: Span
    process: str
    began: datetime | None = None


_PARTITION = RowForm(Partition, id="partition")
_EPOCH = RowForm(HubEpoch, partition=_PARTITION, number="epoch")
_SPAN = RowForm(Span, {"last": lambda row: row.whole("last", row.whole("first"))})
_KNOWN = RowForm(HubPartition, {"is_tried": lambda row: bool(row.raw("is_tried"))}, epoch=_EPOCH)
_TAKEN = RowForm(Taken, span=_SPAN)
_TRY = RowForm(Try, partition=_PARTITION, span=_SPAN)
_LOSS = RowForm(Loss, epoch=_EPOCH, span=_SPAN)
_PLACE = (*_EPOCH.columns, "first")

_FIND = "SELECT * FROM partitions WHERE hub=? AND partition=?"
_OTHERS = "FROM tries WHERE hub=? AND partition=? AND last>=? AND first<=? AND process<>?"
_LOCK = f"""
SELECT *, EXISTS (SELECT 1 {_OTHERS}) AS is_tried FROM partitions WHERE hub=? AND partition=? FOR UPDATE OF partitions
"""
# The number of an epoch whose row was lost is not used again: numbers of another hub may have been taken in under it.
_CREATE = """
INSERT INTO partitions (hub, partition, epoch, owner, claim)
SELECT ?, ?, 1+coalesce(max(epoch), 0), '', '' FROM taken WHERE hub=? AND partition=?
ON CONFLICT (hub, partition) DO NOTHING
"""
_BEGIN = "UPDATE partitions SET created=?, begins=? WHERE hub=? AND partition=?"
_NEXT_EPOCH = "UPDATE partitions SET epoch=epoch+1, created=NULL, begins=NULL WHERE hub=? AND partition=?"
_CLAIM = "UPDATE partitions SET owner=?, claim=? WHERE hub=? AND partition=? AND claim=?"
_READ_TAKEN = "SELECT * FROM taken WHERE hub=? AND partition=? AND epoch=? AND last>=? ORDER BY first"
_TAKE = upsert("taken", (*_EPOCH.columns, *_TAKEN.columns), _PLACE)
_MERGED = "DELETE FROM taken WHERE hub=? AND partition=? AND epoch=? AND first>? AND first<=?"
_BEGIN_TRY = upsert("tries", _TRY.columns, ["process"])
_FAILED = "DELETE FROM tries WHERE process=?"
_SUCCEEDED = "DELETE FROM tries WHERE hub=? AND partition=? AND first>=? AND last<=?"
_LOSE = insert("losses", _LOSS.columns, _PLACE)
_LOSSES = "SELECT * FROM losses WHERE hub=? ORDER BY at, partition, epoch, first"
_SWEEP = upsert("sweeps", ("hub", "at"), ["hub"])
_GONE = "the hub was created anew before these events were taken in"


async def find_partition(tx: Transaction, partition: Partition) -> HubPartition | None:
    """Return what is known of a partition; None where nothing is."""
    return next(iter(await read_sound(tx, "partitions", _FIND, partition, _KNOWN.read)), None)


async def lock_partition(tx: Transaction, partition: Partition, one: Try | None = None) -> HubPartition:
    """Lock a partition, for a try or else for a sweep; one of which nothing is known begins its first epoch."""
    span, process = (one.span, one.process) if one is not None else (Span(1, 0), "")
    values = (*partition, *span, process, *partition)
    if not (known := await read_sound(tx, "partitions", _LOCK, values, _KNOWN.read)):
        await tx.write(_CREATE, *partition, *partition)
        known = await read_sound(tx, "partitions", _LOCK, values, _KNOWN.read)
    return known[0] if known else HubPartition(HubEpoch(partition, 1))


async def write_beginning(tx: Transaction, known: HubPartition, created: datetime, begins: int) -> HubPartition:
    """Write down when the hub of an epoch was created, and from which number on each must be taken in."""
    await tx.write(_BEGIN, created, begins, *known.epoch.partition)
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
    losses: list[Loss] = []
    if old := [one.span for one in taken if created is None or one.since <= created]:
        first = old[0].first if known.begins is None else min(known.begins, old[0].first)
        losses = [Loss(known.epoch, gap, now, _GONE) for gap in gaps_in(done, Span(first, old[-1].last))]
    await write_losses(tx, losses)
    await tx.write("DELETE FROM tries WHERE hub=? AND partition=?", *partition)
    await tx.write(_NEXT_EPOCH, *partition)
    return HubPartition(HubEpoch(partition, known.epoch.number + 1)), losses


async def read_taken(tx: Transaction, epoch: HubEpoch, first: int = 0) -> list[Taken]:
    """Return what was taken in of an epoch and ends at a number or after it, in order."""
    return await read_sound(tx, "taken", _READ_TAKEN, (*_EPOCH.values(epoch), first), _TAKEN.read)


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
    merged = Taken(span, max(one.enqueued for one in all), min(one.since for one in all), new.at)
    await tx.write(_TAKE, *_EPOCH.values(epoch), *_TAKEN.values(merged))
    if any(one.span.first > span.first for one in near):
        await tx.write(_MERGED, *_EPOCH.values(epoch), *span)
    await tx.write(_SUCCEEDED, *epoch.partition, *span)


async def begin_try(tx: Transaction, one: Try) -> None:
    """Write down which numbers a process tries: these and no others, whatever it could not take back before."""
    await tx.write(_BEGIN_TRY, *_TRY.values(one._replace(began=tx.now)))


async def end_try(tx: Transaction, one: Try) -> None:
    """Write down that a process tries nothing: it took nothing in, and lives."""
    await tx.write(_FAILED, one.process)


async def find_other_tries(tx: Transaction, one: Try) -> list[Try]:
    """Return the tries of other processes that overlap one: those processes died, or are at it."""
    sql = f"SELECT * {_OTHERS} ORDER BY process"
    return await read_sound(tx, "tries", sql, (*one.partition, *one.span, one.process), _TRY.read)


async def write_losses(tx: Transaction, losses: Collection[Loss]) -> None:
    """Write losses down, create-if-absent by epoch and first number; they are tried no more."""
    await tx.write_many(_LOSE, sorted(map(_LOSS.values, losses)))
    await tx.write_many(_SUCCEEDED, sorted((*one.epoch.partition, *one.span) for one in losses))


async def read_losses(tx: Transaction, hub: str) -> list[Loss]:
    """Return the losses of a hub, oldest first."""
    return await read_sound(tx, "losses", _LOSSES, (hub,), _LOSS.read)


async def find_last_sweep(tx: Transaction, name: str) -> datetime | None:
    """Return when the last sweep of a hub ended, or when what goes by another name was last done."""
    found = await read_sound(tx, "sweeps", "SELECT * FROM sweeps WHERE hub=?", (name,), lambda row: row.time("at"))
    return next(iter(found), None)


async def write_sweep_end(tx: Transaction, name: str, at: datetime) -> None:
    """Write down that a sweep of a hub ended, or that what goes by another name was done."""
    await tx.write(_SWEEP, name, at)


async def list_claims(tx: Transaction, hub: str) -> list[PartitionClaim]:
    """Return which process reads which partition of a hub, and up to where each is taken in or lost without a gap.

    A claim has no time in it: each process sees by its own clock how long another one's claim did not change.
    """

    async def reach_of(row: Columns) -> int | None:
        epoch = readable(None, _EPOCH.read, row)
        _, done = await read_done(tx, epoch) if epoch is not None else ([], [])
        gaps = gaps_in(done, Span(min(done).first, max(span.last for span in done))) if done else ()
        return gaps[0].first - 1 if gaps else max((span.last for span in done), default=None)

    rows = await tx.fetch("SELECT * FROM partitions WHERE hub=? ORDER BY partition", hub)
    return [
        PartitionClaim(Partition(hub, row.text("partition")), row.text("owner"), row.text("claim"), await reach_of(row))
        for row in rows
    ]


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
