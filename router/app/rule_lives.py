"""The lives of suppression rules, silences and shadow rules: what each is about, when it ends, what it held and holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import asdict

from router.app.rule_watch import recipients_of
from router.app.rules import Rules
from router.decide.suppression import scope_words
from router.deliver.destination_holds import list_holds
from router.domain.counts import Rule, RuleHits, rule_of
from router.domain.documents import DocumentKind
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.silences import HolderKind, Silence, find_shadow_rule, find_silence_id, kind_of, shadow_name
from router.domain.suppression import NO_SUPPRESSIONS, SuppressionRule
from router.domain.values import Value
from router.rulebook.catalogue import load_spellings
from router.rulebook.suppression_directory import SHADOWS, ReadSuppressions
from router.store.delivery_status import list_backlogs
from router.store.documents import list_documents, read_silences
from router.store.rules import read_hits, read_known_rules
from router.store.signals import count_held
from router.store.store import Store

MOST_NAMED = 5
"""The most values of an element that people read in a list."""

_REFUSED = "refused, and holds nothing; rules check says why"
_GONE = "gone, and not known any more"


class RuleLife(Value, kw_only=True):
    """A suppression rule, a silence or a shadow rule, and what is known of its life. What is not known is None.

    Attributes:
        name: what it is called: a silence by its name on record, a rule of either sort as in its file.
        scope: its scope in words, or why there is none.
        type: the alert type or recommendation category, as it was written; None for any, too.
        holds_nothing_since: its last hit, else since when it is known; None while it holds something, too.
        notified: who hears of its end: destinations by name, and mail addresses.
        is_whole: whether it is there and could be read.
        is_in_force: whether it may hold anything before its end.
    """

    name: str
    stream: str
    kind: HolderKind
    file: str | None = None
    scope: str = _GONE
    type: str | None = None
    owner: str | None = None
    ends: datetime | None = None
    hits: int | None = None
    last_hit: datetime | None = None
    holding: int | None = None
    holds_nothing_since: datetime | None = None
    notified: Sequence[str] | None = ()
    is_whole: bool = True
    is_in_force: bool = True

    def has_ended(self, now: datetime) -> bool:
        """Whether its end is known and has come."""
        return self.ends is not None and self.ends <= now

    def is_unused(self, span: timedelta, now: datetime) -> bool:
        """Whether it could have held something for as long as a span, did not, and holds nothing; one of unknown age could."""
        may_hold = self.is_in_force and not self.has_ended(now) and self.holding == 0
        return may_hold and (self.holds_nothing_since is None or self.holds_nothing_since <= now - span)

    @property
    def name_on_record(self) -> str:
        """The name by which its hits are counted."""
        return shadow_name(self.name) if self.kind is HolderKind.SHADOW else self.name

    @property
    def names(self) -> set[str]:
        """How a person may name it: as its file is called, by its name on record, by the id of a silence."""
        return {self.name, self.name_on_record, find_silence_id(self.name) or self.name}

    @property
    def document(self) -> dict[str, object]:
        """The same for programs: every key is always there, and what is not known is null."""
        document = asdict(self)
        del document["is_whole"], document["is_in_force"]
        return document


class RuleSource(Value, kw_only=True):
    """The suppression rules and the shadow rules of one stream, and how people find them.

    Attributes:
        named: what the directory is called in which `cwpp/` and `cspm/` are.
        written_type: gives the type of a rule as people write it.
        book: who hears of an end; None where a problem stops the rules.
    """

    stream: Stream
    suppressions: ReadSuppressions
    named: str
    written_type: Callable[[SuppressionRule], str]
    book: Rulebook | None


@dataclass(slots=True)
class RuleRecord:
    """What a state knows of the lives of rules: by stream and name on record hits, signals held now, and since when each is."""

    now: datetime
    hits: dict[Rule, RuleHits] = field(default_factory=dict)
    held: dict[Rule, int] = field(default_factory=dict)
    since: dict[Rule, datetime] = field(default_factory=dict)
    silences: Sequence[Silence] = ()
    undecodable: int = 0


async def read_rule_record(store: Store, streams: Sequence[Stream], now: datetime) -> RuleRecord:
    """Return what a state knows of the rules and silences of some streams. Raises StoreError."""
    known = RuleRecord(now)
    async with store.session() as tx:
        for stream in map(str, streams):
            known.hits |= {(stream, name): one for name, one in (await read_hits(tx, stream)).items()}
            known.held |= {rule_of(stream, name): one for name, one in (await count_held(tx, stream)).items()}
            since = await read_known_rules(tx, stream, now)
            known.since |= {(stream, name): at for name, at in since.items()}
        silences, known.undecodable = read_silences(await list_documents(tx, DocumentKind.SILENCE))
    known.silences = [silence for silence in silences if silence.stream in streams]
    return known


def lives_of(
    sources: Sequence[RuleSource], record: RuleRecord | None, now: datetime, most: int | None = None
) -> list[RuleLife]:
    """Return the lives of all that is there, and of what is gone and has hits or holds something still; the next end first.

    Those that have ended follow, the latest first; then those of which no end is known. At most `most` values of an element
    are named.
    """
    books = {one.stream.value: one.book for one in sources}
    lives = (_notified(life, books.get(life.stream)) for life in _lives(sources, record, most))

    def rank(life: RuleLife) -> tuple[int, timedelta, str, str]:
        left = life.ends - now if life.ends is not None else timedelta()
        return 2 if life.ends is None else int(life.has_ended(now)), abs(left), life.stream, life.name

    return sorted(lives, key=rank)


async def read_lives(
    store: Store, rules: Rules, streams: Sequence[Stream], now: datetime, most: int | None
) -> list[RuleLife]:
    """Return the same by the rules that a process works with. Raises StoreError."""
    record, spellings = await read_rule_record(store, streams, now), load_spellings()

    def written_type(rule: SuppressionRule) -> str:
        return spellings.get(rule.alert_type, rule.alert_type)

    def source_of(stream: Stream) -> RuleSource:
        book, refused = rules.books.get(stream), rules.refused.get(stream, ())
        sound, shadows = (book.suppressions, book.shadows) if book is not None else (NO_SUPPRESSIONS, NO_SUPPRESSIONS)
        return RuleSource(
            stream=stream,
            suppressions=ReadSuppressions(sound, refused, shadows),
            named=rules.directory.name or "rules",
            written_type=written_type,
            book=book,
        )

    return lives_of(list(map(source_of, streams)), record, now, most)


async def read_ends(store: Store, rules: Rules, now: datetime, within: timedelta) -> list[dict[str, Any]]:
    """Return for programs what ends within a span: rules, silences and holds of destinations, the soonest end first.

    `holding` is how many signals one holds now; of a destination, how many deliveries wait there. Raises StoreError.
    """
    lives = await read_lives(store, rules, list(Stream), now, MOST_NAMED)
    found = [
        {**{name: getattr(one, name) for name in _OF_ENDS}, "on_record": one.name_on_record}
        for one in lives
        if one.is_in_force and one.ends is not None
    ]
    for hold in await list_holds(store, now):
        async with store.session() as tx:
            backlog = (await list_backlogs(tx, hold.stream)).get(hold.destination)
        owed = backlog.owed if backlog is not None else 0
        values = (HOLD, hold.stream, hold.destination, None, hold.reason, hold.author, hold.ends, owed)
        found.append({**dict(zip(_OF_ENDS, values, strict=True)), "on_record": hold.destination})
    return sorted(
        (one for one in found if now < one["ends"] <= now + within), key=lambda one: (one["ends"], one["name"])
    )


HOLD = "hold"
"""The kind of a hold among what ends."""

_OF_ENDS = ("kind", "stream", "name", "type", "scope", "owner", "ends", "holding")


def _notified(life: RuleLife, book: Rulebook | None) -> RuleLife:
    """Return it with who is told of its end: nobody of a shadow rule's, nor of what is not in force."""
    if life.kind is HolderKind.SHADOW or not life.is_in_force:
        return life
    return replace(life, notified=tuple(recipients_of(book).notified_of(life.owner)) if book is not None else None)


