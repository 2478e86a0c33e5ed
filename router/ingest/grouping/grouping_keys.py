"""Grouping keys: fingerprints of what signals have in common, by which they find the group that they join. Pure."""

from __future__ import annotations

from datetime import timedelta

from router.domain.decisions import Change
from router.domain.keys import fingerprint_of, same_id, signal_key
from router.domain.locations import find_cloud_in
from router.domain.notices import Notice
from router.domain.resources import find_subscription_id, is_connected
from router.domain.rulebook import By, ByTag, DestinationSpec, Grouping, length_text
from router.domain.severity import gravity_of
from router.domain.signals import Kind
from router.domain.values import Value
from router.ingest.grouping.limits import Audience, audience_of
from router.store.groups import GroupState
from router.store.ledger import Target, Turn

LONGEST = 200
"""Characters of a text of a message by which a group is known, or names a member."""

_ALONE = Grouping((By.INCIDENT,), timedelta(days=1))


class MemberTurn(Value):
    """One turn of a signal, as one destination sees it that is notified of groups.

    `turn` is the signal's turn, and `notice` what it says.
    `target` is the destination, and what the turn changes for the signal there.
    """

    turn: Turn
    notice: Notice
    target: Target

    @property
    def audience(self) -> Audience:
        """The audience that it would call."""
        return audience_of(self.notice, self.target.lane)

    @property
    def gravity(self) -> int:
        """How grave the signal is by now."""
        return gravity_of(self.notice.severity)

    @property
    def stands(self) -> bool:
        """Whether the signal is not over by now."""
        return self.target.change is not Change.RESOLVED


def member_turns_of(turn: Turn) -> list[MemberTurn]:
    """A turn as each destination sees it that the turn notifies and that is notified of groups."""
    if turn.notice is None:
        return []
    return [MemberTurn(turn, turn.notice, target) for target in turn.targets if target.grouped]


def member_keys_for(member_turn: MemberTurn) -> list[str]:
    """The keys of the members whose states are needed: the signal, and the alerts that it names as an incident."""
    notice = member_turn.notice
    return [notice.key, *dict.fromkeys(signal_key(notice.stream, Kind.ALERT, id) for id in notice.alerts)]


def window_keys_for(member_turn: MemberTurn, spec: DestinationSpec | None) -> list[str]:
    """The keys of the windows whose groups a turn may change: that of its values, and those of the summaries."""
    held = held_key_for(member_turn.audience.sample)
    return [grouping_key_for(member_turn, grouping_of(spec)), summary_key_for(member_turn), held]


def explain_grouping(notice: Notice, spec: DestinationSpec) -> str:
    """In words, with which others a destination groups a signal that comes now, and how much the destination opens."""
    grouping, said = grouping_of(spec), []
    lacking = [by.value for by in grouping.by if by is not By.INCIDENT and _value(notice, by) is None]
    if spec.group is not None and lacking:
        said.append(f"no, it has no {' and no '.join(lacking)}")
    elif spec.group is not None and (common := common_values_of(notice, grouping)):
        same = " and ".join(f"{name} {value}" for name, value in common)
        window = grouping.window
        how_long = (
            f"within {length_text(window)} of the first" if window is not None else "as long as one of them stands"
        )
        said.append(f"with those of {same} {how_long}")
    if notice.alerts:
        said.append(f"with the {len(notice.alerts)} alerts that it names")
    if spec.limit is not None:
        beyond = "it waits its turn, and one summary counts it" if spec.is_lasting else "in one summary"
        said.append(f"at most {spec.limit.most} openings in {length_text(spec.limit.window)}, beyond that {beyond}")
    return "; ".join(said) or "no, but for what an incident names"


def grouping_of(spec: DestinationSpec | None) -> Grouping:
    """How a destination groups signals; each is alone where the policy only limits them, or names it no longer."""
    if spec is None or spec.group is None:
        return _ALONE
    return spec.group


def grouping_key_for(member_turn: MemberTurn, grouping: Grouping) -> str:
    """The key that signals share that are alike in what the policy groups by.

    A signal that lacks one of these values shares its key with no other: one group of all that lack it would hide most.
    """
    notice = member_turn.notice
    known: list[tuple[object, str]] = []
    for by in grouping.by:
        value = _value(notice, by)
        known.append((by, notice.key if value is None else value.casefold()))
        known += [("in", name.casefold()) for name in _names_around(notice, by)]
    # With their lengths, so that no text can be written to look like another one and its neighbour.
    parts = (f"{name}:{len(value)}:{value}" for name, value in known)
    return fingerprint_of("alike", *_parts_of(member_turn.audience), *parts)


