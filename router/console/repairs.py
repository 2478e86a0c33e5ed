"""Dead letters, the quarantine and destinations: what went wrong, and what people do about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request

from router.app import destination_states, repairs
from router.app.destination_states import DestinationStatus, known_destinations, read_statuses
from router.app.fields import duration_text, read_duration, read_instant
from router.console.application import Console, Done, Effect, Form, Question, Refused, ask, confirmed, page_end_in
from router.console.rendering import shown
from router.console.roles import Role, require, visitor_in
from router.console.silences import read_field
from router.domain.decisions import Change
from router.domain.deliveries import LONGEST_HOLD, LONGEST_LIFE
from router.domain.destination_holds import words_of_hold
from router.domain.errors import BadField
from router.domain.readable import counted, legible, timestamp
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.store import dead_letters, quarantine
from router.store.dead_letters import DeadLetter, LetterFilter, Redrive
from router.store.delivery_status import list_backlogs
from router.store.destinations import OF_KEY, find_last_delivered

PAGE = 50
"""Rows on a page."""

COUNTED = 1_001
"""How far rows are counted: what comes out as that is more than 1,000."""

MOST = 500
"""What is acted on at once: the form that confirms it names each."""

_LONGEST_BODY = 100_000
"""Characters of a body that are shown."""


async def read_letters(console: Console, request: Request) -> Mapping[str, Any]:
    """Return the latest dead letters, of one destination where the query names one."""
    query, after = request.query_params, page_end_in(request, r"\d{1,18}")
    wanted = LetterFilter(query.get("stream") or None, query.get("destination") or None)
    async with console.store.session() as tx:
        letters = await dead_letters.list_latest_letters(tx, wanted, after, PAGE + 1)
        backlogs = {stream: await list_backlogs(tx, stream) for stream in Stream}
        count = await dead_letters.count_letters(tx, wanted, COUNTED)
    return {
        **wanted._asdict(),
        "count": count,
        "destinations": [
            {"stream": stream, "name": name, "dead": one.dead}
            for stream, some in backlogs.items()
            for name, one in sorted(some.items())
            if one.dead
        ],
        "letters": [
            shown({**repairs.letter_document(one), "title": repairs.letter_title(one)}) for one in letters[:PAGE]
        ],
        "after": str(letters[PAGE - 1].page_end) if len(letters) > PAGE else None,
    }


async def redrive(console: Console, form: Form, request: Request) -> Effect | Done:
    """Owe dead letters again: first what would be sent where, then it is."""
    store, now, meant = console.store, console.store.now(), await _letters_meant(console, form)
    found = await repairs.preview_redrive(store, meant.rows, now)
    by_place = {f"{one.destination.stream} {one.destination.name}": one for one in await _statuses(console)}
    places = [one.addressed_to for one, result in found.results if result in (Redrive.OWED, Redrive.UNKNOWN)]
    lines = [_sent_there(places.count(place), place, by_place.get(place)) for place in dict.fromkeys(places)]
    if oldest := min((one.born for one in meant.rows), default=None):
        lines.append(f"The oldest is owed since {timestamp(oldest)}, {duration_text(now - oldest)} ago.")
    if found.overtaken:
        lines.append(f"{found.overtaken} would be let go: what was told since leaves nothing to say for them.")
    lines += [f"{one.id}: stays, it cannot be sent: {shown(one.why)}" for one in found.damaged]
    items = [f"{shown(one.addressed_to)}: {shown(repairs.letter_title(one))}" for one in meant.rows]
    button = "Send again" if found.owed or found.overtaken else ""
    question = Question(f"Send {counted(len(items), 'dead letter')} again?", lines, button, items)

    async def act(*, reason: str) -> int:
        done = await repairs.redrive_letters(store, meant.rows, now, author=visitor_in(request).name, reason=reason)
        return done.owed + done.overtaken

    return await _answer(console, form, meant, "/dead-letters/redrive", "redriven", question, act, is_alone=True)


def _sent_there(many: int, place: str, status: DestinationStatus | None) -> str:
    """Return what would become of letters to a destination as it is now."""
    if status is None or status.destination.kind is None:
        return f"{many} to {shown(place)}: given up on again, since the rules do not name it."
    lane = status.destination.lane
    begin = f"{many} to {place}, {'each of which may call a person' if lane is Lane.PAGE else f'in the {lane} lane'}"
    if status.held is not None:
        return f"{begin}: sent when that is over: it is {shown(words_of_hold(status.held))}"
    if status.lacks:
        longest = duration_text(LONGEST_LIFE[lane])
        return f"{begin}: given up on again in {longest}, unless it gets what it lacks: {status.lacks}"
    if status.paused is not None:
        since = timestamp(status.paused.since)
        return f"{begin}: sent once it takes our credentials: it is paused since {since}: {shown(status.paused.error)}"
    return f"{begin}: sent within a minute where a run is at work, else by the next one."


async def discard_letters(console: Console, form: Form, request: Request) -> Effect | Done:
    """Take dead letters off the list for good: first what would never be told, then it is."""
    store, meant = console.store, await _letters_meant(console, form)
    title, lines = f"Discard {counted(len(meant.rows), 'dead letter')}?", ["For good: they are sent nowhere, ever."]
    question = Question(title, lines, "Discard for good", [_never_notified(one) for one in meant.rows], is_final=True)
    act = partial(repairs.discard_letters, store, meant.rows, store.now(), author=visitor_in(request).name)
    return await _answer(console, form, meant, "/dead-letters/discard", "discarded", question, act, is_alone=True)


_NEVER = {Change.OPENED: "hears of", Change.UPDATED: "hears what changed in", Change.RESOLVED: "hears that it is over"}


def _never_notified(letter: DeadLetter) -> str:
    never = _NEVER[letter.delivery.change] if letter.delivery is not None else "gets"
    return f"{shown(letter.addressed_to)} never {never}: {shown(repairs.letter_title(letter))}"


async def read_quarantine(console: Console, request: Request) -> Mapping[str, Any]:
    """Return what came into the quarantine last."""
    async with console.store.session() as tx:
        found = await quarantine.list_latest_quarantined(tx, page_end_in(request), PAGE + 1)
        count = await quarantine.count_quarantined(tx, COUNTED)
    return {
        "count": count,
        "entries": [shown({**repairs.quarantined_document(one.entry), "bytes": one.size}) for one in found[:PAGE]],
        "after": str(found[PAGE - 1].page_end) if len(found) > PAGE else None,
    }


async def retake(console: Console, form: Form, request: Request) -> Effect | Done:
    """Take messages in again: first what of them is understood now, then those are."""
    meant = await _entries_meant(console, form)
    found = repairs.preview_retake(meant.rows, console.rules, None)
    understood = sum(one.is_retaken for one in found)
    lines = [f"{understood} of {len(found)} can be understood now, of which the rules decide as they are now."]
    items = [f"{one.entry.id}: {shown(one.words)}" for one in found]
    question = Question(f"Take {len(found)} in again?", lines, "Take in again" if understood else "", items)

    async def act(*, reason: str) -> int:
        by = {"author": visitor_in(request).name, "reason": reason}
        taken = await repairs.retake_messages(console.store, meant.rows, console.rules, None, console.store.now, **by)
        return sum(one.is_retaken for one in taken)

    return await _answer(console, form, meant, "/quarantine/retake", "retaken", question, act, is_alone=True)


async def discard_entries(console: Console, form: Form, request: Request) -> Effect | Done:
    """Discard what is in quarantine for good: first what that is, then it is."""
    store, meant = console.store, await _entries_meant(console, form)
    lines = ["For good: what they say is never decided, and no one is told. The state keeps no copy."]
    items = [f"{shown(one.source)}: {shown(str(one.quarantined.reason))}" for one in meant.rows]
    question = Question(f"Discard {len(items)} of the quarantine?", lines, "Discard for good", items, is_final=True)
    act = partial(repairs.discard_messages, store, meant.rows, store.now(), author=visitor_in(request).name)
    return await _answer(console, form, meant, "/quarantine/discard", "discarded", question, act)


async def show_entry(console: Console, form: Form, request: Request) -> Effect | Done:
    """Show the raw body of what is in quarantine: first that this is put on record, then it is."""
    async with console.store.session() as tx:
        if not (found := await quarantine.find_quarantined(tx, [form.get("body", "")])):
            return Done("/quarantine", "gone")
    entry = found[0]
    raw = RawBody(entry.stream, entry.id, "The body", entry.quarantined.body)
    return await show_raw(console, form, request, raw, fields=[("body", entry.id)])


class RawBody(NamedTuple):
    """What is kept of a message: of which stream and subject, in words, and its bytes."""

    stream: str | None
    subject: str
    words: str
    body: bytes


async def show_raw(
    console: Console, form: Form, request: Request, raw: RawBody, *, fields: Sequence[tuple[str, str]] = ()
) -> Effect:
    """Show a body with nothing masked, once a person said why; that is put on record first."""
    path, title = request.url.path, f"What came, of {raw.subject}"

    async def act(reason: str) -> Done:
        by = {"author": visitor_in(request).name, "reason": reason}
        await repairs.record_shown(console.store, raw.stream, raw.subject, console.store.now(), **by)
        return Done(path, "")

    if isinstance(answer := await confirmed(console, form, act), Refused):
        lines = [
            "Nothing is masked in it: not credentials, not prompts, not names of people. That you look is put on record."
        ]
        return ask(path, Question(title, lines, "Show it"), form, answer, fields=fields)
    lines = [f"{raw.words}, {counted(len(raw.body), 'byte')}, with nothing masked. That you looked is on record."]
    body = legible(raw.body.decode("utf-8", "backslashreplace")[:_LONGEST_BODY])
    return ask(path, Question(title, lines, "", body=body), form, Refused())


async def read_destinations(console: Console, request: Request) -> Mapping[str, Any]:
    """Return every destination of the rules and of the state, by stream and lane."""
    found = [one for one in await _statuses(console) if OF_KEY not in one.destination.name]
    async with console.store.session() as tx:
        last = {stream: await find_last_delivered(tx, stream) for stream in {one.destination.stream for one in found}}
    found.sort(key=lambda one: (one.destination.stream, list(Lane).index(one.destination.lane), one.destination.name))
    delivered = [last[one.destination.stream].get(one.destination.name) for one in found]
    rows = zip(found, delivered, strict=True)
    return {"destinations": [shown({**one.document, "state": one.words, "delivered": at}) for one, at in rows]}


async def hold(console: Console, form: Form, request: Request) -> Effect | Done:
    """Keep a destination from being asked until an end: first what would wait for that, then it is."""
    known, store = (await _status_in(console, form)).destination, console.store
    if known.lane is Lane.PAGE:
        require(request, Role.ADMIN)
    written, now, fields = form.get("for", "1h"), store.now(), _names(form)
    # What is done was shown: after another length was written, its end is shown first.
    is_shown = form.get("shown") == written
    answer, button = Refused(), "Hold it"
    try:
        asked_for = now + (read_field("for", read_duration, written) or timedelta())
        until = read_field("until", read_instant, form.get("until", "") if is_shown else "") or asked_for
        planned = await destination_states.preview_hold(store, known, until, now)

        async def act(reason: str) -> Done:
            await destination_states.hold(store, known, until, now, author=visitor_in(request).name, reason=reason)
            return Done("/destinations", "held")

        if is_shown:
            if isinstance(done := await confirmed(console, form, act), Done):
                return done
            answer = done
        fields += [("shown", written), ("until", timestamp(until))]
        button = f"Hold it until {timestamp(until)}"
        lines = [
            f"Nothing is sent there until {timestamp(until)}, in {duration_text(until - now)}; then all is: what is owed there "
            f"now, {counted(planned.owed, 'notice')}, and what comes meanwhile."
        ]
        if planned.is_extended:
            lines.append(
                f"It goes on with the hold since {timestamp(planned.hold.since)}: its bound counts from there."
            )
    except BadField as fault:
        # The field stands beside it.
        words = f"it {fault.words}" if not fault.field else fault.words
        answer, lines = Refused({"for": words.replace(" with `for`", "")}, 422), []
    if known.lane is Lane.PAGE:
        lines.append("While it is held it calls no person.")
    hint = f"as in 30m or 2h, {duration_text(LONGEST_HOLD[known.lane])} at most in the {known.lane} lane"
    asked = {"name": "for", "label": "For", "value": written, "hint": hint}
    question = Question(f"Hold {known.name}?", lines, button)
    return ask("/destinations/hold", question, form, answer, fields=fields, inputs=[asked])


async def release(console: Console, form: Form, request: Request) -> Effect | Done:
    """Have a destination asked again: first what would be sent then, then it is."""
    status, store = await _status_in(console, form), console.store

    async def act(reason: str) -> Done:
        by = {"author": visitor_in(request).name, "reason": reason}
        done = await destination_states.release(store, status.destination, store.now(), **by)
        return Done("/destinations", "released" if done is not None else "gone")

    if isinstance(answer := await confirmed(console, form, act), Done):
        return answer
    button, lines = "Release it", [f"It is {shown(line)}" for line in status.remarks]
    lines.append(f"{status.backlog.owed} owed there would be sent within two minutes, or with the next run.")
    if status.paused is not None:
        lines.append("Since it is paused, one of them is tried first; where that is refused, it stays paused.")
    elif status.held is None:
        button, lines = "", ["It is neither held nor paused."]
    question = Question(f"Release {status.destination.name}?", lines, button)
    return ask("/destinations/release", question, form, answer, fields=_names(form))


class _Meant(NamedTuple):
    """What a form means, and how many of those that it names are gone."""

    rows: Sequence[Any]
    gone: int


async def _letters_meant(console: Console, form: Form) -> _Meant:
    async with console.store.session() as tx:
        # What is confirmed is what was shown, letter by letter.
        if form.get("which") == "all" and form.get("confirm") != "yes":
            wanted = LetterFilter(form.get("stream") or None, form.get("destination") or None)
            return _Meant(await dead_letters.list_latest_letters(tx, wanted, None, MOST), 0)
        letters = await dead_letters.find_letters(tx, ids := _ids_in(form))
    return _Meant(letters, len(ids) - len(letters))


async def _entries_meant(console: Console, form: Form) -> _Meant:
    async with console.store.session() as tx:
        entries = await quarantine.find_quarantined(tx, ids := _ids_in(form))
    return _Meant(entries, len(ids) - len(entries))


def _ids_in(form: Form) -> Sequence[str]:
    """Return the ids of a form's page, or those that are ticked; raises HTTPException where none is."""
    ids = list(dict.fromkeys(form.getlist("shown" if form.get("which") == "page" else "id")))[:MOST]
    if not ids:
        raise HTTPException(422, "Nothing was chosen: go back, and tick what is meant.")
    return ids


