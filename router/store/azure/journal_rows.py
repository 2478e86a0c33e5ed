"""What the journal keeps, as rows.

    era.<origin>      t.<last>.<first>              what was taken in
                      m.<last>.<first>.<process>    what is being tried
    progress.<hub>    <partition>                   how far it has come
    losses.<hub>      <partition>.<epoch>.<first>   what is lost
    swept             <hub>                         when the last sweep of a hub ended
    state             version                       the version of the whole state

Numbers in row keys are digits that sort, so what ends after a number is a range.
"""

from __future__ import annotations

from router.domain.errors import Undecodable
from router.domain.journal import HubEpoch, InFlightMarker, Loss, Partition, Progress, Span, Taken
from router.store.azure.shards import named, ordered, sorting
from router.store.azure.tables import Entity
from router.store.row_reader import MOST_STEPS, Columns

TAKEN, MARKER = "t.", "m."
"""What a row key of an epoch begins with."""


def epoch_partition(epoch: HubEpoch) -> str:
    """The partition of an epoch's rows."""
    return f"era.{epoch.origin}"


def taken_row(epoch: HubEpoch, taken: Taken) -> Entity:
    """What was taken in, as it is written."""
    key = {"PartitionKey": epoch_partition(epoch), "RowKey": TAKEN + _ends(taken.span)}
    return {**key, "enqueued": sorting(taken.enqueued), "at": sorting(taken.at)}


def taken_of(row: Columns) -> Taken:
    """What was taken in, as it was written; raises Undecodable."""
    return Taken(_span_of(row), row.time("enqueued"), row.time("at"))


def marker_key(marker: InFlightMarker) -> Entity:
    """The key of a marker's row: one process places one marker on a span."""
    row = f"{MARKER}{_ends(marker.span)}.{named(marker.process)}"
    return {"PartitionKey": epoch_partition(marker.epoch), "RowKey": row}


def marker_row(marker: InFlightMarker) -> Entity:
    """A marker as it is written."""
    return {**marker_key(marker), "process": marker.process, "alone": marker.alone}


def marker_of(epoch: HubEpoch, row: Columns) -> InFlightMarker:
    """A marker as it was written; raises Undecodable."""
    return InFlightMarker(epoch, _span_of(row), row.text("process"), row.flag("alone"))


def progress_row(progress: Progress) -> Entity:
    """How far a partition has come, as it is written."""
    partition, epoch = progress.epoch.partition, progress.epoch.number
    number, enqueued = progress.top if progress.top is not None else (None, None)
    return {
        "PartitionKey": progress_partition(partition.hub),
        "RowKey": partition.id,
        "epoch": epoch,
        "settled": _digits(progress.settled),
        "top": _digits(number),
        "top_enqueued": sorting(enqueued),
        "created": sorting(progress.created),
    }


def progress_of(partition: Partition, row: Columns, version: str) -> Progress:
    """How far a partition has come, as it was written; raises Undecodable."""
    return Progress(
        epoch=HubEpoch(partition, row.whole("epoch", 1, MOST_STEPS)),
        settled=row.digits("settled", -1) if row.text("settled") else None,
        top=(row.digits("top"), row.time("top_enqueued")) if row.text("top") else None,
        created=row.find_time("created"),
        version=version,
    )


def progress_partition(hub: str) -> str:
    """The partition of the progress of a hub."""
    return f"progress.{hub}"


def loss_row(loss: Loss) -> Entity:
    """A loss as it is written."""
    partition, epoch = loss.epoch.partition, loss.epoch.number
    return {
        "PartitionKey": losses_partition(partition.hub),
        "RowKey": f"{partition.id}.{epoch}.{ordered(loss.span.first)}",
        "partition": partition.id,
        "epoch": epoch,
        "first": str(loss.span.first),
        "last": str(loss.span.last),
        "at": sorting(loss.at),
        "why": loss.why,
    }


def loss_of(hub: str, row: Columns) -> Loss:
    """A loss as it was written; raises Undecodable."""
    epoch = HubEpoch(Partition(hub, row.text("partition")), row.whole("epoch", 1, MOST_STEPS))
    first = row.digits("first")
    return Loss(epoch, Span(first, row.digits("last", first)), row.time("at"), row.text("why"))


def losses_partition(hub: str) -> str:
    """The partition of the losses of a hub."""
    return f"losses.{hub}"


def _digits(number: int | None) -> str:
    # Sequence numbers have 64 bits, a number in a column 32.
    return str(number) if number is not None else ""


def _ends(span: Span) -> str:
    return f"{ordered(span.last)}.{ordered(span.first)}"


def _span_of(row: Columns) -> Span:
    _, last, first, *_ = (*row.text("RowKey").split("."), "", "")
    if not last.isdecimal() or not first.isdecimal():
        raise Undecodable("RowKey: names no numbers")
    return Span(int(first), int(last))
