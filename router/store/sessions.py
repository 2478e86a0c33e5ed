"""Sessions: who is signed in to the console, and until when. A browser's own id of one is not kept, only its digest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from router.domain.values import Value
from router.store.codec import RowForm, insert
from router.store.quarantine import read_sound
from router.store.store import Transaction

LONGEST = timedelta(hours=8)
"""How long a session lasts at most."""

IDLE = timedelta(hours=1)
"""After how long a session is over in which nothing was asked."""

COARSE = timedelta(minutes=5)
"""How exactly it is known when something was asked last: to know it better each page would be a write."""


class Session(Value, kw_only=True):
    """A person who signed in.

    Attributes:
        id: the digest of what the browser has.
        attempt: the digest of what the sign-in began with, which begins no other session.
        subject: who it is, as the issuer tells people apart.
        role: what the person may do, in one word.
        seen: when something was asked last, nearly.
        until: when it ends at the latest.
    """

    id: str
    attempt: str
    name: str
    subject: str
    role: str
    since: datetime
    seen: datetime
    until: datetime


_SESSION = RowForm(Session)
_IS_ON = "until>? AND seen>? AND since<?"
_BEGIN = insert("sessions", _SESSION.columns, ["attempt"])
_FIND = f"SELECT * FROM sessions WHERE id=? AND {_IS_ON}"
_LIST = f"SELECT * FROM sessions WHERE {_IS_ON} ORDER BY since, id"
# Nobody was seen so long ago: it stays over where another clock is behind, or this one is put back.
_END = f"UPDATE sessions SET until=?, seen=0 WHERE id=? AND {_IS_ON}"


def _on(tx: Transaction) -> tuple[datetime, datetime, datetime]:
    """Return what `_IS_ON` asks for: a session that begins later is of a clock that was ahead, and its end is, too."""
    return tx.now, tx.now - IDLE, tx.now + COARSE


async def begin_session(tx: Transaction, session: Session) -> bool:
    """Begin a session; False where its attempt began one before."""
    return bool(await tx.execute(_BEGIN, *_SESSION.values(session)))


async def find_session(tx: Transaction, id: str) -> Session | None:
    """Return a session that is not over."""
    return next(iter(await read_sound(tx, "sessions", _FIND, [id, *_on(tx)], _SESSION.read)), None)


async def list_sessions(tx: Transaction) -> Sequence[Session]:
    """Return the sessions that are not over, the earliest first."""
    return await read_sound(tx, "sessions", _LIST, _on(tx), _SESSION.read)


async def note_seen(tx: Transaction, id: str) -> None:
    """Put down that something is asked in a session now."""
    await tx.write("UPDATE sessions SET seen=? WHERE id=? AND seen>0", tx.now, id)


async def end_session(tx: Transaction, id: str) -> bool:
    """End a session; False where there is none that is not over. Its row stays, so that its attempt begins no other one."""
    return bool(await tx.execute(_END, tx.now, id, *_on(tx)))
