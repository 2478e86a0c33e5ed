"""The destinations that a person can name: those of the rules, those that a state was ever told of, and those that are held."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from router.app.rules import Rules, load_rules, specs_of
from router.cli.complaints import complain
from router.cli.given import stream_for, streams_in
from router.deliver.destination_holds import list_holds
from router.domain.errors import BadUsage, UserError
from router.domain.rulebook import Lane
from router.domain.signals import Stream
from router.store.delivery_status import list_backlogs
from router.store.store import Store

RULES = Path("rules")
"""Where rules usually are."""


@dataclass(frozen=True, slots=True)
class KnownDestination:
    """A destination.

    Attributes:
        stream: its stream.
        name: its name.
        lane: its lane: that of the rules, where they name it.
        kind: its kind; None where the rules do not name it.
    """

    stream: Stream
    name: str
    lane: Lane
    kind: str | None

    def __str__(self) -> str:
        return f"{self.stream} {self.name}"


def find_rules(options: Namespace, now: datetime) -> Rules | None:
    """The rules of a directory, where it is named or there; raises BadFile and BadPolicy where the one that is named is bad.

    That rules which nobody named cannot be used keeps nobody from holding a pager: it is said.
    """
    if options.rules is None and not RULES.exists():
        return None
    directory = options.rules or RULES
    try:
        return load_rules(directory, streams_in(directory, stream_for(options.stream)), now)
    except UserError as fault:
        if options.rules is not None:
            raise
        complain(f"{str(fault).partition('\n')[0]}; going by what the state knows")
        return None


async def known_destinations(
    store: Store, rules: Rules | None, only: Stream | None, now: datetime
) -> Sequence[KnownDestination]:
    """The destinations of a stream, or of every stream, by stream and name; raises StoreError."""
    streams = list(Stream) if only is None else [only]
    # Who ends a hold may have no rules at hand, or others than who made it.
    found = {
        (Stream(hold.stream), hold.destination): KnownDestination(
            Stream(hold.stream), hold.destination, hold.lane, None
        )
        for hold in await list_holds(store, now)
        if hold.stream in streams
    }
    for stream in streams:
        async with store.session() as tx:
            backlogs = await list_backlogs(tx, stream)
        for name, backlog in backlogs.items():
            found[stream, name] = KnownDestination(stream, name, backlog.lane, None)
        book = rules.books.get(stream) if rules is not None else None
        for spec in specs_of(book) if book is not None else []:
            found[stream, spec.name] = KnownDestination(stream, spec.name, spec.lane, spec.kind)
    return [found[key] for key in sorted(found)]


def destination_meant(name: str, known: Iterable[KnownDestination]) -> KnownDestination:
    """The destination of that name; raises BadUsage where there is none, or one in each stream."""
    known = list(known)
    meant = [one for one in known if one.name == name]
    if not meant:
        close = get_close_matches(name, [one.name for one in known], n=1)
        help = f"did you mean {close[0]}?" if close else "see alert-router destinations list"
        raise BadUsage(f"{name or '(nothing)'}: is no destination that the rules or the state know; {help}")
    if len(meant) > 1:
        streams = " and of ".join(one.stream.value for one in meant)
        raise BadUsage(f"{name}: is a destination of {streams}; say which with --stream")
    return meant[0]
