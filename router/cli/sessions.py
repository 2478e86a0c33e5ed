"""`alert-router sessions list|end`: who is signed in to the console."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from router.cli.open_state import find_id, store_in
from router.cli.printing import print_json, print_lines
from router.cli.screen import both_times
from router.domain.readable import timestamp
from router.store.sessions import Session, end_session, list_sessions

_SHOWN = 12
"""Characters of an id that are printed: it is a digest, and may be shortened."""


def list_them(options: Namespace) -> int:
    """Print the sessions that are not over, the earliest first."""
    sessions = asyncio.run(_listed(options))
    if options.format == "json":
        print_json([session_document(one) for one in sessions])
    elif sessions:
        print_lines(
            [f"{'id':{_SHOWN}}  {'role':8}  {'since':20}  {'seen':20}  {'until':20}  who", *map(_line, sessions)]
        )
    else:
        print_lines(["nobody is signed in"])
    return 0


def end(options: Namespace) -> int:
    """End a session now: who has it must sign in again."""
    session = asyncio.run(_end(options))
    if options.format == "json":
        print_json(session_document(session))
    else:
        print_lines([f"session {session.id[:_SHOWN]} of {session.name} is over; it began {both_times(session.since)}"])
    return 0


async def _listed(options: Namespace) -> Sequence[Session]:
    async with store_in(options) as store, store.session() as tx:
        return await list_sessions(tx)


async def _end(options: Namespace) -> Session:
    async with store_in(options) as store:
        async with store.session() as tx:
            known = {one.id: one for one in await list_sessions(tx)}
        meant = known[find_id(options.id, known)]
        await store.run(lambda tx: end_session(tx, meant.id))
        return meant


def _line(one: Session) -> str:
    times = "  ".join(map(timestamp, (one.since, one.seen, one.until)))
    return f"{one.id[:_SHOWN]}  {one.role:8}  {times}  {one.name}"


def session_document(one: Session) -> dict[str, Any]:
    """Return a session as `sessions list` has it."""
    times = {name: timestamp(getattr(one, name)) for name in ("since", "seen", "until")}
    return {"id": one.id, "name": one.name, "subject": one.subject, "role": one.role, **times}
