"""The notices of a group, each in the words of one of its members. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from router.domain.decisions import Change
from router.domain.deliveries import Delivery
from router.domain.evidence import Evidence
from router.domain.groups import GroupState, GroupTurn
from router.domain.notices import NamedMember, Notice, Release
from router.domain.posture import DatabaseRule, Image, Package, Risk
from router.domain.rulebook import DestinationSpec, Lane
from router.domain.severity import gravity_of
from router.domain.web_links import Link
from router.domain.whereabouts import whereabouts_of
from router.grouping.grouping_keys import LONGEST, MemberTurn, is_for_same_audience

NAMED = 20
"""The most of its standing members that a group's notice names; it counts them all."""

_SHORT = 50
"""Characters of a text about a package, an image, a database's rule or a risk, and of a word."""

_ROOM = {
    "id": 500, "resource": 500, "link": 500, "description": 1_000,
    "cvss": _SHORT, "user_impact": _SHORT, "effort": _SHORT, "environment": _SHORT,
}  # fmt: skip
"""Characters of texts of a notice that waits in a group's state, where that is not `LONGEST`; a state is a row of a table."""

_ID = 24
"""Characters of the id of a CVE."""

_LISTED = 3
"""Items of a list of such a notice."""

_LISTS = 8
"""Lists of evidence of such a notice, the first that have any."""


def lane_of(spec: DestinationSpec | None) -> Lane:
    """The lane of a destination; one that the policy no longer names gets dead letters like tickets."""
    return spec.lane if spec is not None else Lane.TICKET


def change_of(state: GroupState, member_turns: Sequence[MemberTurn]) -> Change | None:
    """What a group's notice changes; None where some of its members are over and others still stand: there is no notice."""
    if not state.group.standing:
        return Change.RESOLVED if state.is_open else None
    if not state.is_open:
        return Change.OPENED
    return Change.UPDATED if any(one.target.change is not Change.RESOLVED for one in member_turns) else None


def is_status_only(change: Change, member_turns: Sequence[MemberTurn]) -> bool:
    """Whether a group's notice changes nothing but the status of members; one that is over is told of with the others."""
    standing = (one for one in member_turns if one.target.change is not Change.RESOLVED)
    return change is Change.UPDATED and all(one.notice.status_only for one in standing)


def delivery_of(member_turn: MemberTurn, key: str, state: GroupState, group_turn: GroupTurn) -> Delivery:
    """The delivery of a group's notice, in the words of one of its members; a group of one looks like its only member."""
    target = member_turn.target
    return _delivery(
        member_turn.notice, target.destination, target.lane, key, state, group_turn, member_turn.turn.trace
    )


def opening_of_waiting(destination: str, lane: Lane, key: str, state: GroupState) -> Delivery | None:
    """The opening of a group that waited for room, with the notice that waited; None where none did."""
    if state.waiting is None:
        return None
    group_turn = GroupTurn(number=state.opened, change=Change.OPENED, opened=state.opened)
    return _delivery(state.waiting, destination, lane, key, state, group_turn, None)


def note_on_clock(destination: str, lane: Lane, key: str, state: GroupState) -> Delivery | None:
    """The latest turn of a group that lasts, as it is told on the clock: an update, or a resolution once nothing stands."""
    if state.waiting is None:
        return None
    change = Change.UPDATED if state.is_open else Change.RESOLVED
    group_turn = GroupTurn(number=state.turn, change=change, opened=state.opened)
    return _delivery(state.waiting, destination, lane, key, state, group_turn, None)


def _delivery(
    words: Notice, destination: str, lane: Lane, key: str, state: GroupState, group_turn: GroupTurn, trace: str | None
) -> Delivery:
    is_over = group_turn.change is Change.RESOLVED
    notice = replace(
        words,
        key=key,
        turn=group_turn.number,
        status_only=group_turn.status_only,
        paged=words.paged or state.paged,
        closing=words.closing if is_over else None,
        release=words.release if not is_over else None,
    )
    if state.group.total > 1 or state.group.limited:
        # A page that High opened must not turn Medium because a Medium joined it.
        notice = replace(
            notice,
            severity=state.severity,
            severity_written=state.severity_written,
            respond_by=state.respond_by,
            group=state.group,
        )
    return Delivery(
        stream=notice.stream,
        destination=destination,
        lane=lane,
        key=key,
        turn=group_turn.number,
        change=group_turn.change,
        opened=group_turn.opened,
        content=notice,
        trace=trace,
    )


