"""What the commands on a state share: a state that is there, and ids by their beginning."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from router.domain.errors import BadFile, BadUsage
from router.store.sqlite import SqliteStore


@asynccontextmanager
async def store_in(directory: Path) -> AsyncIterator[SqliteStore]:
    """The store of a state that an earlier run left; raises BadFile where there is none."""
    if not (directory / "router.db").is_file():
        raise BadFile(f"{directory}: holds no state; name the directory of a run with --state")
    store = SqliteStore(directory)
    try:
        yield store
    finally:
        await store.close()


def refuse_unnamed(options: Namespace) -> None:
    """Raises BadUsage unless ids are named, or else all of them are meant."""
    if options.all == bool(options.ids):
        raise BadUsage(f"{options.command.partition(':')[2]}: name ids, or --all for all of them")


def ids_meant(options: Namespace, known: Sequence[str]) -> list[str]:
    """The whole ids of those named, or all that are known; raises BadUsage as `ids_for` does."""
    return list(known) if options.all else ids_for(options.ids, known)


def ids_for(written: Iterable[str], known: Sequence[str]) -> list[str]:
    """The whole ids that were meant, each once; raises BadUsage for one that begins none, or several."""
    return list(dict.fromkeys(_id_for(one, known) for one in written))


def _id_for(written: str, known: Sequence[str]) -> str:
    found = [id for id in known if id.startswith(written.lower())] if written else []
    if written.lower() in found:
        return written.lower()
    if not found:
        raise BadUsage(f"{written or '(nothing)'}: is no id in the list; the list shows them")
    if len(found) > 1:
        raise BadUsage(f"{written}: begins {len(found)} ids; write more of it")
    return found[0]
