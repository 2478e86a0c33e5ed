"""What people do to dead letters and to the quarantine: send them again, take them in again, discard them. Each is on record.

In SQLite a state must be this process's own (`Store.hold`) where letters are redriven or messages retaken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from copy import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

import orjson
from msgspec import to_builtins

from router.app.rules import Rules, new_intake, new_reader
from router.app.settings import Clock
from router.decide import iso
from router.decide.prose import unfilled
from router.destinations.wording.fitting import shortened
from router.destinations.wording.headlines import headline
from router.destinations.wording.masking import masked
from router.destinations.wording.withholding import outline_of
from router.domain.decisions import Code, Outcome
from router.domain.notices import ANNOUNCEMENT, Group, Notice, RecordEntry, is_about_ai
from router.domain.readable import one_line, timestamp
from router.domain.signals import Stream
from router.domain.values import Value
from router.ingest.messages import Message, MessagePart, MessageReader, NotUnderstood, is_beginning
from router.store import dead_letters
from router.store.changes import ChangeAction, ChangeEntry, write_change
from router.store.dead_letters import DeadLetter, Redrive
from router.store.delivery_lifecycle import LONGEST_FAILURE
from router.store.quarantine import QuarantineEntry, discard_quarantined
from router.store.store import Store, Transaction


class Redriven(Value):
    """What became of dead letters that a person wants sent again, or would become of them."""

    results: tuple[tuple[DeadLetter, Redrive], ...]

    @property
    def owed(self) -> int:
        """How many are owed again, those among them that others owe again already."""
        return len(self.results) - self.overtaken - len(self.damaged)

    @property
    def overtaken(self) -> int:
        """How many are let go: what was told since leaves nothing to say for them."""
        return sum(result is Redrive.OVERTAKEN for _, result in self.results)

    @property
    def damaged(self) -> Sequence[DeadLetter]:
        """Those that stay, since they cannot be decoded."""
        return [letter for letter, result in self.results if result is Redrive.DAMAGED]


async def redrive_letters(
    store: Store, letters: Iterable[DeadLetter], now: datetime, *, author: str, reason: str = ""
) -> Redriven:
    """Owe dead letters again, each in a transaction of its own; raises StoreError."""

    async def redrive(tx: Transaction, letter: DeadLetter) -> Redrive:
        result = await dead_letters.redrive(tx, letter.id, now)
        if result in (Redrive.OWED, Redrive.OVERTAKEN):
            done = _change_of(letter, ChangeAction.REDRIVEN, now, author, reason)
            await write_change(tx, replace(done, detail={**done.detail, "became": result}))
        return result

    return Redriven(tuple([(one, await store.run(partial(redrive, letter=one))) for one in _in_turn(letters)]))


class _Undone(Exception):
    """Ends a transaction of which nothing is to be kept."""


async def preview_redrive(store: Store, letters: Iterable[DeadLetter], now: datetime) -> Redriven:
    """Return what would become of dead letters: they are redriven, and all of that is rolled back. Raises StoreError."""
    results: list[tuple[DeadLetter, Redrive]] = []

    async def try_out(tx: Transaction) -> None:
        results[:] = [(letter, await dead_letters.redrive(tx, letter.id, now)) for letter in _in_turn(letters)]
        raise _Undone

    with suppress(_Undone):
        await store.run(try_out)
    return Redriven(tuple(results))


def _in_turn(letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    # What becomes of a letter depends on those of earlier turns.
    return sorted(letters, key=lambda one: one.delivery.turn if one.delivery is not None else 0)


async def discard_letters(
    store: Store, letters: Iterable[DeadLetter], now: datetime, *, author: str, reason: str = ""
) -> int:
    """Take dead letters off the list for good; return how many there were. Raises StoreError."""

    async def discard(tx: Transaction, letter: DeadLetter) -> bool:
        is_there = await dead_letters.discard(tx, letter.id, now)
        if is_there:
            await write_change(tx, _change_of(letter, ChangeAction.DEAD_LETTERS_DISCARDED, now, author, reason))
        return is_there

    return sum([await store.run(partial(discard, letter=one)) for one in letters])


def _change_of(letter: DeadLetter, action: ChangeAction, at: datetime, author: str, reason: str) -> ChangeEntry:
    return ChangeEntry(
        at=at,
        author=author,
        action=action,
        stream=letter.delivery.stream if letter.delivery is not None else None,
        subject=letter.id,
        reason=reason,
        detail={
            "to": letter.addressed_to,
            "error": shortened(one_line(masked(letter.error)), LONGEST_FAILURE),
            **({"died": timestamp(letter.died)} if letter.died is not None else {}),
            **({"signal": some[0]} if (some := signals_of(letter)) else {}),
        },
    )


def signals_of(letter: DeadLetter) -> Sequence[str]:
    """Return the keys of the signals that a dead letter tells of: of a group's those that it names."""
    match letter.delivery.content if letter.delivery is not None else None:
        case RecordEntry(signal=str(key)):
            return [key]
        case Notice(group=None) as notice:
            return [] if notice.kind == ANNOUNCEMENT else [notice.key]
        case Notice(group=Group(groups=None, named=named)):
            return [one.key for one in named]
    return []