def with_gravest(state: GroupState, notice: Notice) -> GroupState:
    """The state with the gravest severity since its group opened, the soonest time to answer, and whether a pager was told."""
    written = notice.severity_written[:LONGEST] if notice.severity_written else None
    fresh = replace(
        state, severity=notice.severity, severity_written=written, respond_by=notice.respond_by, paged=notice.paged
    )
    if not state.group.standing:
        return fresh
    soonest = min(filter(None, (state.respond_by, notice.respond_by)), default=None)
    gravest = fresh if gravity_of(notice.severity) > gravity_of(state.severity) else state
    return replace(gravest, respond_by=soonest, paged=state.paged or notice.paged)


def gravity_of_member(member_turn: MemberTurn) -> int:
    """How grave a member is as its turn leaves it."""
    return gravity_of(member_turn.notice.severity)


def named_member(notice: Notice) -> NamedMember:
    """A member as its group's notices name it."""
    return NamedMember(
        key=notice.key,
        title=_title_of(notice),
        severity=notice.severity,
        place=whereabouts_of(notice).words[-LONGEST:],
    )


def named_group(key: str, state: GroupState) -> NamedMember:
    """A group that waits for its turn as the summary names it: with how many stand in it, and whose it is."""
    words = state.waiting
    owner = words.owner if words is not None else None
    whose = " / ".join(filter(None, (owner.group, owner.service))) if owner is not None else None
    count = "1 signal" if state.group.standing == 1 else f"{state.group.standing} signals"
    return NamedMember(
        key=key,
        title=_title_of(words) if words is not None else "",
        severity=state.severity,
        place=f"{count}, {whose}"[:LONGEST] if whose else count,
    )


def _title_of(notice: Notice) -> str:
    return " ".join((notice.unfilled_title or notice.title or notice.type).split())[:LONGEST]


def members_to_name(standing: Iterable[NamedMember]) -> tuple[NamedMember, ...]:
    """Those of some standing members, the latest first, that notices name: the gravest first, and as many as they may be.

    The first of each severity is always among them. An update that named it may have been skipped for a later one, and
    whoever was graver than all before is to be named in what people get.
    """
    graver_first = sorted(standing, key=lambda one: -gravity_of(one.severity))
    first_of = {gravity_of(one.severity): one.key for one in graver_first}  # the last of them came first
    while len(graver_first) > NAMED:
        last = next(one for one in reversed(graver_first) if one.key not in first_of.values())
        graver_first.remove(last)
    return tuple(graver_first)


def notice_to_open_with(state: GroupState, member_turns: Sequence[MemberTurn]) -> Notice:
    """The notice with which a group that waits for room will open: that of its gravest standing member, of those the latest."""
    waiting = state.waiting
    if waiting is not None and any(waiting.key == one.notice.key for one in member_turns):
        waiting = None
    standing = (one for one in member_turns if one.target.change is not Change.RESOLVED)
    fresh = next((one.notice for one in standing if is_for_same_audience(state, one)), None)
    if fresh is not None and (waiting is None or gravity_of(fresh.severity) >= gravity_of(waiting.severity)):
        return _bounded(fresh)
    return waiting or notice_from_state(state, state.waiting or member_turns[0].notice)