def summary_key_for(member_turn: MemberTurn) -> str:
    """The key of the summary: the group of all signals that an audience gets beyond the limit."""
    return fingerprint_of("limit", *_parts_of(member_turn.audience))


def held_key_for(sample: bool) -> str:
    """The key of the summary that counts the groups which wait for their turn, real ones or samples."""
    return fingerprint_of("held", *_parts_of(Audience(None, sample)))


def is_for_same_audience(state: GroupState, member_turn: MemberTurn) -> bool:
    """Whether a turn is for the audience of its group: a signal may have moved to another one since it joined a summary."""
    return not state.group.limited or state.audience_key == summary_key_for(member_turn)


def named_alert_key_for(id: str, audience_key: str) -> str:
    """The key under which an alert that an incident names is expected, if it is for the same audience."""
    return fingerprint_of("alert", same_id(id), audience_key)


def named_alert_keys_for(member_turn: MemberTurn, spec: DestinationSpec | None) -> list[str]:
    """The key under which an incident may have named a signal; none where groups last, since findings are no alerts."""
    grouping = grouping_of(spec)
    if grouping.window is None:
        return []
    return [named_alert_key_for(member_turn.notice.id, audience_key_for(member_turn, grouping))]


def audience_key_for(member_turn: MemberTurn, grouping: Grouping) -> str:
    """The key of a signal's audience: its pager, whether it is real, and its owner where the policy groups by owner."""
    owner = _value(member_turn.notice, By.OWNER) if By.OWNER in grouping.by else None
    return fingerprint_of("whose", *_parts_of(member_turn.audience), owner or "")


def _parts_of(audience: Audience) -> tuple[str, str]:
    return audience.pager or "", "sample" if audience.sample else "real"


def common_values_of(notice: Notice, grouping: Grouping) -> tuple[tuple[str, str], ...]:
    """What the signals of a group have in common, name by name."""
    return tuple((by.value, value[:LONGEST]) for by in grouping.by if (value := _value(notice, by)) is not None)


def _names_around(notice: Notice, by: By | ByTag) -> tuple[str, ...]:
    """Where a name lies that strangers can give to things of theirs as well: only there it stands for one thing."""
    around = tuple(place or "" for place in (notice.subscription, notice.account, notice.project))
    match by:
        case By.ENTITY:
            is_known = notice.resource is not None and find_subscription_id(notice.resource) is None
            return (notice.resource or "",) if is_known else (*around, _value(notice, By.OWNER) or "")
        case By.RESOURCE_GROUP | By.CLUSTER:
            return around
        case By.CONNECTOR:
            return around[:1]
        case By.NAMESPACE:
            return (*around, notice.cluster or "")
        case _:
            return ()


def _value(notice: Notice, by: By | ByTag) -> str | None:
    match by:
        case ByTag():
            return notice.tags.get(by.name) or None
        case By.ALERT_TYPE:
            return notice.type or None
        case By.RESOURCE | By.SUBSCRIPTION | By.CORRELATION | By.ACCOUNT | By.PROJECT | By.CLUSTER | By.CONNECTOR:
            value: str | None = getattr(notice, by.value)
            return value
        case By.TACTICS:
            return ", ".join(tactic.id for tactic in notice.tactics) or None
        case By.ENTITY:
            return notice.compromised_entity or notice.resource
        case By.OWNER:
            owner = notice.owner
            return " / ".join(filter(None, (owner.group, owner.service))) if owner is not None else "nobody"
        case By.INCIDENT:
            return None
        case By.CATEGORY:
            return notice.category or notice.kind
        case By.PACKAGE | By.CVE | By.RISK if notice.kind != Kind.RECOMMENDATION:
            # What other findings say of these is for people: groups that stand open are known by what they were before.
            return notice.title or None if by is By.PACKAGE else None
        case By.PACKAGE:
            return notice.package.name if notice.package is not None else notice.title or None
        case By.CVE:
            # What is not named could be anything, so a list that was cut is like no other.
            return ", ".join(notice.cves) or None if not notice.has_more_cves else None
        case By.RISK:
            return notice.risk.level.label if notice.risk is not None and notice.risk.level is not None else None
        case By.RESOURCE_GROUP:
            # In an id of what is in another cloud it is the group of the connector.
            is_elsewhere = is_connected(notice.resource) or find_cloud_in([notice.cloud or ""]) is not None
            return notice.resource_group if not is_elsewhere else None
        case By.NAMESPACE:
            return ", ".join(sorted(notice.namespaces, key=str.casefold)) or None
