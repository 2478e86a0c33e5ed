"""One destination's sends: what each attempt is given, how long it may take, and what its result means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from router.deliver.background import NoBackground
from router.deliver.conversation_runner import ConversationRunner
from router.domain.background import Background
from router.domain.conversation import Result
from router.domain.deliveries import Attempt, Claim
from router.domain.errors import Rejected, Unavailable
from router.domain.ports.deliver import Backgrounds, Tracing
from router.domain.ports.destinations import DestinationKind

SHARE_OF_LEASE = 0.8
"""One conversation, however many requests it needs, may take that share of the lease: it ends while the claim is ours."""


_NO_BACKGROUND = NoBackground()


class Sender:
    """Sends to one destination. `lease` is how long a claim is this worker's alone; `tracing` follows each send.

    `batch` is how many deliveries one send may carry. `background` reads what the state knows beside each of them.
    """

    def __init__(
        self,
        kind: DestinationKind,
        answers: ConversationRunner,
        secrets: Mapping[str, str],
        clock: Callable[[], datetime],
        lease: timedelta,
        tracing: Tracing,
        background: Backgrounds = _NO_BACKGROUND,
    ) -> None:
        self._kind = kind
        self._answers = answers
        self._secrets = secrets
        self._clock = clock
        self._tracing = tracing
        self._background = background
        self.lease = lease
        self.batch = kind.batch

    async def read_ahead(self, claims: Sequence[Claim]) -> None:
        """Reads at once what the state knows beside claims that are about to be sent; raises nothing."""
        await self._background.read_ahead(claims)

    async def attempt_delivery(self, claims: Sequence[Claim]) -> Sequence[Result]:
        """Sends claims in one conversation; returns one result for each, in their order, and raises nothing."""
        longest = self.lease.total_seconds() * SHARE_OF_LEASE
        try:
            with self._tracing(claims) as observer:
                ends = asyncio.get_running_loop().time() + longest
                async with asyncio.timeout_at(ends):
                    attempts = [self._attempt(claim, await self._background.read(claim)) for claim in claims]
                    results = await self._answers.converse(self._kind, attempts, ends)
                observer.record_results(results)
                return results
        except TimeoutError:
            return [Unavailable(f"no end within {longest:.0f} s")] * len(claims)
        except Exception as fault:  # noqa: BLE001  One of the program's two: a fault of ours must not stop the lane.
            return [Rejected(f"internal: {type(fault).__name__}")] * len(claims)

    def _attempt(self, claim: Claim, background: Background) -> Attempt:
        return Attempt(
            delivery=claim.delivery,
            number=claim.number,
            now=self._clock(),
            secrets=self._secrets,
            opening=claim.opening,
            since=claim.born,
            is_note=claim.is_note,
            is_untold=claim.is_untold,
            background=background,
        )