def letter_title(letter: DeadLetter) -> str:
    """Return what a dead letter tells of, on one line, as a ticket may say it."""
    match letter.delivery.content if letter.delivery is not None else None:
        case Notice() as notice:
            return headline(outline_of(notice) if is_about_ai(notice) else notice, _LONGEST_TITLE)
        case RecordEntry(title=title, source=source):
            return unfilled(title or source)
    return f"{letter.addressed_to or 'a row'}, which cannot be read"


_LONGEST_TITLE = 300


def letter_document(letter: DeadLetter) -> dict[str, object]:
    """Return a dead letter for programs, without what looks like a credential; what cannot be decoded is null."""
    it = letter.delivery
    names = ("stream", "destination", "lane", "change", "turn")
    return {
        "id": letter.id,
        **{name: getattr(it, name) if it is not None else None for name in names},
        "signal": it.content.id if it is not None else None,
        "signals": signals_of(letter),
        "title": masked(it.content.title) if it is not None and it.content.title else None,
        "attempts": letter.attempts if it is not None else None,
        "born": iso(letter.born) if it is not None else None,
        "died": iso(letter.died),
        "error": masked(letter.error),
        "damaged": it is None,
    }


def letter_content(letter: DeadLetter) -> object:
    """Return what a dead letter tells, or its row where that cannot be decoded; neither is masked."""
    return to_builtins(letter.delivery.content) if letter.delivery is not None else orjson.loads(letter.row)


class RetakeResult(NamedTuple):
    """What became of one message in quarantine, or would.

    Attributes:
        words: its outcomes, or why it stays; they may quote the message.
    """

    entry: QuarantineEntry
    is_retaken: bool
    words: str


async def retake_messages(
    store: Store,
    entries: Iterable[QuarantineEntry],
    rules: Rules,
    only: Stream | None,
    clock: Clock,
    *,
    author: str,
    reason: str = "",
) -> list[RetakeResult]:
    """Parse messages again and take in what is understood now; the rest stays. Raises StoreError.

    `only` is the stream that they come from; without it each goes to its own.
    """
    reader, intake = new_reader(rules, only), new_intake(store, rules, only)

    async def retake(entry: QuarantineEntry) -> RetakeResult:
        message, parts = _read_again(entry, reader)
        if (why := _why_it_stays(entry, parts)) is not None:
            return RetakeResult(entry, is_retaken=False, words=why)
        decisions = await intake.ingest([message], clock())
        if any(one.outcome == Outcome.QUARANTINED for one in decisions):
            why = f"stays, it still cannot be taken: {'; '.join(one.reason for one in decisions)}"
            return RetakeResult(entry, is_retaken=False, words=why)
        change = _change_about(entry, ChangeAction.RETAKEN, clock(), author, reason)
        await store.run(partial(_discard, entry=entry, change=change))
        return RetakeResult(
            entry, is_retaken=True, words="; ".join(f"{one.outcome}, {one.reason}" for one in decisions)
        )

    return [await retake(entry) for entry in entries]


