"""The delivery engine: it delivers what is due at one destination, wherever a pointer says that it lies.

Claiming and settling go side by side with sending. Some tasks send; one claims, many deliveries at a time, and settles what was
sent, so that a commit is paid once for a handful of deliveries. What was sent and is not settled yet is sent again if the
process dies just then, which is why a destination says how it deduplicates.

What cannot be tried just now is requeued or put back, and that spends no attempt: the destination refuses our credentials,
wishes to be left alone or has its share of this worker's sends already, a person holds it, a poison suspect is being sent,
storage fails, or the process comes to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from router.deliver.backoff import chance, seconds_after
from router.deliver.concurrency import ConcurrencyLimit
from router.deliver.credentials import CredentialPause
from router.deliver.delivery_pass import DeliveryPass, Finished, is_suspect
from router.deliver.destination_holds import NoHolds
from router.deliver.isolation import Isolation
from router.deliver.sender import SHARE_OF_LEASE, Sender
from router.deliver.settlement_writer import OnSettled, Settled, SettlementWriter
from router.domain.conversation import Result
from router.domain.deliveries import Claim, Pause, Pointer, Receipt, Settlement
from router.domain.errors import DeliveryError, StoreError, Unauthorized, Unavailable
from router.domain.pauses import PROBE
from router.domain.ports.deliver import DestinationHolds, Outbox
from router.domain.settlement import settlement_for, untried

BUSY = timedelta(seconds=5)
"""How long what cannot be tried just now waits, where nothing says how long that will last."""

LONGEST_REST = 30.0
"""Seconds for which a destination that wishes to be left alone is at most, by this worker; then one send asks how it is."""

GATHER = 0.03
"""Seconds for which deliveries gather before they are settled, where others of the same pass are on their way."""

_NO_HOLDS = NoHolds()


class Worker:
    """Delivers to one destination of a stream with at most `concurrency` sends at a time, however many calls ask for it.

    `isolation` and `holds` are shared by all workers of a process. Once `is_stopped` says so, what is on its way is finished,
    and what is claimed and not sent is put back. `on_settled` is called with what became of claims.
    """

    def __init__(
        self,
        stream: str,
        destination: str,
        sender: Sender,
        *,
        outbox: Outbox,
        clock: Callable[[], datetime],
        concurrency: int,
        isolation: Isolation,
        holds: DestinationHolds = _NO_HOLDS,
        is_stopped: Callable[[], bool] = lambda: False,
        on_settled: OnSettled = lambda _: None,
    ) -> None:
        self._stream = stream
        self._destination = destination
        self._sender = sender
        self._outbox = outbox
        self._clock = clock
        self._concurrency = concurrency
        self._limit = ConcurrencyLimit(concurrency)
        self._isolation = isolation
        self._holds = holds
        self._is_stopped = is_stopped
        self._settlements = SettlementWriter(outbox, on_settled)
        self._credentials = CredentialPause(stream, destination, outbox)
        self._rest_until = datetime.min.replace(tzinfo=UTC)

    async def deliver_at(self, pointer: Pointer) -> None:
        """Delivers what lies there and is due; raises StoreError, after which the pointer must come again."""
        async with self._limit.permit() as is_permitted:
            now = self._clock()
            if not is_permitted:
                await self._outbox.requeue(pointer, now + BUSY)
                return
            rest = (self._rest_until - now).total_seconds()
            if 0 < rest <= LONGEST_REST:
                await self._outbox.requeue(pointer, self._rest_until + _some_of(rest))
                return
            await self._settlements.write_unwritten()
            if await self._is_held(now):
                # The pointer is let go, as while a destination is paused: what is owed is pointed at again when it is free.
                return
            pause = await self._credentials.find_pause(now)
            if pause is not None and (not await self._is_resumed_by_probe(pointer, pause, now) or pointer.names_one):
                return
            await self._run(DeliveryPass.over(pointer, now, self._sender.batch, self._concurrency))

    async def try_one(self, pointer: Pointer) -> None:
        """Tries one delivery of what lies there and is due, also at a destination that is paused; raises StoreError."""
        async with self._limit.permit():
            now = self._clock()
            await self._run(DeliveryPass.probing(pointer, now, await self._credentials.find_pause(now)))

    async def write_unwritten(self) -> None:
        """Writes down what was sent and storage did not take before; raises StoreError. The last thing that a process does."""
        await self._settlements.write_unwritten()

    async def _is_held(self, now: datetime) -> bool:
        """Whether a person keeps the destination from being asked."""
        return self._destination in await self._holds.held_in(self._stream, now)

    async def _is_resumed_by_probe(self, pointer: Pointer, pause: Pause, now: datetime) -> bool:
        """One delivery probes a paused destination when that is due; whether it is not paused any more."""
        if not await self._credentials.take_probe(pause, now):
            # The pointer is let go, else they would pile up: what is owed is pointed at again when the probe is due.
            return False
        probe = DeliveryPass.probing(pointer, now, pause)
        await self._run(probe)
        if not probe.has_asked:
            # There was nothing to probe with: the next pointer may bring something.
            await self._credentials.return_probe(pause, now)
            return False
        return await self._credentials.find_pause(self._clock()) is None

    async def _run(self, this_pass: DeliveryPass) -> None:
        senders = [
            asyncio.create_task(self._send(this_pass, has_permit=number == 0)) for number in range(this_pass.at_a_time)
        ]
        for sender in senders:
            sender.add_done_callback(lambda _: this_pass.progress.set())
        try:
            await self._claim_and_settle(this_pass, senders)
        finally:
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
            # Something is left only where the pass is broken off.
            self._settlements.keep(self._settlements_of(this_pass, this_pass.finished, self._clock()))
            self._isolation.release(this_pass.held)
        if this_pass.fault is not None:
            raise this_pass.fault
        if this_pass.must_come_again:
            await self._outbox.requeue(this_pass.pointer, self._clock() + BUSY)

    async def _claim_and_settle(self, this_pass: DeliveryPass, senders: Sequence[asyncio.Task[None]]) -> None:
        while True:
            await self._settle(this_pass)
            await self._claim(this_pass)
            if this_pass.held == 0:
                return
            await this_pass.progress.wait()
            for sender in senders:
                if sender.done():
                    sender.result()
            if len(this_pass.finished) < this_pass.held:
                await asyncio.sleep(GATHER)
            this_pass.progress.clear()

    async def _claim(self, this_pass: DeliveryPass) -> None:
        if this_pass.room == 0 or self._is_stopped():
            return
        if self._isolation.is_reserved:
            if this_pass.pointer.location is not None:
                this_pass.is_deferred = True
                this_pass.end(self._clock() + BUSY)
            if this_pass.pointer.location is not None or this_pass.held:
                return
            await self._isolation.wait_until_free()
        with self._isolation.claiming():
            try:
                until = self._clock() + self._sender.lease
                claims = await self._outbox.claim(this_pass.pointer, this_pass.due, until, this_pass.room)
            except StoreError as fault:
                this_pass.fail(fault, self._clock() + BUSY)
                return
            self._isolation.hold(len(claims))
            await self._sender.read_ahead(claims)
        this_pass.add_claims(claims, self._sender.batch)

    async def _send(self, this_pass: DeliveryPass, *, has_permit: bool) -> None:
        while True:
            # First a permit, then what is to be sent: what waits may be sent by whoever has one.
            if not has_permit:
                await self._limit.wait_for_permit()
            try:
                claims = await this_pass.waiting.get()
                if is_suspect(claims):
                    await self._attempt_alone(this_pass, claims)
                else:
                    await self._attempt(this_pass, claims)
            finally:
                if not has_permit:
                    self._limit.give_back()
            this_pass.progress.set()

    async def _attempt_alone(self, this_pass: DeliveryPass, claims: Sequence[Claim]) -> None:
        # What its lease leaves beside one conversation: once that is over, another worker takes it for dead.
        spare = self._sender.lease.total_seconds() * (1 - SHARE_OF_LEASE)
        async with self._isolation.alone(spare) as is_alone:
            if not is_alone:
                this_pass.end(self._clock() + BUSY)
            await self._attempt(this_pass, claims)

    async def _attempt(self, this_pass: DeliveryPass, claims: Sequence[Claim]) -> None:
        began, width = self._clock(), self._limit.width
        if not this_pass.is_over:
            await self._end_if_held(this_pass, began)
        if this_pass.is_over or self._is_stopped():
            this_pass.finished += [Finished(claim, None, began) for claim in claims]
            return
        this_pass.has_asked = True
        results = await self._sender.attempt_delivery(claims)
        this_pass.finished += [Finished(claim, result, began) for claim, result in zip(claims, results, strict=True)]
        self._look_at(this_pass, results, width)

    async def _end_if_held(self, this_pass: DeliveryPass, now: datetime) -> None:
        """Ends a pass where the destination is held since it began; what is claimed is put back, for when it is free."""
        try:
            if await self._is_held(now):
                this_pass.end(now)
        except StoreError as fault:
            this_pass.fail(fault, now + BUSY)

    def _look_at(self, this_pass: DeliveryPass, results: Sequence[Result], width: int) -> None:
        """Ends a pass where what is left would meet the same trouble, and asks a destination less that is asked too much."""
        now = self._clock()
        refusal = next((result for result in results if isinstance(result, Unauthorized)), None)
        if refusal is not None:
            this_pass.end(now + PROBE, str(refusal))
        crowded = [result for result in results if isinstance(result, Unavailable) and result.is_crowded]
        if crowded:
            self._limit.narrow()
            wish = min(max(one.retry_after or 0.0 for one in crowded), LONGEST_REST)
            self._rest_until = now + timedelta(seconds=wish)
            if wish > 0:
                this_pass.end(self._rest_until + _some_of(wish), str(crowded[0]))
            elif width == 1:
                this_pass.end(now + BUSY, str(crowded[0]))
        elif any(isinstance(result, Receipt) for result in results):
            self._limit.widen()
        if this_pass.pointer.location is not None and any(isinstance(result, DeliveryError) for result in results):
            this_pass.end(now + BUSY)

    async def _settle(self, this_pass: DeliveryPass) -> None:
        finished, this_pass.finished = this_pass.finished, []
        if not finished:
            return
        now = self._clock()
        results = [(one.claim.delivery, one.result) for one in finished if one.result is not None]
        try:
            await self._settlements.write_settlements(self._settlements_of(this_pass, finished, now))
            if results:
                await self._credentials.record_answers([result for _, result in results], this_pass.pause, now)
                await self._credentials.record_key_answers(results, now)
        except StoreError as fault:
            this_pass.fail(fault, now + BUSY)
        finally:
            this_pass.held -= len(finished)
            self._isolation.release(len(finished))

    def _settlements_of(self, this_pass: DeliveryPass, finished: Sequence[Finished], now: datetime) -> Settled:
        return [(one.claim, self._settlement(this_pass, one, now)) for one in finished]

    def _settlement(self, this_pass: DeliveryPass, one: Finished, now: datetime) -> Settlement:
        if one.result is not None:
            return settlement_for(one.claim, one.result, one.began, now, backoff=seconds_after, chance=chance())
        if self._is_stopped() or this_pass.resume_at is None:
            return untried(one.claim, now, now)
        return untried(one.claim, this_pass.resume_at, now, this_pass.error)


def _some_of(seconds: float) -> timedelta:
    """So long or less, by chance, so that those who wait for the same do not come together."""
    return timedelta(seconds=seconds * chance())
