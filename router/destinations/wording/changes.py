"""What a turn is about: what changed since the last notice, or how it ended and how long it stood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from router.destinations.wording.facts import (
    EVIDENCE,
    image_words,
    length_words,
    owner_words,
    package_words,
    risk_words,
    time_words,
    title_of,
)
from router.destinations.wording.fitting import shorten
from router.destinations.wording.headlines import headline, reporter_of, severity_of
from router.domain.notices import Notice

_VALUE = 200  # characters of a value that a sentence quotes
_NAMED = 10  # values that a sentence names
_FACT = 300  # characters of a fact


def changes_between(last: Notice, notice: Notice) -> tuple[str, ...]:
    """What a notice says that the last one did not; nothing where it says the same.

    A group's notice is in the words of its latest member: what only another one said still stands, and is no change. Of a
    notice that is not whole it is not known what it would have said.
    """
    changes = [
        *_turned("Severity", severity_of(last), severity_of(notice)),
        *_members(last, notice),
        *_turned("Respond by", time_words(last.respond_by), time_words(notice.respond_by)),
    ]
    if is_same_signal(last, notice):
        changes += _turned("Status", last.status, notice.status)
        changes += _changes_of_signal(last, notice) if last.is_whole else ()
    return tuple(changes)


def is_same_signal(last: Notice, notice: Notice) -> bool:
    """Whether two notices of one key are in the words of one signal."""
    return last.id.casefold() == notice.id.casefold()


def _changes_of_signal(last: Notice, notice: Notice) -> Iterator[str]:
    yield from _turned("Risk", risk_words(last.risk), risk_words(notice.risk))
    yield from _turned("Title", last.title, notice.title)
    if last.description != notice.description and notice.description:
        yield "The description changed."
    for name, was, now in (
        ("Package", package_words(last.package), package_words(notice.package)),
        ("Image", image_words(last.image), image_words(notice.image)),
        ("Cause", last.cause, notice.cause),
        ("State", last.status_description, notice.status_description),
        ("CVSS", last.cvss, notice.cvss),
        ("Measure", last.measure, notice.measure),
        ("Owner", owner_words(last), owner_words(notice)),
        ("Last activity", time_words(last.ended), time_words(notice.ended)),
    ):
        yield from _turned(name, was, now)
    yield from _more("CVEs", last.cves, notice.cves)
    yield from _more("Alerts", last.alerts, notice.alerts)
    yield from _more("Tactics", [one.name for one in last.tactics], [one.name for one in notice.tactics])
    yield from _more("Techniques", last.techniques, notice.techniques)
    for name in EVIDENCE:
        yield from _more(title_of(name), getattr(last.evidence, name), getattr(notice.evidence, name))
    for name in notice.unlisted:
        yield from _turned(name, last.extended.get(name), notice.extended[name])


def _members(last: Notice, notice: Notice) -> Iterator[str]:
    """What changed in a group: how many joined, which of those that stand are new, how many are over."""
    if notice.group is None:
        return
    # A group of one looks like its only member.
    total, standing = (last.group.total, last.group.standing) if last.group else (1, 1)
    if (joined := notice.group.total - total) > 0:
        yield f"{joined} more signal{'s' if joined > 1 else ''}: {notice.group.total} in all."
    elif joined:
        yield f"The group has {notice.group.total} signals."
    if (over := standing + max(joined, 0) - notice.group.standing) > 0:
        yield f"{over} {'are' if over > 1 else 'is'} over; {notice.group.standing} still stand."
    elif over:
        yield f"{notice.group.standing} stand again."
    known = {one.key for one in last.group.named} if last.group else {last.key}
    fresh = [one for one in notice.group.named if one.key not in known]
    lines = [f"{one.severity or 'Unknown'} {one.title}{f' - {one.place}' if one.place else ''}" for one in fresh]
    if lines and last.group is not None:
        yield f"New: {_listed(lines)}."


def _turned(name: str, was: str | None, now: str | None) -> Iterator[str]:
    if was == now:
        return
    if was is None:
        yield f"{name}: {_quoted(now)}."
    elif now is None:
        yield f"{name} is no longer said; it was {_quoted(was)}."
    else:
        yield f"{name}: {_quoted(was)} to {_quoted(now)}."


def _more(name: str, was: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    """What came to a list, and what went from it."""
    before, after = set(was), set(now)
    if came := [one for one in now if one not in before]:
        yield f"New in {name}: {_listed(came)}."
    if went := [one for one in was if one not in after]:
        yield f"No longer in {name}: {_listed(went)}."


def _listed(values: Sequence[str]) -> str:
    named = ", ".join(_quoted(one) for one in values[:_NAMED])
    return named if len(values) <= _NAMED else f"{named} and {len(values) - _NAMED} more"


def _quoted(value: str | None) -> str:
    return shorten(" ".join((value or "").split()), _VALUE)


def ending_of(notice: Notice, opened: datetime | None, now: datetime, untold_since: datetime | None = None) -> str:
    """Who says that it is over, or how else it ended; and how long it stood, where that is known.

    `opened` is when the destination was first owed it, and `untold_since` when it was over, where nothing was told before that.
    """
    if notice.group is not None and notice.group.groups is not None:
        return "All that waited for room has a ticket of its own by now, or is over."
    since = time_words(opened.isoformat()) if opened is not None else ""
    stood = ""
    if opened is not None and untold_since is None and opened <= now:
        stood = f" It stood here for {length_words(now - opened)}, since {since}."
    if notice.closing is None:
        untold = ""
        if untold_since is not None:
            over = f"{'over' if since else 'Over'} {time_words(untold_since.isoformat())}, before this could be told.\n"
            untold = f"Opened {since}, {over}" if since else over
        return f"{untold}{reporter_of(notice)} reports that this is over.{stood}"
    package = notice.package.name if notice.package is not None else None
    facts = {"Resource": notice.resource, "Package": package, "Id": notice.id}
    lines = [f"{name}: {shorten(value, _FACT)}" for name, value in facts.items() if value]
    closing = f"{notice.closing[:1].upper()}{notice.closing[1:]}."
    return "\n".join([shorten(closing, _FACT) + stood, headline(notice, _FACT), *lines])
