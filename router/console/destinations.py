"""Destinations: how each is, and how people hold one and release it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException

from router.app import destination_states
from router.app.destination_states import DestinationStatus, known_destinations, read_statuses
from router.app.fields import duration_text, read_duration
from router.console.application import Done, Effect, Question, Refused, ask, confirmed
from router.console.rendering import shown
from router.console.silences import read_field
from router.domain.deliveries import LONGEST_HOLD
from router.domain.errors import BadField
from router.domain.readable import counted, timestamp
from router.domain.rulebook import Lane
from router.store.destinations import OF_KEY, find_last_delivered

if TYPE_CHECKING:
    from starlette.requests import Request

    from router.console.application import Console, Form

_LANES = list(Lane)


async def read_destinations(console: Console, request: Request) -> Mapping[str, Any]:
    """Return every destination of the rules and of the state, by stream and lane."""
    found = [one for one in await _statuses(console) if OF_KEY not in one.destination.name]
    async with console.store.session() as tx:
        last = {stream: await find_last_delivered(tx, stream) for stream in {one.destination.stream for one in found}}
    found.sort(key=lambda one: (one.destination.stream, _LANES.index(one.destination.lane), one.destination.name))
    delivered = [last[one.destination.stream].get(one.destination.name) for one in found]
    rows = zip(found, delivered, strict=True)
    return {"destinations": [shown({**one.document, "state": one.words, "delivered": at}) for one, at in rows]}


async def _statuses(console: Console) -> list[DestinationStatus]:
    now = console.store.now()
    known = await known_destinations(console.store, console.rules, None, now)
    return await read_statuses(console.store, known, console.unready, now)


async def hold(console: Console, form: Form, request: Request) -> Effect | Done:
    """Keep a destination from being asked until an end: first what would wait for that, then it is."""
    known, store = (await _status_in(console, form)).destination, console.store
    written, now = form.get("for", "1h"), store.now()
    answer: Done | Refused
    try:
        until = now + (read_field("for", read_duration, written) or timedelta())
        planned = await destination_states.preview_hold(store, known, until, now)

        async def act(reason: str) -> Done:
            await destination_states.hold(store, known, until, now, author=console.author, reason=reason)
            return Done("/destinations", "held")

        if isinstance(answer := await confirmed(console, form, act), Done):
            return answer
        lines = [
            f"Nothing is sent there until {timestamp(until)}, in {duration_text(until - now)}; then all is: what is owed there "
            f"now, {counted(planned.owed, 'notice')}, and what comes meanwhile."
        ]
        if planned.is_extended:
            lines.append(
                f"It goes on with the hold since {timestamp(planned.hold.since)}, from which its bound counts."
            )
    except BadField as fault:
        # The field stands beside it.
        words = f"it {fault.words}" if not fault.field else fault.words
        answer, lines = Refused({"for": words.replace(" with `for`", "")}, 422), []
    if known.lane is Lane.PAGE:
        lines.append("While it is held it calls no person.")
    hint = f"as in 30m or 2h, {duration_text(LONGEST_HOLD[known.lane])} at most in the {known.lane} lane"
    asked = {"name": "for", "label": "For", "value": written, "hint": hint}
    question = Question(f"Hold {known.name}?", lines, "Hold it")
    return ask("/destinations/hold", question, form, answer, fields=_names(form), inputs=[asked])


async def release(console: Console, form: Form, request: Request) -> Effect | Done:
    """Have a destination asked again: first what would be sent then, then it is."""
    status, store = await _status_in(console, form), console.store

    async def act(reason: str) -> Done:
        by = {"author": console.author, "reason": reason}
        done = await destination_states.release(store, status.destination, store.now(), **by)
        return Done("/destinations", "released" if done is not None else "gone")

    if isinstance(answer := await confirmed(console, form, act), Done):
        return answer
    lines = [f"It is {shown(line)}" for line in status.remarks]
    if status.held is None and status.paused is None:
        question = Question(f"Release {status.destination.name}?", ["It is neither held nor paused.", *lines], "")
    else:
        lines.append(f"{status.backlog.owed} owed there would be sent within two minutes, or with the next run.")
        if status.paused is not None:
            lines.append("Since it is paused, one of them is tried first; where that is refused, it stays paused.")
        question = Question(f"Release {status.destination.name}?", lines, "Release it")
    return ask("/destinations/release", question, form, answer, fields=_names(form))


async def _status_in(console: Console, form: Form) -> DestinationStatus:
    """Return how the destination is that a form names; raises HTTPException where there is none."""
    names = tuple(value for _, value in _names(form))
    for status in await _statuses(console):
        if (status.destination.stream, status.destination.name) == names:
            return status
    raise HTTPException(404, "Neither the rules nor the state know that destination any more.")


def _names(form: Form) -> list[tuple[str, str]]:
    return [(name, form.get(name, "")) for name in ("stream", "name")]
