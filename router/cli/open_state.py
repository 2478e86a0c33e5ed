"""What the commands on a state share: they open a state that exists, find ids by their beginning, and work on many at once."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from router.app.connections import open_state
from router.app.settings import Settings
from router.cli.streams import complain, is_wanted, refuse_unasked
from router.domain.errors import BadFile, BadUsage
from router.domain.readable import counted
from router.store.conninfo import PostgresqlAddress
from router.store.permissions import holds_state
from router.store.store import Store

GIVEN_UP = 2
"""The exit code where the person who was asked did not want it."""


def is_shared(state: Path | PostgresqlAddress) -> bool:
    """Return whether other processes may be at work on a state, with settings of their own."""
    return not isinstance(state, Path)


@asynccontextmanager
async def store_in(options: Namespace) -> AsyncIterator[Store]:
    """The store that is meant: a database, or the directory that an earlier run left.

    Raises BadFile where there is no such directory, BadUsage where what speaks to the database is not installed, and
    StoreError where it cannot be used.
    """
    refuse_missing(options.state)
    store = await open_state(options.state, Settings())
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def store_to_change(options: Namespace) -> AsyncIterator[Store]:
    """The same, with a directory to itself; raises StateInUse where a run is at work on it.

    A database is shared by all who work on it: each change there is made only over what was read.
    """
    async with store_in(options) as store:
        store.hold()
        yield store


def refuse_missing(state: Path | PostgresqlAddress) -> None:
    """Raise BadFile where a directory holds no state."""
    if isinstance(state, Path) and not holds_state(state):
        raise BadFile(f"{state}: holds no state; name where it is with --state, or by ALERT_ROUTER_STATE")


def refuse_unnamed(options: Namespace) -> None:
    """Raise BadUsage unless ids are named, or else all of them are meant."""
    if options.all == bool(options.ids):
        raise BadUsage(f"{options.command.partition(':')[2]}: name ids, or --all for all of them")


def ids_meant(options: Namespace, known: Sequence[str]) -> list[str]:
    """Return the whole ids of those named, or all that are known; raises BadUsage as `find_id` does."""
    return list(known if options.all else dict.fromkeys(find_id(one, known) for one in options.ids))


def find_id(written: str, known: Iterable[str]) -> str:
    """Return the whole id that a text begins; raises BadUsage where it begins none, or several."""
    begin = written.lower()
    found = [one for one in known if begin and one.startswith(begin)]
    if begin in found:
        return begin
    if not found:
        raise BadUsage(f"{written or '(nothing)'}: is no id in the list; the list shows them")
    if len(found) > 1:
        raise BadUsage(f"{written}: begins {len(found)} ids; write more of it")
    return found[0]


def is_discard_wanted(options: Namespace, number: int, what: str) -> bool:
    """Ask whether to discard so many things for good, and return the answer; of nothing none is asked.

    Raises BadUsage where there is no terminal to ask on.
    """
    if not number:
        return True
    refuse_unasked("discard", is_confirmed=options.yes)
    is_meant = is_wanted(f"discard {counted(number, what)} for good?", is_confirmed=options.yes)
    if not is_meant:
        complain("nothing was discarded")
    return is_meant
