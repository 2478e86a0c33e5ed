"""The delivery engine: it delivers what is due at one destination.

Claiming and settling go side by side with sending. Some tasks send; one claims, many deliveries at a time, and settles what was
sent, so that a commit is paid once for a handful of deliveries. What was sent and is not settled yet is sent again if the
process dies just then, which is why a destination says how it deduplicates.

What cannot be tried just now is left or put back, and that spends no attempt: the destination refuses our credentials or
wishes to be left alone, a person holds it, a poison suspect is being sent, the state fails, or the process comes to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from router.deliver.backoff import chance, seconds_after
from router.deliver.concurrency import ConcurrencyLimit
from router.deliver.credentials import CredentialPause
from router.deliver.delivery_pass import DeliveryPass, Finished, Portion, is_suspect
from router.deliver.destination_holds import NoHolds
from router.deliver.isolation import Isolation
from router.deliver.sender import SHARE_OF_LEASE, Sender
from router.deliver.settlement_writer import OnSettled, Settled, SettlementWriter
from router.domain.conversation import Result
from router.domain.deliveries import Pause, Receipt, Recipient, Settlement
from router.domain.errors import StoreError, Unauthorized, Unavailable
from router.domain.pauses import PROBE
from router.domain.ports.deliver import DestinationHolds
from router.domain.rulebook import Lane
from router.domain.settlement import settlement_for, untried
from router.store.claims import claim_deliveries
from router.store.store import Store

BUSY = timedelta(seconds=5)
"""How long what cannot be tried just now waits, where nothing says how long that will last."""

LONGEST_REST = timedelta(seconds=30)
"""For how long a destination that wishes to be left alone is at most, by this worker; then one send asks how it is."""

GATHER = 0.03
"""Seconds for which deliveries gather before they are settled, where others of the same pass are on their way."""

_NO_HOLDS = NoHolds()


class Worker:
    """Delivers to one destination of a stream with at most `concurrency` sends at a time.

    `isolation` and `holds` are shared by all workers of a process. `on_settled` is called with what became of claims.
    """

    def __init__(
        self,
        stream: str,
        lane: Lane,
        destination: str,
        sender: Sender,
        *,
        store: Store,
        clock: Callable[[], datetime],
        concurrency: int,
        isolation: Isolation,
        holds: DestinationHolds = _NO_HOLDS,
        on_settled: OnSettled = lambda _: None,
    ) -> None:
        self._stream = stream
        self._lane = lane
        self._destination = destination
        self._recipient = Recipient(stream, lane, destination)
        self._sender = sender
        self._store = store
        self._clock = clock
        self._concurrency = concurrency
        self._limit = ConcurrencyLimit(concurrency)
        self._isolation = isolation
        self._holds = holds
        self._settlements = SettlementWriter(store, on_settled)
        self._credentials = CredentialPause(stream, destination, store)
        self._rest_until = datetime.min.replace(tzinfo=UTC)

    def find_end_of_rest(self, now: datetime) -> datetime | None:
        """The instant until which the destination wishes to be left alone; None where it does not."""
        rest = self._rest_until - now
        return self._rest_until if timedelta() < rest <= LONGEST_REST else None

    async def deliver_due(self, is_ended: Callable[[], bool]) -> bool:
        """Deliver what is due now, and return whether anything was; raises StoreError.

        Once `is_ended` says so, what is on its way is finished, and what is claimed and not sent is put back.
        """
        now = self._clock()
        if self.find_end_of_rest(now) is not None:
            return False
        await self._settlements.write_unwritten()
        if await self._is_held(now):
            return False
        pause = await self._credentials.find_pause(now)
        if pause is not None and not await self._is_resumed_by_probe(pause, now, is_ended):
            return False
        this_pass = DeliveryPass.over(now, self._lane, self._sender.batch, self._concurrency, is_ended)
        await self._run(this_pass)
        return this_pass.has_claimed

    async def try_one(self) -> None:
        """Try one delivery of what is due, also at a destination that is paused; raises StoreError."""
        now = self._clock()
        await self._run(DeliveryPass.probing(now, await self._credentials.find_pause(now), lambda: False))

    async def write_unwritten(self) -> None:
        """Writes down what was sent and the state did not take; raises StoreError. The last thing that a process does."""
        await self._settlements.write_unwritten()

    async def _is_held(self, now: datetime) -> bool:
        """Whether a person keeps the destination from being asked."""
        return self._destination in await self._holds.held_in(self._stream, now)

    async def _is_resumed_by_probe(self, pause: Pause, now: datetime, is_ended: Callable[[], bool]) -> bool:
        """One delivery probes a paused destination when that is due; whether it is not paused any more."""
        if not await self._credentials.take_probe(pause, now):
            return False
        probe = DeliveryPass.probing(now, pause, is_ended)
        await self._run(probe)
        if not probe.has_asked:
            # There was nothing to probe with.
            await self._credentials.return_probe(pause, now)
            return False
        return await self._credentials.find_pause(self._clock()) is None

    async def _run(self, this_pass: DeliveryPass) -> None:
        senders = [asyncio.create_task(self._send(this_pass)) for _ in range(this_pass.at_a_time)]
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
        if this_pass.room == 0:
            return
        if self._isolation.is_reserved:
            if this_pass.held:
                return
            await self._isolation.wait_until_free()
        with self._isolation.claiming():
            try:
                now = self._clock()
                until, room = now + self._sender.lease, this_pass.room
                claims = await self._store.run(
                    lambda tx: claim_deliveries(tx, self._recipient, this_pass.due, until, room)
                )
            except StoreError as fault:
                this_pass.fail(fault, self._clock() + BUSY)
                return
            self._isolation.hold(len(claims))
            await self._sender.read_ahead(claims)
        this_pass.add_claims(claims, self._sender.batch, now + self._sender.lease * (1 - SHARE_OF_LEASE))

    async def _send(self, this_pass: DeliveryPass) -> None:
        while True:
            # First a permit, then what is to be sent: what waits is sent by the first that has one.
            async with self._limit.permit():
                portion = await this_pass.waiting.get()
                if is_suspect(portion.claims):
                    await self._attempt_alone(this_pass, portion)
                else:
                    await self._attempt(this_pass, portion)
            this_pass.progress.set()

    async def _attempt_alone(self, this_pass: DeliveryPass, portion: Portion) -> None:
        async with self._isolation.alone((portion.latest - self._clock()).total_seconds()) as is_alone:
            if not is_alone:
                this_pass.end(self._clock() + BUSY)
            await self._attempt(this_pass, portion)

    async def _attempt(self, this_pass: DeliveryPass, portion: Portion) -> None:
        claims, began, width = portion.claims, self._clock(), self._limit.width
        if not this_pass.is_over:
            await self._end_if_held(this_pass, began)
        # Once its lease is over, another worker takes a claim for lost.
        if this_pass.is_over or this_pass.is_ended() or began > portion.latest:
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
            wish = min(timedelta(seconds=max(one.retry_after or 0.0 for one in crowded)), LONGEST_REST)
            self._rest_until = now + wish
            if wish:
                # Spread by chance, so that those who wait for the same do not come together.
                this_pass.end(self._rest_until + wish * chance(), str(crowded[0]))
            elif width == 1:
                this_pass.end(now + BUSY, str(crowded[0]))
        elif any(isinstance(result, Receipt) for result in results):
            self._limit.widen()

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
        if this_pass.is_ended() or this_pass.resume_at is None:
            return untried(one.claim, this_pass.due, now)
        return untried(one.claim, this_pass.resume_at, now, this_pass.error)
