"""When a destination is paused, probed and resumed.

A destination that refuses our credentials is paused: nothing else would get through either. While it is paused, one delivery
probes it every 5 minutes. Only an answer that shows that our credentials were taken resumes it.

| an attempt brought | it says that our credentials were | so a paused destination |
|---|---|---|
| a receipt | taken | is resumed |
| a refusal that the kind says is about the request | taken | is resumed |
| a refusal of our credentials: 401, 403, or what the kind says is one | refused | stays, and so does any other become paused |
| any other refusal: 400, 404, 407, a redirect, a proxy's page | nothing | stays |
| no answer, 408, 425, 429, 5xx | nothing | stays |
| a fault of our own | nothing | stays |

What becomes of the delivery plays no part: one that dies of age dies with whatever its last attempt brought.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from router.domain.clocks import is_possible
from router.domain.conversation import Result
from router.domain.deliveries import Pause, Receipt
from router.domain.errors import Rejected, Unauthorized

PROBE = timedelta(minutes=5)
"""How long a paused destination is left alone before one delivery tries again."""


class Credentials(StrEnum):
    """What an attempt's result says of our credentials."""

    TAKEN = "taken"
    REFUSED = "refused"
    UNKNOWN = "unknown"


def credentials_by(result: Result) -> Credentials:
    """What a result says of our credentials."""
    match result:
        case Receipt():
            return Credentials.TAKEN
        case Rejected(authenticated=True):
            return Credentials.TAKEN
        case Unauthorized():
            return Credentials.REFUSED
        case _:
            return Credentials.UNKNOWN


def is_probe_due(pause: Pause, now: datetime) -> bool:
    """Whether a paused destination may be probed; a probe further ahead than one is ever put off is due."""
    return now >= pause.probe or not is_possible(pause.probe, now, PROBE)


def pause_after(
    pause: Pause | None, results: Sequence[Result], *, stream: str, destination: str, now: datetime
) -> Pause | None:
    """The pause of a destination after an attempt brought some results, given the one before; None where there is none.

    A refusal counts for more than whatever else came with it. Where nothing was brought, nothing changes.
    """
    refusal = next((result for result in results if credentials_by(result) is Credentials.REFUSED), None)
    if refusal is not None:
        since = min(pause.since, now) if pause is not None else now
        return Pause(stream=stream, destination=destination, since=since, probe=now + PROBE, error=str(refusal))
    if pause is None or not results:
        return pause
    if any(credentials_by(result) is Credentials.TAKEN for result in results):
        return None
    return replace(pause, since=min(pause.since, now), probe=now + PROBE)


def pause_known(known: Pause | None, pause: Pause) -> Pause:
    """The pause to be remembered of a destination that may be known to be paused: it has been so since the earlier of both.

    A beginning that a wrong clock wrote is no earlier than one by a clock that is right.
    """
    return pause if known is None else replace(pause, since=min(known.since, pause.since))


def wins_probe(known: Pause | None, seen: Pause) -> bool:
    """Whether a worker that saw a pause may take its probe: nobody took it, or resumed the destination, since."""
    return known is not None and known.probe == seen.probe
