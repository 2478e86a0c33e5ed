"""The lives of rules as `rules list` prints them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from shutil import get_terminal_size
from textwrap import wrap

from router.cli.printing import plain
from router.destinations.wording.masking import masked
from router.domain.counts import RuleHits
from router.domain.silences import HolderKind, find_silence_id
from router.domain.texts import counted, timestamp

_HEADS = f"{'ends':20}  {'hits':>6}  {'last hit':20}  {'holds':>5}  holds nothing since"
_INDENT = "    "
_FOLD = partial(
    # An id that is longer than a line stays whole, so that it can be copied.
    wrap, initial_indent=_INDENT, subsequent_indent=_INDENT * 2, break_on_hyphens=False, break_long_words=False
)  # fmt: skip
_UNFOLDED = 10_000
"""Columns where there is no terminal: programs that read lines want whole ones."""

_WORDS = {HolderKind.RULE: "suppression rule", HolderKind.SILENCE: "silence", HolderKind.SHADOW: "shadow rule"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLife:
    """A suppression rule, a silence or a shadow rule, and what is known of its life.

    Attributes:
        name: what it is called: a silence by its name on record, a rule of either sort as in its file.
        file: the file that it stands in; None of a silence, and of a rule that is gone.
        scope: its scope in words; None where it is gone, or cannot be read.
        type: the alert type or recommendation category, as it was written; None for any, and where it is gone.
        ends: the first instant at which it holds nothing any more; None where that is not known.
        is_in_force: whether it may hold anything before its end: it is there, was not refused, and is enabled.
        hits: its hits; None where there are none, and where no state was read.
        holding: how many signals it holds now that still stand; None where no state was read. A shadow rule holds none.
        notified: who hears of its end: destinations by name, and mail addresses; None where the policy cannot be read.
    """

    name: str
    stream: str
    kind: HolderKind
    file: str | None = None
    scope: str | None = None
    type: str | None = None
    owner: str | None = None
    ends: datetime | None = None
    is_in_force: bool = True
    known_since: datetime | None = None
    hits: RuleHits | None = None
    holding: int | None = None
    notified: Sequence[str] | None = ()

    @property
    def holds_nothing_since(self) -> datetime | None:
        """Since when it held nothing new: its last hit, else since when it is known; None while it holds something."""
        if self.holding is None or self.holding > 0:
            return None
        return self.hits.last if self.hits is not None else self.known_since

    def has_ended(self, now: datetime) -> bool:
        """Whether its end is known and has come."""
        return self.ends is not None and self.ends <= now

    def is_unused(self, span: timedelta, now: datetime) -> bool:
        """Whether it could have held something for as long as a span, did not, and holds nothing; one of unknown age could."""
        if not self.is_in_force or self.has_ended(now) or self.holding is None or self.holding > 0:
            return False
        since = self.holds_nothing_since
        return since is None or since <= now - span


def by_end(lives: Iterable[RuleLife], now: datetime) -> list[RuleLife]:
    """Those that end next first; then those that have ended, the latest first; then those of which no end is known."""

    def rank(life: RuleLife) -> tuple[int, timedelta, str, str]:
        left = life.ends - now if life.ends is not None else timedelta()
        return 2 if life.ends is None else int(life.has_ended(now)), abs(left), life.stream, life.name

    return sorted(lives, key=rank)


def document_of(life: RuleLife) -> dict[str, object]:
    """A life for programs: every key is always there, and what is not known is null."""
    return {
        "name": life.name,
        "stream": life.stream,
        "kind": life.kind.value,
        "file": life.file,
        "scope": _scope_words(life),
        "type": life.type,
        "owner": life.owner,
        "ends": _iso(life.ends),
        "hits": _hits_of(life),
        "last_hit": _iso(life.hits.last) if life.hits is not None else None,
        "holding": life.holding,
        "holds_nothing_since": _iso(life.holds_nothing_since),
        "notified": None if life.notified is None else list(life.notified),
    }


def lines_of(lives: Sequence[RuleLife], of: int, now: datetime) -> Iterator[str]:
    """Lives for people, in their order: what is counted in columns, and below that what it is. `of` says how many there are."""
    if lives:
        yield _HEADS
    for life in lives:
        yield _figures_of(life)
        for text in _described(life, now):
            yield from wrapped(text)
    yield _summary(lives, of)
    if (some := [life for life in lives if _has_notices(life)]) and all(life.notified == () for life in some):
        yield "nobody is told when they end: no notify in a policy names who hears"


def wrapped(text: str) -> list[str]:
    """What is said below the figures, as lines of the terminal: it comes out of files and of people, and may be anything."""
    return _FOLD(plain(masked(text)), get_terminal_size().columns if sys.stdout.isatty() else _UNFOLDED)


def _has_notices(life: RuleLife) -> bool:
    """Whether it has an end of which somebody could be told: a shadow rule holds nothing that would come out."""
    return life.kind is not HolderKind.SHADOW and life.is_in_force


def _figures_of(life: RuleLife) -> str:
    hits = _hits_of(life)
    never = "-" if hits is None else "never"
    cells = (
        f"{_time(life.ends):20}",
        f"{'-' if hits is None else f'{hits:,}':>6}",
        f"{_time(life.hits.last) if life.hits is not None else never:20}",
        f"{'-' if life.holding is None else f'{life.holding:,}':>5}",
        _time(life.holds_nothing_since),
    )
    return "  ".join(cells)


def _described(life: RuleLife, now: datetime) -> Iterator[str]:
    kind = "" if life.kind is HolderKind.RULE else f"{life.kind} "
    ended = ", ended" if life.has_ended(now) else ""
    about = f"{life.type or 'any type'}, where " if life.scope is not None else ""
    yield f"{life.stream} {kind}{find_silence_id(life.name) or life.name}{ended}: {about}{_scope_words(life)}"
    if where := [one for one in (life.owner, life.file) if one]:
        yield ", ".join(where)
    if life.notified:
        yield f"told of its end: {', '.join(life.notified)}"


def _scope_words(life: RuleLife) -> str:
    """The scope, or why there is none; and that it is not in force, where it is not although it is there."""
    if life.scope is None:
        return "refused, and holds nothing; rules check says why" if life.file else "gone, and not known any more"
    return life.scope if life.is_in_force else f"{life.scope} (not enabled, so it holds nothing)"


def _summary(lives: Sequence[RuleLife], of: int) -> str:
    kinds = Counter(life.kind for life in lives)
    parts = [counted(kinds[kind], words) for kind, words in _WORDS.items() if kinds[kind] or kind is HolderKind.RULE]
    never = sum(life.holding is not None and life.hits is None for life in lives)
    more = f"; never hit: {never}" if never else ""
    return f"{', '.join(parts)}{f' of {of} in all' if of > len(lives) else ''}{more}"


def _hits_of(life: RuleLife) -> int | None:
    if life.hits is not None:
        return life.hits.total
    return None if life.holding is None else 0


def _time(time: datetime | None) -> str:
    return timestamp(time) if time is not None else "-"


def _iso(time: datetime | None) -> str | None:
    return timestamp(time) if time is not None else None