def notice_from_state(state: GroupState, like: Notice) -> Notice:
    """A notice of what a group's state alone knows of its gravest member, for the audience of a notice that is like it."""
    named = state.group.named
    first = named[0] if named else NamedMember(key=like.key, title="", severity=state.severity, place=None)
    return replace(
        like,
        key=first.key,
        id=first.key,
        type="",
        title=first.title,
        description="",
        severity=first.severity,
        severity_written=first.severity,
        status=None,
        resource=None,
        resource_type=None,
        resource_group=None,
        subscription=None,
        compromised_entity=first.place,
        tactics=(),
        techniques=(),
        link=None,
        remediation=(),
        evidence=Evidence(),
        started=None,
        ended=None,
        changed=None,
        correlation=None,
        alerts=(),
        extended={},
        unlisted=(),
        routes_to={},
        is_whole=False,
        account=None,
        project=None,
        cluster=None,
        namespaces=(),
        connector=None,
        tags={},
        native_name=None,
        closing=None,
        cves=(),
        has_more_cves=False,
        image=None,
        rule=None,
        risk=None,
        has_fix=None,
        subscription_name=None,
        environment=None,
        runbooks=(),
        links=(),
        release=None,
        status_description=None,
        impact=None,
        cvss=None,
        user_impact=None,
        effort=None,
        threats=(),
        entry_points=(),
        targets=(),
    )


def _bounded(notice: Notice) -> Notice:
    """A notice whose packed form always fits into a state's row; what has no room is evidence that the portal has, too."""
    texts: dict[str, Any] = {
        name: _shortened(value, _ROOM.get(name, LONGEST))
        for name in Notice.__dataclass_fields__
        if name != "link" and isinstance(value := getattr(notice, name), str)
    }
    lists = {name: some for name in Evidence.__dataclass_fields__ if (some := _some(getattr(notice.evidence, name)))}
    evidence = dict(list(lists.items())[:_LISTS])
    return replace(
        notice,
        **texts,
        link=notice.link if len(notice.link or "") <= _ROOM["link"] else None,
        remediation=_some(notice.remediation),
        evidence=Evidence(**evidence),
        categories=_some(notice.categories),
        alerts=_some(notice.alerts),
        extended=_quoted_in(notice),
        package=_cut(notice.package),
        cves=tuple(id[:_ID] for id in notice.cves[:NAMED]),
        has_more_cves=notice.has_more_cves or len(notice.cves) > NAMED,
        image=_cut(notice.image),
        rule=_cut(notice.rule),
        risk=_cut(notice.risk),
        unlisted=(),
        routes_to={},
        is_whole=False,
        runbooks=tuple(url for url in notice.runbooks if len(url) <= _ROOM["link"])[:1],
        links=tuple(_cut_name(link) for link in notice.links if len(link.url) <= _ROOM["link"])[:1],
        release=_cut(notice.release),
        threats=_few(notice.threats),
        entry_points=_few(notice.entry_points),
        targets=_few(notice.targets),
        namespaces=(),
        tags={},
    )


def _cut_name(link: Link) -> Link:
    return replace(link, text=link.text[:_SHORT])


def _cut[T: (Package | None, Image | None, DatabaseRule | None, Risk | None, Release | None)](value: T) -> T:
    """The same with texts and lists of texts that have room."""
    if value is None:
        return value
    fitting: dict[str, Any] = {}
    for name in value.__dataclass_fields__:
        one = getattr(value, name)
        if isinstance(one, str):
            fitting[name] = one[:_SHORT]
        elif isinstance(one, tuple):
            fitting[name] = _few(one)
    return replace(value, **fitting)


def _few(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(text[:_SHORT] for text in texts[:_LISTED])


def _some(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(_shortened(text, LONGEST // 2) for text in texts[:_LISTED])


def _quoted_in(notice: Notice) -> dict[str, str]:
    """The properties that the texts of a notice quote, the first few: whoever withholds one must know what it said."""
    texts = _on_one_line(" ".join((notice.title, notice.description, *notice.remediation)))
    quoted = {
        name: value
        for name, value in notice.extended.items()
        if len(words := _on_one_line(value)) >= 4 and words[:_SHORT] in texts
    }
    known = [(name, _shortened(value, LONGEST)) for name, value in quoted.items() if len(name) <= 2 * _SHORT]
    return dict(known[:_LISTED])


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _shortened(text: str, most: int) -> str:
    """A text of at most so many characters, with a mark where it was cut: half a credential is told by it."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
