"""The version of the state in an account: one row of the journal, which every program looks at before it does anything there.

Programs of two versions may work on one state side by side, while a deployment replaces one by the other. So the row says which
version wrote it last and the oldest program that still reads all that is written. 930b370, which is of version 3, knows no such
row and does not look.
"""

from __future__ import annotations

from typing import NamedTuple

from router.domain.errors import StoreError, Undecodable
from router.store.azure.tables import Entity, Step, Table, version_of
from router.store.codec import attempt
from router.store.row_reader import MOST_STEPS, Columns

PARTITION, ROW = "state", "version"


class StateVersion(NamedTuple):
    """What a program knows of the form of the state, or what the state says of itself.

    Attributes:
        version: the version of the newest program that works on the state.
        oldest: the version of the oldest program that can work beside it.
    """

    version: int
    oldest: int


OURS = StateVersion(version=4, oldest=3)
"""What this program is, and writes: what version 4 added version 3 ignores, and relies on nothing that it took away."""


class Damage(NamedTuple):
    """A row that cannot be decoded, and why."""

    row: Entity
    why: Undecodable


async def agree_on_version(journal: Table, ours: StateVersion = OURS) -> Damage | None:
    """Writes down that this program works on the state, unless a newer one wrote that; returns the row if it was damaged.

    Raises StoreError where this program is too old for what is written. Programs that start at once agree on the newest.
    """
    damage: Damage | None = None
    while True:
        row, stored = await journal.find(PARTITION, ROW), None
        if row is not None:
            found = attempt(_version_in, Columns(row))
            if isinstance(found, Undecodable):
                damage = Damage(row, found)
            else:
                stored = found
                refuse_older(ours, stored)
        agreed = _newest(ours, stored)
        if agreed == stored:
            return damage
        entity = {"PartitionKey": PARTITION, "RowKey": ROW, **agreed._asdict()}
        step = Step("create", entity) if row is None else Step("replace", entity, version_of(row))
        (written,) = await journal.write([(step,)])
        if written is not None:
            return damage


async def read_version(journal: Table, ours: StateVersion = OURS) -> StateVersion | None:
    """What the state says of itself, which it goes on to say; None where it says nothing, as an older program left it.

    A damaged row is taken for what this program writes in its place. Raises StoreError where this program is too old.
    """
    row = await journal.find(PARTITION, ROW)
    if row is None:
        return None
    found = attempt(_version_in, Columns(row))
    if isinstance(found, Undecodable):
        return ours
    refuse_older(ours, found)
    return found


def _newest(ours: StateVersion, stored: StateVersion | None) -> StateVersion:
    return StateVersion(*map(max, ours, stored)) if stored is not None else ours


def refuse_older(ours: StateVersion, stored: StateVersion) -> None:
    """Raises StoreError where a program is too old for a state."""
    if ours.version < stored.oldest:
        raise StoreError(
            f"storage, journal: holds state of version {stored.version}, which programs from version {stored.oldest} on can "
            f"work on, and this program is of version {ours.version}; deploy the newer program again, or name another account"
        )


def _version_in(row: Columns) -> StateVersion:
    return StateVersion(row.whole("version", 1, MOST_STEPS), row.whole("oldest", 1, MOST_STEPS))