async def _answer(
    console: Console,
    form: Form,
    meant: _Meant,
    path: str,
    code: str,
    question: Question,
    act: Callable[..., Awaitable[int]],
    *,
    is_alone: bool = False,
) -> Effect | Done:
    """Return what an action did to as many as it says, or the question before it; what is gone meanwhile is said in both."""

    async def act_on(reason: str) -> Done:
        is_whole = await act(reason=reason) == len(meant.rows) and not meant.gone
        return Done(path.rpartition("/")[0], "gone" if not meant.rows else code if is_whole else f"some_{code}")

    if isinstance(answer := await confirmed(console, form, act_on, is_alone=is_alone), Done):
        return answer
    gone = [f"{meant.gone} of what was chosen is not there any more: others acted on it."] if meant.gone else []
    some = [f"These are the latest {MOST}: what is beyond them stays."] if len(meant.rows) == MOST else []
    question = question._replace(lines=[*question.lines, *gone, *some], button=question.button if meant.rows else "")
    return ask(path, question, form, answer, fields=[("id", one.id) for one in meant.rows])


async def _statuses(console: Console) -> list[DestinationStatus]:
    now = console.store.now()
    known = await known_destinations(console.store, console.rules, None, now)
    return await read_statuses(console.store, known, console.unready, now)


async def _status_in(console: Console, form: Form) -> DestinationStatus:
    """Return how the destination is that a form names; raises HTTPException where there is none."""
    for status in await _statuses(console):
        if [status.destination.stream, status.destination.name] == [value for _, value in _names(form)]:
            return status
    raise HTTPException(404, "Neither the rules nor the state know that destination any more.")


def _names(form: Form) -> list[tuple[str, str]]:
    return [(name, form.get(name, "")) for name in ("stream", "name")]
