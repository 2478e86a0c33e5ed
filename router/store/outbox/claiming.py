"""Claiming what is due.

A claim is made over the entry that was read, so that of two workers one wins. What was decided on beside it, the other turns of
its signal, may change meanwhile; such a change then came after the claim, as everybody sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from router.domain.deliveries import Claim, Delivery, Pointer
from router.domain.delivery_errors import DEADLY, damaged
from router.domain.delivery_lifecycle import OutboxEntry, claimed, deferred, given_up, skipped
from router.domain.errors import StoreError, Undecodable
from router.domain.lane_limits import LEASE
from router.domain.supersession import find_untold_life, is_paged, may_be_note, untold_before
from router.domain.turn_order import ClaimNow, GiveUp, NextStep, Skip, Wait, first_open, next_step
from router.store.outbox.in_flight import InFlight
from router.store.outbox.table import Move, OutboxTable, SignalEntries

UNREAD = timedelta(minutes=5)
"""How long a delivery is deferred whose body storage did not give."""

TRIES = 5
"""How often a worker looks again at what others change meanwhile; each of them got something done."""

type _Known[E: OutboxEntry] = tuple[SignalEntries[E], NextStep[E]]


class Claiming[E: OutboxEntry]:
    """Claims deliveries; raises StoreError."""

    def __init__(self, table: OutboxTable[E], in_flight: InFlight[E]) -> None:
        self._table = table
        self._in_flight = in_flight

    async def claim(self, pointer: Pointer, due: datetime, until: datetime, limit: int) -> Sequence[Claim]:
        """Claims up to `limit` deliveries that are due, in order of due; a suspect alone, where there is nothing else."""
        if limit < 1:
            return []
        with self._table.transaction():
            for _ in range(TRIES):
                claims, is_contended = await self._claim_due(pointer, due, until, limit)
                if claims or not is_contended:
                    break
        return claims

    async def _claim_due(
        self, pointer: Pointer, due: datetime, until: datetime, limit: int
    ) -> tuple[list[Claim], bool]:
        """The same, tried once; and whether one that is asked for by itself was changed by others meanwhile."""
        # No worker has a much longer lease, since all have the same settings.
        lease = max(until - due, *LEASE.values())
        claims: list[Claim] = []
        poison: list[E] = []
        suspects: list[E] = []
        untold: set[str] = set()
        is_single = is_contended = False
        async with aclosing(self._table.due(pointer, due, lease, limit)) as found:
            try:
                async for signals in found:
                    known = [one for one in await self._next_steps(signals, due, lease) if _is_asked_for(*one)]
                    await self._look_again(known)
                    is_single = any(signal.turn is not None for signal, _ in known)
                    safe: list[E] = []
                    for _, step in known:
                        match step:
                            case GiveUp(entry):
                                poison.append(entry)
                            case ClaimNow(entry, is_suspect, is_untold):
                                (suspects if is_suspect else safe).append(entry)
                                untold |= {entry.id} if is_untold else set()
                    safe = safe[: limit - len(claims)]
                    won = await self._claim(safe, due, until)
                    is_contended = is_contended or len(won) < len(safe)
                    claims += await self._read(won, due, untold)
                    if len(claims) >= limit:
                        break
            except StoreError:
                # What is claimed already is to be sent: nobody else would before its lease is over, and then it would count
                # as lost.
                if not claims:
                    raise
        if not claims:
            dead = await self._table.move([Move(one, given_up(one, due, DEADLY)) for one in poison])
            await self._table.point([one for one in dead if one is not None], due)
            alone = suspects[:1]
            won = await self._claim(alone, due, until)
            is_contended = is_contended or len(won) < len(alone)
            claims = await self._read(won, due, untold)
        return claims, is_single and is_contended

    async def skip_superseded(
        self, signals: Sequence[SignalEntries[E]], now: datetime, superseded: Callable[[Sequence[E]], Sequence[E]]
    ) -> Sequence[SignalEntries[E]]:
        """Skips what is superseded of some signals, and returns them as they are then."""
        current = list(signals)
        touched: set[int] = set()
        for _ in range(TRIES):
            needless = {number: some for number, one in enumerate(current) if (some := superseded(one.entries))}
            if not needless:
                break
            moves = [[Move(one, skipped(one, now)) for one in some] for some in needless.values()]
            are_skipped = await self._table.move_in_order(moves)
            for (number, some), some_moves, is_skipped in zip(needless.items(), moves, are_skipped, strict=True):
                turn = current[number].turn
                if is_skipped:
                    after = {move.after.turn: move.after for move in some_moves}
                    entries = [after.get(one.turn, one) for one in current[number].entries]
                    current[number] = SignalEntries(entries, turn=turn)
                else:
                    again = await self._table.signals_of(some[:1], turn)
                    current[number] = again[0] if again else SignalEntries((), turn=turn)
            touched |= needless.keys()
        if touched:
            # What comes next may have been pointed at while it waited for what is skipped now.
            firsts = (first_open(current[number].entries) for number in touched)
            await self._table.point([one for one in firsts if one is not None], now)
        return current

    async def find_ends_to_send(self, signals: Sequence[SignalEntries[E]]) -> Collection[str]:
        """The ids of resolutions that are sent though their openings were not: of what the rules sent to a pager as well."""
        kept: set[str] = set()
        for life in filter(None, (find_untold_life(one.entries) for one in signals)):
            read = await self._table.read(life)
            if any(isinstance(one, Delivery) and is_paged(one) for one in read):
                kept.add(life[-1].id)
        return kept

    async def _next_steps(
        self, signals: Sequence[SignalEntries[E]], now: datetime, lease: timedelta
    ) -> list[_Known[E]]:
        """What is next for each signal, after what is superseded was skipped."""
        kept = await self.find_ends_to_send(signals)

        def superseded(entries: Sequence[E]) -> Sequence[E]:
            step = next_step(entries, now, lease, kept)
            return step.entries if isinstance(step, Skip) else ()

        steps = [next_step(one.entries, now, lease, kept) for one in signals]
        if any(isinstance(step, Skip) for step in steps):
            signals = await self.skip_superseded(signals, now, superseded)
            steps = [next_step(one.entries, now, lease, kept) for one in signals]
        known = zip(signals, steps, strict=True)
        return [(one, step) for one, step in known if step is not None and not isinstance(step, Skip)]

    async def _look_again(self, known: Sequence[_Known[E]]) -> None:
        """Has what waits for a turn that is in flight, or will be, looked at a little later.

        Its own pointer may have come already. Behind a turn that is deferred nobody has to look: whoever follows the pointer
        to that one comes by here.
        """
        await self._table.point_soon(
            [
                step.entry
                for signal, step in known
                if len(signal.entries) > 1
                and not isinstance(step, Skip)
                and not (isinstance(step, Wait) and step.entry.lease is None)
            ]
        )

    async def _claim(self, entries: Sequence[E], due: datetime, until: datetime) -> list[E]:
        """Those that nobody else claimed meanwhile."""
        moves = [Move(one, claimed(one, due, until, uuid4().hex)) for one in entries]
        return [one for one in await self._table.move(moves) if one is not None] if moves else []

    async def _read(self, won: Sequence[E], due: datetime, untold: Collection[str]) -> list[Claim]:
        """What was claimed, read whole; what cannot be read is no claim."""
        if not won:
            return []
        self._in_flight.remember(won, due)
        read = await self._table.claims(won)
        read = [await self._with_weight(entry, one) for entry, one in zip(won, read, strict=True)]
        faults = [(entry, one) for entry, one in zip(won, read, strict=True) if not isinstance(one, Claim)]
        if faults:
            await self._end(faults, due)
        return [replace(one, is_untold=one.delivery.id in untold) for one in read if isinstance(one, Claim)]

    async def _with_weight(self, entry: E, claim: Claim | Undecodable | StoreError) -> Claim | Undecodable | StoreError:
        """A claim with whether it is a note, which depends on what was told there before."""
        if not isinstance(claim, Claim) or not may_be_note(claim.delivery):
            return claim
        try:
            untold = untold_before(entry, await self._table.history(entry))
            told = await self._table.read(untold) if untold else []
        except StoreError as fault:
            return fault
        # What cannot be decoded may have said anything.
        return replace(claim, is_note=all(isinstance(one, Delivery) and may_be_note(one) for one in told))

    async def _end(self, faults: Sequence[tuple[E, Undecodable | StoreError]], due: datetime) -> None:
        """Gives up on what cannot be decoded, and defers what storage did not give: it may be at fault, and no worker was."""
        moves: list[Move[E]] = []
        for entry, fault in faults:
            if isinstance(fault, Undecodable):
                await self._table.set_aside(entry, fault)
                moves.append(Move(entry, given_up(entry, due, damaged(fault))))
            else:
                moves.append(Move(entry, deferred(entry, due + UNREAD, str(fault))))
        self._in_flight.forget(entry.claim for entry, _ in faults)
        await self._table.point([one for one in await self._table.move(moves) if one is not None], due)


def _is_asked_for[E: OutboxEntry](signal: SignalEntries[E], step: NextStep[E]) -> bool:
    """Whether the turn that is next is the one that is asked for."""
    return signal.turn is None or (not isinstance(step, Skip) and step.entry.turn == signal.turn)
