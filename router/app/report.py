"""What a SOC lead is asked for: what came in and what became of it, against the time before; how soon pages go; what ends next.

It is read from a state and the rules alone. Decisions are counted by the hour, so a span begins and ends with one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any, NamedTuple

from router.app.destination_states import known_destinations
from router.app.rule_lives import HOLD, read_ends
from router.app.rules import Rules
from router.decide.prose import unfilled
from router.domain.counts import Cell, counted_name
from router.domain.decisions import OUTCOMES, Change, Outcome
from router.domain.rulebook import Lane, Rulebook
from router.domain.severity import gravity_of
from router.domain.signals import Stream
from router.domain.silences import HolderKind
from router.store.counts import CellCount, find_first_counted, read_counts
from router.store.delivery_status import Arrivals, list_backlogs, read_arrivals
from router.store.search import walk_decisions
from router.store.store import Store

SPANS = {
    "24h": (timedelta(days=1), timedelta(hours=1)),
    "7d": (timedelta(days=7), timedelta(days=1)),
    "30d": (timedelta(days=30), timedelta(days=1)),
}
"""What a report is about, by how people write it: how long, and the parts of its chart: hours, or days of the calendar."""

USUAL = "7d"

AHEAD = timedelta(days=30)
"""How far ahead ends are told."""

LOUDEST = 10
"""Types that are named of each stream."""

_ENDING = (*map(str, HolderKind), HOLD)
"""The kinds of what ends."""

_LOOKED_AT = 100
"""The latest decisions on findings, which say what their types are called."""

_HOUR = timedelta(hours=1)

_DRAWN = (Outcome.ROUTED, Outcome.SUPPRESSED, Outcome.BELOW_FLOOR)
"""The outcomes that say what became of a signal; the others say nothing new of one."""


class ReportSpan(NamedTuple):
    """The time that a report is about, and the equally long time before it, in whole hours.

    Attributes:
        ends: the end of the hour that has begun.
        origin: when the first part begins.
        step: the length of a part.
    """

    since: datetime
    begins: datetime
    ends: datetime
    origin: datetime
    step: timedelta


def span_at(name: str, now: datetime) -> ReportSpan:
    """Return the span of a name in SPANS that ends with the hour that has begun."""
    length, step = SPANS[name]
    ends = now.replace(minute=0, second=0, microsecond=0) + _HOUR
    begins = ends - length
    return ReportSpan(begins - length, begins, ends, begins if step == _HOUR else begins.replace(hour=0), step)


async def read_report(store: Store, rules: Rules, name: str, now: datetime) -> dict[str, Any]:
    """Return the report on a span, as a document; texts in it are as messages and people wrote them. Raises StoreError."""
    span = span_at(name, now)
    known = await known_destinations(store, rules, None, now)
    lanes = {stream: {one.name: one.lane for one in known if one.stream == stream} for stream in Stream}
    spans = (span.begins, span.ends), (span.since, span.begins)
    async with store.session() as tx:
        counts = await read_counts(tx, span.since, span.begins, span.ends, span.origin, span.step)
        first = await find_first_counted(tx)
        arrivals = {one: await read_arrivals(tx, one, list(lanes[one]), spans) for one in Stream}
        owed = {one: {name: it.owed for name, it in (await list_backlogs(tx, one)).items()} for one in Stream}
        titled = (*_DRAWN, Outcome.NOTED, Outcome.RESOLVED)
        latest = await anext(walk_decisions(tx, Stream.CSPM, span.begins, span.ends, titled, _LOOKED_AT))
    # What kind of finding it is, its type says by a number.
    titles = {counted_name(one.type): unfilled(one.title) for one in reversed(latest) if one.title}
    streams = [
        _Section(stream, [one for one in counts if one.cell.stream == stream], span).document(
            rules.books.get(stream), arrivals[stream], owed[stream], lanes[stream], titles
        )
        for stream in Stream
    ]
    return {
        "at": now.replace(microsecond=0),
        "since": name,
        "begins": span.begins,
        "ends": span.ends,
        "before": span.since,
        "counted_since": first,
        "is_before_whole": first is not None and first <= span.since,
        "streams": streams,
        "unread": _both(one for one in counts if not one.cell.stream),
        "ends_soon": (ends := await read_ends(store, rules, now, AHEAD)),
        "weeks": _weeks(ends, now),
    }


class _Section:
    """What a report says of one stream. What was decided without a message tells of ATT&CK, and of itself; the rest counts
    messages, each once, by its first outcome."""

    def __init__(self, stream: Stream, counts: Sequence[CellCount], span: ReportSpan) -> None:
        self._stream, self._span, self._all = stream, span, counts
        self._received = [one for one in counts if not one.cell.is_further]

    def document(
        self,
        book: Rulebook | None,
        arrivals: Mapping[str, Sequence[Arrivals]],
        owed: Mapping[str, int],
        lanes: Mapping[str, Lane],
        titles: Mapping[str, str],
    ) -> dict[str, Any]:
        received = self._received
        by_outcome = {one: [it for it in received if it.cell.outcome == one] for one in OUTCOMES}
        routed = by_outcome[Outcome.ROUTED]
        further = {
            one: _both(it for it in self._all if it.cell.is_further and it.cell.outcome == one) for one in OUTCOMES
        }
        types = self._rows(lambda cell: cell.type)
        return {
            "stream": self._stream.value,
            "received": _both(received),
            "samples": _both(one for one in received if one.cell.is_sample),
            "outcomes": [
                {"outcome": one.value, "words": OUTCOMES[one], **_both(those)} for one, those in by_outcome.items()
            ],
            "for_people": {
                str(change) or "nobody": _both(one for one in routed if one.cell.notice == change)
                for change in (Change.OPENED, Change.UPDATED, "")
            },
            "further": [
                {"outcome": one.value, "words": OUTCOMES[one], **both}
                for one, both in further.items()
                if any(both.values())
            ],
            "parts": self._parts(),
            "severities": sorted(
                self._rows(lambda cell: cell.severity),
                key=lambda row: -gravity_of(row["name"]) if row["name"] else 0,
            ),
            "plans": self._rows(lambda cell: cell.plan),
            "types": [{**row, "title": titles.get(row["name"] or "")} for row in types[:LOUDEST]],
            "type_count": len(types),
            "attack": self._attack(book) if book is not None else None,
            "told": _figures(arrivals, owed, [name for name in arrivals if lanes[name] is not Lane.ROWS]),
            "pages": _figures(arrivals, owed, [name for name in arrivals if lanes[name] is Lane.PAGE]),
            "destinations": [
                {"name": name, "lane": lanes[name].value, **_figures(arrivals, owed, [name])}
                for name in sorted(arrivals, key=lambda name: (list(Lane).index(lanes[name]), name))
            ],
        }

    def _parts(self) -> list[dict[str, Any]]:
        parts = Counter[tuple[int, str]]()
        for part, cell, many in self._received:
            parts[part, cell.outcome if cell.outcome in _DRAWN else "other"] += many
        span = self._span
        return [
            {"begins": span.origin + n * span.step, **{str(one): parts[n, one] for one in (*_DRAWN, "other")}}
            for n in range(-((span.origin - span.ends) // span.step))
        ]

    def _rows(self, name_of: Callable[[Cell], str]) -> list[dict[str, Any]]:
        """Return what was received by a name, the most first, and what became of it; what was not understood has none."""
        cells = defaultdict[str, list[CellCount]](list)
        for one in self._received:
            if one.cell.outcome != Outcome.QUARANTINED:
                cells[name_of(one.cell)].append(one)
        rows = [{"name": name or None, **_both(those), **_became(those)} for name, those in cells.items()]
        return sorted(rows, key=lambda row: (-row["now"], -row["before"], row["name"] or ""))

    def _attack(self, book: Rulebook) -> dict[str, Any]:
        """Return what became of each tactic and technique, of posture of those that are named. Samples count for nothing.

        What new rules only found to be held still was counted when that began.
        """
        table, spots = book.attack, defaultdict[tuple[str, str], list[CellCount]](list)
        telling = [
            one
            for one in self._all
            if one.cell.outcome in _DRAWN
            and not one.cell.is_sample
            and (one.cell.outcome != Outcome.SUPPRESSED or one.cell.rule)
        ]
        for one in telling:
            for tactic in one.cell.tactics:
                spots[tactic, ""].append(one)
                for technique in map(table.technique_for, one.cell.techniques):
                    # A technique that says its tactics is under no other that its alert names.
                    own = table.techniques.get(technique) or table.techniques.get(technique.partition(".")[0])
                    if not own or tactic in own:
                        spots[tactic, technique].append(one)
        kinds = Counter(
            id for it in book.catalogue.types.values() for id in set().union(*map(table.tactics_for, it.tactics))
        )
        of_tactic = defaultdict[str, list[str]](list)
        for tactic, technique in sorted(spots):
            of_tactic[tactic] += [technique] if technique else []
        return {
            "version": table.version,
            "without": _both(one for one in telling if not one.cell.tactics),
            "tactics": [
                {
                    "id": tactic,
                    "name": table.tactics.get(tactic, tactic),
                    "types": kinds[tactic],
                    **_spot(spots[tactic, ""]),
                    "techniques": [{"id": it, **_spot(spots[tactic, it])} for it in of_tactic[tactic]],
                }
                for tactic in [*table.tactics, *(one for one in of_tactic if one not in table.tactics)]
                if self._stream is Stream.CWPP or tactic in of_tactic
            ],
        }


def _both(counts: Iterable[CellCount]) -> dict[str, int]:
    """Return how many decisions there were in the span, and how many before."""
    total = Counter[bool]()
    for part, _, many in counts:
        total[part >= 0] += many
    return {"now": total[True], "before": total[False]}


def _became(counts: Iterable[CellCount]) -> dict[str, int]:
    total = Counter[str]()
    for part, cell, many in counts:
        total[cell.outcome] += many * (part >= 0)
    return {
        "routed": total[Outcome.ROUTED],
        "held": total[Outcome.SUPPRESSED],
        "below_floor": total[Outcome.BELOW_FLOOR],
    }


def _spot(counts: Sequence[CellCount]) -> dict[str, Any]:
    """Return what became of a technique or tactic, and in a word the best of that."""
    became = _became(counts)
    return {"state": next((name for name, many in became.items() if many), "nothing"), **became, **_both(counts)}


def _figures(arrivals: Mapping[str, Sequence[Arrivals]], owed: Mapping[str, int], names: list[str]) -> dict[str, Any]:
    """Return what some destinations are owed, and what they took in the span and before, half and 95 % within some seconds."""
    found: dict[str, Any] = {"owed": sum(owed.get(name, 0) for name in names)}
    for place, name in enumerate(("now", "before")):
        those = [arrivals[one][place] for one in names]
        timed = sorted(one for it in those for one in it.timed)
        found[name] = {
            "sent": sum(one.sent for one in those),
            "retried": sum(one.retried for one in those),
            "dead": sum(one.dead for one in those),
            "timed": sum(many for _, many in timed),
            "median": _within(timed, 0.5),
            "p95": _within(timed, 0.95),
        }
    return found


def _within(timed: Sequence[tuple[float, int]], part: float) -> float | None:
    """Return the seconds within which a part of some deliveries was taken; None where there are none."""
    left = ceil(sum(many for _, many in timed) * part)
    for seconds, many in timed:
        left -= many
        if left <= 0:
            return seconds
    return None


def _weeks(ends: Sequence[Mapping[str, Any]], now: datetime) -> list[list[dict[str, Any]]]:
    """Return the weeks in which something may end, from Monday on, each day with how much ends then, by kind."""
    ending = Counter((one["ends"].date(), one["kind"]) for one in ends)
    today, last = now.date(), (now + AHEAD).date()
    monday = today - timedelta(days=today.weekday())
    days = [monday + timedelta(days=n) for n in range((last - monday).days + 7 - last.weekday())]
    told = [
        {"date": day.isoformat(), "is_within": today <= day <= last, **{kind: ending[day, kind] for kind in _ENDING}}
        for day in days
    ]
    return [told[n : n + 7] for n in range(0, len(told), 7)]