def preview_retake(entries: Iterable[QuarantineEntry], rules: Rules, only: Stream | None) -> list[RetakeResult]:
    """Return which messages in quarantine are understood now, and would be taken in; the others with why they stay."""
    reader, found = new_reader(rules, only), []
    for entry in entries:
        _, parts = _read_again(entry, reader)
        why = _why_it_stays(entry, parts)
        signals = [part.signal for part in parts if not isinstance(part, NotUnderstood)]
        words = "; ".join(f"{one.stream} {one.kind}: {unfilled(one.title)}" for one in signals)
        found.append(RetakeResult(entry, is_retaken=why is None, words=why or words))
    return found


def _read_again(entry: QuarantineEntry, reader: MessageReader) -> tuple[Message, list[MessagePart]]:
    # It came in when it came in: what arrived after it is newer, and its first outcome stays on record.
    message = Message(entry.quarantined.body, entry.source, replace(entry.arrival, again=1))
    return message, reader.read_message(message)


def _why_it_stays(entry: QuarantineEntry, parts: Sequence[MessagePart]) -> str | None:
    if is_beginning(entry.quarantined):
        return f"stays, only its beginning is kept; find the whole of it where it came from: {entry.source}"
    if entry.quarantined.reason.code is Code.DAMAGED:
        return f"stays, it is a row of the state and no message: {entry.quarantined.reason}"
    reasons = [str(part.quarantined.reason) for part in parts if isinstance(part, NotUnderstood)]
    return f"stays, it is still not understood: {', '.join(reasons)}" if len(reasons) == len(parts) else None


async def discard_messages(
    store: Store, entries: Iterable[QuarantineEntry], now: datetime, *, author: str, reason: str = ""
) -> int:
    """Discard entries of the quarantine for good; return how many there were. Raises StoreError."""
    gone = [(one, _change_about(one, ChangeAction.QUARANTINE_DISCARDED, now, author, reason)) for one in entries]
    return sum([await store.run(partial(_discard, entry=entry, change=change)) for entry, change in gone])


async def _discard(tx: Transaction, entry: QuarantineEntry, change: ChangeEntry) -> bool:
    is_there = await discard_quarantined(tx, entry.id)
    if is_there:
        await write_change(tx, change)
    return is_there


def _change_about(entry: QuarantineEntry, action: ChangeAction, at: datetime, author: str, reason: str) -> ChangeEntry:
    return ChangeEntry(
        at=at,
        author=author,
        action=action,
        stream=entry.stream,
        subject=entry.id,
        reason=reason,
        detail={"source": entry.source, "code": entry.quarantined.reason.code},
    )


def quarantined_document(entry: QuarantineEntry) -> dict[str, object]:
    """Return an entry of the quarantine for programs, without its body and without what looks like a credential."""
    code, words = entry.quarantined.reason
    return {
        "id": entry.id,
        "since": iso(entry.at),
        "source": entry.source,
        "stream": entry.stream,
        "code": code,
        "reason": masked(words),
        "at_fault": entry.quarantined.at_fault,
        "is_message": code is not Code.DAMAGED,
        "bytes": len(entry.quarantined.body),
    }


async def record_shown(
    store: Store, stream: str | None, subject: str, now: datetime, *, author: str, reason: str = ""
) -> None:
    """Put on record that a person saw a raw body: a dead letter's, that of an entry in quarantine, or what is kept of a signal.

    Raises StoreError.
    """
    change = ChangeEntry(
        at=now, author=author, action=ChangeAction.BODY_SHOWN, stream=stream, subject=subject, reason=reason
    )
    await store.run(partial(write_change, change=change))
