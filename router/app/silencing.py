"""A new silence, from what a person wrote to what is stored: read, refused where the policy says so, and previewed first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import replace
from datetime import datetime, timedelta
from pathlib import Path

from router.app.fields import duration_text, read_words
from router.app.silence_bounds import needed_since, refuse_overrun, silenced_share, with_first
from router.app.silence_preview import SilencePreview, preview_silence
from router.app.silences import BOUNDED, add_silence, stored_silences, undecodable_words
from router.decide.preview import silence_matcher
from router.destinations import discover
from router.domain.errors import BadField, BadPolicy
from router.domain.readable import counted, timestamp
from router.domain.rulebook import Rulebook
from router.domain.signals import Stream
from router.domain.silences import Recurrence, Silence, SilenceBounds
from router.domain.values import Value
from router.ingest.state_cache import TagReader
from router.rulebook import load_all
from router.rulebook.lints import KnownTypes
from router.rulebook.silence_scope import ScopeDoubt, SilenceScope, WrittenScope, read_recurrence, read_silence_scope
from router.store.store import Store, Transaction


class WantedSilence(WrittenScope, kw_only=True):
    """A silence as a person wrote it in fields.

    Attributes:
        begins: the field `from`; None for now.
        lasts: the field `for`, counted from its beginning; either this or `until` is given.
        every: the windows in which it holds; None for all the time.
    """

    begins: datetime | None = None
    until: datetime | None = None
    lasts: timedelta | None = None
    every: str | None = None
    reason: str
    author: str
    ticket: str | None = None


class SilenceDraft(Value, kw_only=True):
    """A silence that may be made, and what that would do.

    Attributes:
        silence: the silence, which has no id yet.
        share: for how much of the last 30 days all that it is about was silenced already; from 0 to 1.
        undecodable: how many stored silences cannot be read.
        doubts: what may be wrong in it, and may be right.
        bounds: what the policy allows silences.
    """

    silence: Silence
    preview: SilencePreview
    share: float
    undecodable: int
    doubts: tuple[ScopeDoubt, ...]
    bounds: SilenceBounds

    @property
    def remarks(self) -> Iterator[str]:
        """What people should know of it beside what it would hold, a line for each thing."""
        if (refused := self.bounds.refuse) is not None:
            yield f"{refused.label} and worse, and what is of unknown severity, is told all the same: so says the policy"
        if self.silence.first < self.silence.begins:
            yield f"it goes on with what was silenced since {timestamp(self.silence.first)}"
        if self.undecodable:
            yield undecodable_words(self.undecodable)
        yield f"all of this was silenced for {self.share:.0%} of the last 30 days"

    def refuse_too_broad(self) -> None:
        """Raise BadField where it would have held more than half of what people were told."""
        held, all = self.preview.preview.held.signals, self.preview.by_all
        if all is not None and 2 * held > all:
            raise BadField(
                "",
                f"would have held {held} of {counted(all, 'signal')} of the last 24 hours, more than half; "
                "say what it is about: `resource` or `host` without a glob, or `type`",
            )


def load_silence_rules(directory: Path, stream: Stream, now: datetime) -> tuple[Rulebook, KnownTypes]:
    """Return the rules of a stream, and the alert types that are known; raises BadPolicy where they cannot be used."""
    loaded = load_all(directory, discover(), now)[stream]
    if loaded.rulebook is None or loaded.policy is None:
        raise BadPolicy([str(one) for one in loaded.problems if one.level == "problem"])
    return loaded.rulebook, KnownTypes.of(loaded.policy.types)


async def draft_silence(
    store: Store, wanted: WantedSilence, book: Rulebook, types: KnownTypes, now: datetime
) -> SilenceDraft:
    """Return the silence that is meant, and what it would do; nothing is stored. A type not in `types` is a doubt.

    Raises BadField where there can be no such silence or the policy does not allow it, and StoreError.
    """
    bounds = book.silences
    if wanted.alert_type is not None:
        read_words("type", wanted.alert_type)
    scope = read_silence_scope(wanted)
    silence = _silence_of(wanted, scope, now)
    _refuse_ticket(silence.ticket, bounds)
    _refuse_times(silence, bounds, now)
    known = await stored_silences(store, needed_since(bounds, now))
    others = known.values
    silence = with_first(silence, others)
    refuse_overrun("for" if wanted.lasts is not None else "until", silence, others, bounds)
    book = await TagReader(store, {book.stream: book}).rulebook(book.stream, now)
    instead = {
        field: silence_matcher(replace(silence, groups=other.groups), book)
        for field, other in _instead_of(wanted).items()
    }
    matcher = silence_matcher(silence, book)
    return SilenceDraft(
        silence=silence,
        preview=await preview_silence(store, silence.stream, matcher, instead, now, is_narrow=scope.is_narrow),
        share=silenced_share(silence, others, now),
        undecodable=known.undecodable,
        doubts=(*scope.doubts, *_doubts_about(wanted, types)),
        bounds=bounds,
    )


async def make_silence(store: Store, draft: SilenceDraft) -> Silence:
    """Store a silence that was drafted, and who made it; return it with its id. Raises BadField and StoreError.

    Where the same was made before, that one is returned, so that who asks twice need not end two.
    """
    draft.refuse_too_broad()
    it = draft.silence

    async def make(tx: Transaction) -> Silence:
        await tx.wait_for(BOUNDED)
        # Others may have made some since it was drafted.
        others = (await stored_silences(store, needed_since(draft.bounds, it.made))).values
        for one in others:
            if one.begins <= it.begins and replace(one, id="", begins=it.begins, made=it.made, first=it.first) == it:
                return one
        silence = with_first(it, others)
        refuse_overrun("until", silence, others, draft.bounds)
        return await add_silence(store, silence)

    return await store.run(make)


def _silence_of(wanted: WantedSilence, scope: SilenceScope, now: datetime) -> Silence:
    if wanted.until is None and wanted.lasts is None:
        raise BadField("for", "is missing; write for how long, such as `for` 2h, or until when: `until` ISO")
    if wanted.until is not None and wanted.lasts is not None:
        raise BadField("for", "and `until` are both given; write one of them")
    begins, type = wanted.begins or now, wanted.alert_type
    return Silence(
        id="",
        stream=wanted.stream,
        alert_type=type.strip() if type is not None else None,
        groups=scope.groups,
        begins=begins,
        until=wanted.until or begins + (wanted.lasts or timedelta()),
        every=_recurrence_in(wanted.every) if wanted.every is not None else None,
        reason=read_words("reason", wanted.reason),
        author=read_words("author", wanted.author),
        ticket=read_words("ticket", wanted.ticket) if wanted.ticket is not None else None,
        made=now,
        first=begins,
    )


def _recurrence_in(text: str) -> Recurrence:
    try:
        return read_recurrence(text)
    except ValueError as fault:
        raise BadField("every", str(fault)) from fault


def _refuse_times(draft: Silence, bounds: SilenceBounds, now: datetime) -> None:
    begins, until = timestamp(draft.begins), timestamp(draft.until)
    if draft.begins < now:
        raise BadField("from", f"{begins} is over; leave it out to begin now")
    if draft.until <= now:
        raise BadField("until", f"{until} is over; write a later end, or `for` 2h")
    if draft.until <= draft.begins:
        raise BadField("until", f"{until} is not after its beginning, {begins}; write a later end")
    if draft.begins - now > bounds.recurring:
        most = duration_text(bounds.recurring)
        raise BadField("from", f"{begins} is more than {most} ahead, which the policy does not allow; begin earlier")
    if draft.find_next_window(now) is None:
        raise BadField("every", f"{draft.every} never comes before {until}; write a later end")


def _refuse_ticket(ticket: str | None, bounds: SilenceBounds) -> None:
    if bounds.ticket is None:
        return
    if ticket is None:
        raise BadField("ticket", f"is missing; the policy wants one that matches {bounds.ticket}")
    if re.search(bounds.ticket, ticket) is None:
        raise BadField("ticket", f"{ticket!r} does not match {bounds.ticket}; write one that the policy allows")


def _doubts_about(written: WrittenScope, known: KnownTypes) -> Iterator[ScopeDoubt]:
    """Yield a doubt about a type that is not known. It may be right all the same, since Defender brings new ones."""
    # Types of findings are ids of assessments, of which no list is whole.
    if written.alert_type is None or written.stream is not Stream.CWPP or known.has(type := written.alert_type.strip()):
        return
    likely = known.find_likely(type)
    remedy = f"; did you mean {' or '.join(likely)}?" if likely else "; where it is a new one, all is well"
    yield ScopeDoubt("type", f"{type!r} is no alert type that is known{remedy}")


def _instead_of(written: WrittenScope) -> dict[str, SilenceScope]:
    """Return what may be meant where no resource of a name is found: the machine of that name. By the field for it."""
    if not written.resource or written.hosts or written.entities:
        return {}
    try:
        return {
            f"`host` {written.resource}": read_silence_scope(replace(written, resource=None, hosts=[written.resource]))
        }
    except BadField:
        return {}
