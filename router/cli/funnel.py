"""The funnel: how many messages came in, with which outcomes, and where they went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from rich.console import Console

from router.cli.printing import plain
from router.cli.screen import print_table, table_of
from router.cli.tally import NOBODY, UNKNOWN, Standing, Tally
from router.domain.attack import AttackTable
from router.domain.decisions import Change, Outcome
from router.domain.holders import name_in_words
from router.domain.severity import Severity
from router.domain.timestamps import timestamp

OUTCOMES = {
    Outcome.QUARANTINED: "quarantined",
    Outcome.BELOW_FLOOR: "below the floor",
    Outcome.SUPPRESSED: "suppressed",
    Outcome.NOTED: "noted",
    Outcome.REPEAT: "repeats",
    Outcome.RESOLVED: "resolved",
    Outcome.ROUTED: "routed",
}
"""Outcomes in the order of the funnel, widest first to what people are told."""

_SEVERITIES = (*(severity.label for severity in sorted(Severity, reverse=True)), UNKNOWN)


def print_tally(
    screen: Console, tally: Tally, attack: AttackTable | None, authors: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Prints how many signals came in, what became of them, by severity and tactic too, and what shadow rules would hold.

    `authors` says whose the silences are, by their names on record.
    """
    _print(screen, ("", "", ""), _rows_by_outcome(tally, authors), numbers=(1,))
    if tally.shadowed:
        _print(screen, ("shadow rule", "would have held"), sorted(tally.shadowed.items()), numbers=(1,))
    severities = [(name, *_across(tally.severities, name)) for name in _SEVERITIES]
    _print_by_outcome(screen, "by severity", severities)
    if attack is not None:
        tactics = [(name, *_across(tally.tactics, id)) for id, name in attack.tactics.items()]
        _print_by_outcome(screen, f"by ATT&CK tactic (v{attack.version})", tactics)


def print_released(screen: Console, released: Tally) -> None:
    """Prints what a rule had held and came out, if anything did."""
    if released.received:
        became = ", ".join(f"{OUTCOMES[Outcome(outcome)]} {count}" for outcome, count in released.outcomes.items())
        screen.print(f"\n  {released.received} held until now came out, what held them ended or changed: {became}")


def print_ended(screen: Console, ended: Tally) -> None:
    """Prints how many findings ended without a message that says so, if any did."""
    if ended.received:
        findings = "finding" if ended.received == 1 else "findings"
        screen.print(f"\n  {ended.received} {findings} ended: not seen in two snapshots")


def print_standings(screen: Console, standings: Sequence[Standing], now: datetime, state: Path) -> None:
    """Prints what each destination was sent and is owed, and what keeps it from getting that."""
    if shown := [one for one in standings if one.sent or one.skipped or one.owed or one.dead]:
        names = ["sent", *(["skipped"] if any(one.skipped for one in shown) else []), "owed", "dead"]
        rows = [(one.stream, one.destination, *(getattr(one, name) for name in names)) for one in shown]
        _print(screen, ("delivered", "to", *names), rows, numbers=range(2, 2 + len(names)))
    else:
        screen.print("\n  nothing sent, nothing owed")
    for one in standings:
        where = f"  {one.stream} {one.destination}"
        if one.unready is not None and one.owed:
            screen.print(f"{where}: {one.owed} owed, not tried: {plain(one.unready)}")
        if one.paused is not None:
            screen.print(f"{where}: paused, {plain(one.paused)}")
        if one.held is not None:
            screen.print(f"{where}: {plain(one.held)}")
        if one.due is not None:
            screen.print(f"{where}: {one.owed} owed, next due {_when(one.due, now)}{_why(one)}")
        if one.waiting:
            screen.print(
                f"{where}: {one.waiting} beyond its limit wait until it has room; a run after that tells of them"
            )
        see = f"see alert-router dead-letters list --state {state}"
        if one.died:
            screen.print(f"{where}: {one.died} given up on; {see}")
        elif one.dead:
            screen.print(f"{where}: {one.dead} given up on before; {see}")


def print_named(screen: Console, tally: Tally) -> None:
    """Prints how many decisions name each destination, where nothing is sent."""
    _print(screen, ("would go to", "signals"), sorted(tally.named.items()), numbers=(1,))


def _rows_by_outcome(tally: Tally, authors: Mapping[str, str]) -> Iterator[tuple[str, object, str]]:
    yield "received", tally.received, ""
    for outcome, words in OUTCOMES.items():
        details = list(_details(tally, outcome, authors))
        yield words, tally.outcomes[outcome], details[0] if details else ""
        yield from (("", "", detail) for detail in details[1:])


def _details(tally: Tally, outcome: Outcome, authors: Mapping[str, str]) -> Iterable[str]:
    match outcome:
        case Outcome.SUPPRESSED:
            return [
                f"{count} by {name_in_words(name)}{_of(authors.get(name))} until {_to_the_second(until)}"
                for (name, until), count in sorted(tally.held.items())
            ]
        case Outcome.ROUTED:
            shown = [
                f"{what} {tally.notices_by_change[what]}" for what in (*Change, NOBODY) if tally.notices_by_change[what]
            ]
            return [", ".join(shown)] if shown else []
        case Outcome.QUARANTINED | Outcome.REPEAT:
            codes = [f"{code} {count}" for (of, code), count in sorted(tally.reasons.items()) if of == outcome]
            return [", ".join(codes)] if codes else []
    return []


def _to_the_second(time: str) -> str:
    """An instant on record without its fraction, which nobody needs to read."""
    return f"{time.partition('.')[0]}Z" if "." in time else time


def _of(author: str | None) -> str:
    return f" of {plain(author)}" if author is not None else ""


def _across(counts: dict[tuple[str, str], int], name: str) -> list[int]:
    return [counts.get((name, outcome), 0) for outcome in OUTCOMES]


def _print_by_outcome(screen: Console, head: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Prints a table of names by outcome, without the names and outcomes that did not occur."""
    shown = [row for row in rows if any(row[1:])]
    columns = [0] + [number for number in range(1, len(OUTCOMES) + 1) if any(row[number] for row in shown)]
    if shown:
        heads = [head, *OUTCOMES.values()]
        cells = [[row[number] or "." for number in columns] for row in shown]
        _print(screen, [heads[number] for number in columns], cells, numbers=range(1, len(columns)))


def _print(
    screen: Console, heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = ()
) -> None:
    screen.print()
    print_table(screen, table_of(heads, rows, numbers))


def _why(one: Standing) -> str:
    """The last trouble; that of a paused destination is said of the pause."""
    return f": {plain(one.error)}" if one.error is not None and one.paused is None else ""


def _when(due: datetime, now: datetime) -> str:
    seconds = max((due - now).total_seconds(), 0)
    wait = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return f"{timestamp(due)} (in {wait})"