def _lives(sources: Sequence[RuleSource], record: RuleRecord | None, most: int | None) -> Iterator[RuleLife]:
    known = [one for source in sources for one in reversed([*_lives_in(source, most)])]
    there = {rule_of(one.stream, one.name_on_record): one for one in known}
    if record is None:
        yield from there.values()
        return
    since = {rule_of(one.stream, one.name): one.made for one in record.silences}
    there |= {rule_of(one.stream, one.name): _life_of_silence(one, most) for one in record.silences}
    for rule in {**there, **record.hits, **record.held}:
        stream, name = rule
        called, kind = find_shadow_rule(name) or name, kind_of(name)
        gone = RuleLife(name=called, stream=stream, kind=kind, is_whole=False, is_in_force=False)
        hits, holding = record.hits.get(rule), record.held.get(rule, 0)
        last = hits.last if hits is not None else None
        yield replace(
            there.get(rule, gone),
            hits=hits.total if hits is not None else 0,
            last_hit=last,
            holding=holding,
            holds_nothing_since=None if holding else last or since.get(rule) or record.since.get(rule),
        )


def _lives_in(source: RuleSource, most: int | None) -> Iterator[RuleLife]:
    """Yield the lives of a stream's rules and shadow rules; those that can be used come first."""
    suppressions = source.suppressions
    for rule in suppressions.sound.by_name.values():
        yield _life_of(rule, HolderKind.RULE, source, most)
    for rule in suppressions.shadows.by_name.values():
        yield _life_of(rule, HolderKind.SHADOW, source, most)
    for rule in suppressions.refused:
        kind = HolderKind.SHADOW if rule.source.startswith(f"{source.stream}/{SHADOWS}/") else HolderKind.RULE
        # Of what cannot be read whole nothing is told that people might rely on.
        life = _life_of(rule, kind, source, most)
        yield replace(life, scope=_REFUSED, ends=None, is_whole=False, is_in_force=False)


def _life_of(rule: SuppressionRule, kind: HolderKind, source: RuleSource, most: int | None) -> RuleLife:
    scope = scope_words(rule.groups, most)
    return RuleLife(
        name=rule.name,
        stream=source.stream.value,
        kind=kind,
        file=f"{source.named}/{rule.source}",
        scope=scope if rule.enabled else f"{scope} (not enabled, so it holds nothing)",
        type=source.written_type(rule) or None,
        owner=rule.owner,
        ends=rule.expires,
        is_in_force=rule.enabled,
    )


def _life_of_silence(silence: Silence, most: int | None) -> RuleLife:
    return RuleLife(
        name=silence.name,
        stream=silence.stream,
        kind=HolderKind.SILENCE,
        scope=scope_words(silence.groups, most),
        type=silence.alert_type,
        owner=silence.author,
        ends=silence.end,
    )
