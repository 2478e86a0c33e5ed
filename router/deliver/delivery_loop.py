"""The loop that delivers what is due in one lane: one for all its destinations, and none's trouble delays another's.

Its turns settle what was answered and claim what there is room for, no more than is sent in a moment. What was sent and is not
settled yet is sent again if the process dies just then, which is why a destination says how it deduplicates.

What cannot be tried just now is left or put back, and that spends no attempt: the destination refuses our credentials or
wishes to be left alone, a person holds it, a poison suspect is being sent, the state fails, or the process comes to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext, suppress
from copy import replace
from datetime import datetime, timedelta
from itertools import batched

from router.deliver.background import BackgroundReader
from router.deliver.destination import BUSY, EPOCH, FAR, Answers, Destination, Finished, answers_in
from router.deliver.destination_holds import HoldReader
from router.deliver.isolation import Isolation
from router.deliver.retries import chance, settlement_for, untried
from router.deliver.sender import SHARE_OF_LEASE, Sender
from router.domain.clocks import latest
from router.domain.deliveries import LEASE, LONGEST_WAIT, SUSPECT, Background, Claim, Pause, Settlement
from router.domain.destination_holds import DestinationHold
from router.domain.errors import StoreError, Unstorable
from router.domain.rulebook import Lane
from router.store.claims import Claimed, Recipient, claim_due, claim_odd, decide_depending, settle_claims
from router.store.delivery_status import FirstDue, find_first_due
from router.store.destinations import PROBE, is_probe_due, pause_destination, resume_destination, take_probe
from router.store.store import Store, Transaction

GATHER = 0.1
"""Seconds for which answers gather before they are settled, where others are on their way."""

LOOK = 1.0
"""Seconds after which a loop looks again that waits for an answer, or could not claim what is due."""

IDLE = 5.0
"""Seconds after which a loop that never ends looks again for what others have to do."""

UNSTORABLE = "what was answered cannot be kept"

type OnSettled = Callable[[Sequence[Settlement]], None]
"""Is called with what became of claims, once it is written down."""


class DeliveryLoop:
    """Delivers what is due at some destinations of one lane of a stream, `concurrency` sends to each side by side.

    All loops of a process share `isolation`, so that a poison suspect is sent alone, and `holds`. `on_settled` is called with
    what became of claims.
    """

    def __init__(
        self,
        stream: str,
        lane: Lane,
        senders: Mapping[str, Sender],
        *,
        store: Store,
        clock: Callable[[], datetime],
        concurrency: int,
        isolation: Isolation,
        holds: HoldReader | None = None,
        backgrounds: BackgroundReader | None = None,
        on_settled: OnSettled = lambda _: None,
    ) -> None:
        self._stream = stream
        self._store = store
        self._clock = clock
        self._isolation = isolation
        self._holds = holds or HoldReader(store)
        self._backgrounds = backgrounds
        self._on_settled = on_settled
        # No worker has a much longer lease, since all have the same settings.
        self._longest = max(LONGEST_WAIT[lane], *LEASE.values(), *(sender.lease for sender in senders.values()))
        self._lease = min(sender.lease for sender in senders.values())
        self._known = {
            name: Destination(Recipient(stream, lane, name), sender, concurrency, clock)
            for name, sender in senders.items()
        }
        self._news = asyncio.Event()
        self._is_running = False
        self._is_ended: Callable[[], bool] = lambda: False
        self._is_stale = True
        self._looked = 0.0
        self._sends: set[asyncio.Task[None]] = set()
        self._finished: list[Finished] = []
        self._unwritten: list[Settlement] = []
        self._reached: set[tuple[str, str]] = set()
        self._faults: list[StoreError] = []
        self._broken: BaseException | None = None

    @property
    def destinations(self) -> Collection[str]:
        """The names of the destinations."""
        return self._known.keys()

    @property
    def looked(self) -> float:
        """When the running loop's clock showed that it last began to deliver, or saw what is due next.

        That is seconds ago while it lives, also where it always has something to send.
        """
        return self._looked

    async def deliver_due(self, is_ended: Callable[[], bool]) -> None:
        """Deliver what is due now; what falls due meanwhile is left. Raises StoreError.

        Once `is_ended` says so, what is on its way is finished, and what was claimed and not sent is given back.
        """
        now = self._clock()
        await self._run(lambda: now, is_ended)

    async def deliver_on(self, is_ended: Callable[[], bool], ahead: timedelta | None = None) -> bool:
        """Deliver while something is due or falls due within a time, without one for ever, until `is_ended` says so.

        Return whether it was ended while something was due or fell due soon. Where the loop is running already, that looks
        at once for what is due, and this returns False. Raises StoreError.
        """
        if self._is_running:
            self.look_again()
            return False
        if ahead is None:
            return await self._run(lambda: FAR, is_ended, is_endless=True)
        return await self._run(lambda: self._clock() + ahead, is_ended)

    def look_again(self) -> None:
        """Have a loop that waits look at once for what is due."""
        for one in self._known.values():
            if one.pause is None:
                one.due = EPOCH
        self._is_stale = True
        self._news.set()

    async def write_unwritten(self) -> None:
        """Write down what was sent and the state did not take before; raises StoreError.

        What the engine refuses is written by itself, and what was answered is left out where it is refused again.
        """
        settled = list(self._unwritten)
        if not settled:
            return
        try:
            await self._settle(settled)
        except Unstorable:
            for one in settled:
                try:
                    await self._settle([one])
                except Unstorable:
                    await self._settle([replace(one, receipt=None, error=one.error and UNSTORABLE)])
        del self._unwritten[: len(settled)]
        self._on_settled(settled)

    async def _settle(self, settlements: Sequence[Settlement]) -> None:
        await self._store.run(lambda tx: settle_claims(tx, settlements, self._reached))

    async def _run(
        self, horizon: Callable[[], datetime], is_ended: Callable[[], bool], *, is_endless: bool = False
    ) -> bool:
        def is_over() -> bool:
            return bool(self._faults or self._broken) or is_ended()

        self._is_running, self._is_ended = True, is_ended
        self._looked = asyncio.get_running_loop().time()
        self._faults.clear()
        self.look_again()
        try:
            try:
                await self.write_unwritten()
            except StoreError as fault:
                self._faults.append(fault)
            while True:
                self._news.clear()
                await self._turn(min(horizon(), self._clock()), is_ended, is_over)
                if self._sends or self._finished:
                    await self._wait_for_answers()
                    continue
                if is_over():
                    break
                if self._is_stale:
                    continue
                next = self._find_next(horizon())
                if next is None and not is_endless:
                    break
                await self._wait(next)
        finally:
            self._is_running = False
            for task in self._sends:
                task.cancel()
            await asyncio.gather(*self._sends, return_exceptions=True)
            # Something is left only where the call is broken off.
            left = self._take_answers().settled
            self._unwritten += left
            self._isolation.release(len(left))
        for trouble in (self._broken, *self._faults):
            if trouble is not None:
                raise trouble
        return is_ended()

    async def _turn(self, due: datetime, is_ended: Callable[[], bool], is_over: Callable[[], bool]) -> None:
        """Settles what was answered, claims what there is room for, and sends it; sees what is due where nothing is claimed."""
        if self._isolation.is_reserved:
            await self._exchange(self._take_answers())
            if self._sends or is_over():
                return
            await self._isolation.wait_until_free()
        asked: list[Destination] = []
        held: Mapping[str, DestinationHold] = {}
        is_looking = not is_over()
        if is_looking:
            ticks = asyncio.get_running_loop().time()
            # One that always has something due keeps no other's retry or probe waiting, and nothing odd of its own for long.
            patience = LOOK if any(one.due > due for one in self._known.values()) else IDLE
            if not (self._finished and self._is_stale and ticks - self._looked >= patience):
                asked = [one for one in self._known.values() if one.is_asked(due) and one.quiet_until <= ticks]
            try:
                held = await self._holds.held_in(self._stream, self._clock())
            except StoreError as fault:
                self._faults.append(fault)
                asked, is_looking = [], False
        for one in asked:
            if one.recipient.destination in held:
                one.due, self._is_stale = FAR, True
        answers = self._take_answers()
        asked = [one for one in asked if one.recipient.destination not in {*held, *answers.pauses}]
        with self._isolation.claiming():
            now = self._clock()
            until = now + self._lease
            claims = await self._exchange(answers, asked, due, until, held if is_looking else None)
            try:
                for one in asked:
                    if one.is_rare and not is_over():
                        claims += await self._claim_rare(one, due, until)
            except StoreError as fault:
                # What is claimed is sent all the same.
                self._faults.append(fault)
            self._isolation.hold(len(claims))
        beside = await self._backgrounds.read(claims, self._lease) if self._backgrounds and claims else {}
        for one in asked:
            mine = [claim for claim in claims if claim.delivery.destination == one.recipient.destination]
            if is_ended():
                self._finished += [Finished(one, [untried(claim, now, now) for claim in mine])] if mine else []
            else:
                self._send(one, mine, beside, now + self._lease * (1 - SHARE_OF_LEASE))

    async def _claim_rare(self, one: Destination, due: datetime, until: datetime) -> list[Claim]:
        """Claims a probe, or what is not claimed with others."""
        if (pause := one.pause) is not None:
            claims = await self._store.run(lambda tx: self._claim_probe(tx, pause, one.recipient, due, until))
        else:
            claims = await self._store.run(lambda tx: claim_odd(tx, one.recipient, due, until, one.room))
        one.is_odd = one.came_empty = False
        one.due, self._is_stale = FAR, True
        if not claims:
            # Something is due, and nothing could be claimed: it is not asked again at once.
            one.quiet_until = asyncio.get_running_loop().time() + LOOK
        return claims

    async def _claim_probe(
        self, tx: Transaction, pause: Pause, recipient: Recipient, due: datetime, until: datetime
    ) -> list[Claim]:
        """Takes the probe that a paused destination is due, with one delivery; leaves it where there is none."""
        taken = replace(pause, probe=due + PROBE)
        if not await take_probe(tx, pause, taken.probe):
            return []
        found = await claim_due(tx, {recipient: 1}, due, until, is_probe=True)
        claims = [*found.claims, *await decide_depending(tx, found.depending, due, until)]
        claims = claims or await claim_odd(tx, recipient, due, until, 1)
        if not claims:
            await take_probe(tx, taken, pause.probe)
        return claims

    def _send(
        self, one: Destination, claims: Sequence[Claim], beside: Mapping[str, Background], begun_by: datetime
    ) -> None:
        one.stopped = None
        for some in batched(claims, one.sender.batch, strict=False):
            one.out += 1
            task = asyncio.create_task(self._attempt(one, some, beside, begun_by))
            self._sends.add(task)
            task.add_done_callback(self._end_send)

    def _end_send(self, task: asyncio.Task[None]) -> None:
        self._sends.discard(task)
        self._news.set()
        if not task.cancelled() and (broken := task.exception()) is not None:
            self._broken = broken

    async def _attempt(
        self, one: Destination, claims: Sequence[Claim], beside: Mapping[str, Background], begun_by: datetime
    ) -> None:
        is_suspect = len(claims) == 1 and claims[0].lost >= SUSPECT
        left = (begun_by - self._clock()).total_seconds()
        try:
            # A suspect waits without a permit: those that it waits for may need it.
            async with self._isolation.alone(left) if is_suspect else nullcontext(True) as may_begin, one.permits:
                began, width, is_ended = self._clock(), one.width, self._is_ended()
                if not may_begin or began > begun_by or is_ended or one.stopped is not None:
                    until, error = one.stopped or (began if is_ended else began + BUSY, None)
                    self._finished.append(Finished(one, [untried(it, until, began, error) for it in claims]))
                    return
                results, now = await one.sender.attempt_delivery(claims, beside), self._clock()
                pairs = zip(claims, results, strict=True)
                settlements = [settlement_for(it, result, began, now, chance=chance()) for it, result in pairs]
                self._finished.append(Finished(one, settlements, results))
                one.hear(results, width, began, now)
        finally:
            one.out -= 1

    # Settling, claiming and looking: one transaction, which takes one round trip.

    async def _exchange(
        self,
        answers: Answers,
        asked: Sequence[Destination] = (),
        due: datetime = EPOCH,
        until: datetime = EPOCH,
        held: Mapping[str, DestinationHold] | None = None,
    ) -> list[Claim]:
        """Writes down what was answered, and claims; where nothing is asked, sees when something is due next, given the holds.

        What the state does not take is kept.
        """
        wanted = {one.recipient: one.room for one in asked if not one.is_rare}
        is_looking = held is not None and not asked and (self._is_stale or bool(answers.settled))
        if not (answers.settled or wanted or is_looking):
            return []
        now = self._clock()

        async def work(tx: Transaction) -> Claimed | Mapping[str, FirstDue] | None:
            await self._write(tx, answers)
            if wanted:
                return await claim_due(tx, wanted, due, until, is_last=True)
            if is_looking:
                return await find_first_due(
                    tx, self._stream, list(self._known), latest(now, self._longest), is_last=True
                )
            return None

        try:
            found = await self._store.run(work)
        except (StoreError, asyncio.CancelledError) as fault:
            self._unwritten += answers.settled
            if not isinstance(fault, StoreError):
                raise
            is_refused = isinstance(fault, Unstorable) and bool(answers.settled)
            if not is_refused:
                self._faults.append(fault)
            if wanted or is_looking or is_refused:
                # It may be what was asked that cannot be answered, or one answer of many.
                try:
                    await self.write_unwritten()
                except StoreError as another:
                    self._faults.append(another)
            return []
        finally:
            self._isolation.release(len(answers.settled))
        if answers.settled:
            for name, pause in answers.pauses.items():
                known = self._known[name]
                known.pause, known.due = pause, FAR if pause is not None else EPOCH
            self._reached |= {(one.delivery.stream, one.delivery.destination) for one in answers.settled if one.receipt}
            self._is_stale = True
            self._on_settled(answers.settled)
        if isinstance(found, Claimed):
            return await self._take_claims(found, wanted, due, until)
        if found is not None:
            self._hear_due(found, held or {}, now)
        return []

    async def _take_claims(
        self, found: Claimed, wanted: Mapping[Recipient, int], due: datetime, until: datetime
    ) -> list[Claim]:
        for recipient, most in wanted.items():
            one, many = self._known[recipient.destination], found.many[recipient.destination]
            one.came_empty = not many
            if many < most:
                one.due, self._is_stale = FAR, True
        claims = found.claims
        if found.depending:
            try:
                claims += await self._store.run(lambda tx: decide_depending(tx, found.depending, due, until))
            except StoreError as fault:
                # What is claimed is sent all the same.
                self._faults.append(fault)
        return claims

    def _take_answers(self) -> Answers:
        """What was answered and is not written down yet."""
        finished, self._finished = self._finished, []
        return answers_in(finished, self._clock())

    async def _write(self, tx: Transaction, answers: Answers) -> None:
        await settle_claims(tx, answers.settled, self._reached)
        for name, pause in [*answers.pauses.items(), *answers.keys.items()]:
            if pause is not None:
                await pause_destination(tx, pause)
            else:
                await resume_destination(tx, self._stream, name)

    # Waiting.

    def _hear_due(self, found: Mapping[str, FirstDue], held: Mapping[str, DestinationHold], now: datetime) -> None:
        """Takes over when something is next due at each destination."""
        self._is_stale, self._looked = False, asyncio.get_running_loop().time()
        for name, one in self._known.items():
            due, is_late, one.pause = found[name]
            # What only a wrong clock can have put off so far is due, and not claimed with others.
            one.due = EPOCH if is_late else due or FAR
            if due is not None and one.pause is not None and not is_probe_due(one.pause, now):
                one.due = max(one.due, one.pause.probe)
            if due is not None and name in held:
                one.due = max(one.due, held[name].ends)
            one.is_odd = one.pause is None and (is_late or due == EPOCH or (one.came_empty and one.due <= now))

    def _find_next(self, until: datetime) -> datetime | None:
        """When the loop has to do something next, as far as that is not after an instant."""
        now, ticks = self._clock(), asyncio.get_running_loop().time()
        times = [
            max(
                one.due,
                one.find_end_of_rest() or EPOCH,
                now + timedelta(seconds=one.quiet_until - ticks) if one.quiet_until > ticks else EPOCH,
            )
            for one in self._known.values()
        ]
        return min((at for at in times if at <= until), default=None)

    async def _wait(self, next: datetime | None) -> None:
        """Waits until there is news, something is due, or it is time to look again."""
        timeout = LOOK if next is None else min(LOOK, (next - self._clock()).total_seconds())
        with suppress(TimeoutError):
            async with asyncio.timeout(max(timeout, 0.0)):
                await self._news.wait()
        if asyncio.get_running_loop().time() - self._looked >= IDLE:
            self._is_stale = True

    async def _wait_for_answers(self) -> None:
        """Waits until what is on its way was answered, as far as that comes together, or there is news for others."""
        if not self._finished:
            await self._wait(None if self._is_stale else self._find_next(FAR))
            if not self._finished:
                return
        if self._sends:
            await asyncio.wait(self._sends, timeout=GATHER)
