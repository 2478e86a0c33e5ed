"""What stores ask of the cards of groups, whatever they keep them in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from router.domain.damage import Past
from router.domain.decisions import Change
from router.domain.errors import Undecodable
from router.domain.groups import Board, Cards, GroupCard, MemberCard, SlotCard
from router.domain.notices import Group
from router.domain.signals import Severity
from router.store import forms
from router.store.codec import decode

type Card = MemberCard | GroupCard | SlotCard

TYPES = (forms.MEMBER_CARD, forms.GROUP_CARD, forms.SLOT_CARD)
"""The tags of cards, in the order in which `Cards` has them."""


def card_of(type: str, body: bytes) -> Card:
    """The card of a type that a body holds; raises Undecodable."""
    if type not in TYPES:
        raise Undecodable("type: is no card's")
    card: Card = decode(type, body)
    return card


def mended_card(
    type: str, key: str, others: Sequence[tuple[str, Card]], past: Sequence[Past], now: datetime
) -> Card | None:
    """What stands in the place of a damaged card, as far as the others on its board know; None where they do not.

    A group has as many members as cards say, and the turns that its deliveries bear. A member is in the group that names it,
    with no turn that went in, so that its next one does. A slot is left: the next signal of its values opens.
    """
    match type:
        case forms.MEMBER_CARD:
            group = _find_group(key, others)
            return MemberCard(group=group, turn=0, stands=True, told=None, at=now) if group is not None else None
        case forms.GROUP_CARD:
            members = [card for _, card in others if isinstance(card, MemberCard) and card.group == key]
            if not members:
                return None
            standing = sum(card.stands for card in members)
            last = max(past, key=lambda one: one.turn, default=None)
            return GroupCard(
                group=Group(by=(), total=len(members), standing=standing, named=()),
                turn=last.turn if last is not None else 0,
                opened=last.opened if last is not None else 0,
                is_open=last is not None and last.change is not Change.RESOLVED,
                # Whatever comes is graver, and at a pager opens.
                severity=min(Severity).label,
                severity_written=None,
                respond_by=None,
                at=now,
            )
    return None


def mended_board(standing: Mapping[str, GroupCard]) -> Board:
    """What stands in the place of a damaged board, as far as the cards of its groups know.

    It forgot how often it opened lately, which makes nobody hear less.
    """
    held = {key: card for key, card in standing.items() if card.waiting is not None}
    return Board(
        waiting=tuple(key for key, card in held.items() if not card.is_open),
        admitted=tuple(key for key, card in held.items() if card.is_open),
    )


def _find_group(key: str, others: Sequence[tuple[str, Card]]) -> str | None:
    """The group that names a member, else the only one that counts more members than cards are left of."""
    standing = {name: card for name, card in others if isinstance(card, GroupCard) and card.group.standing > 0}
    left = Counter(card.group for _, card in others if isinstance(card, MemberCard) and card.stands)
    short = [name for name, card in standing.items() if card.group.standing > left[name]]
    naming = (name for name, card in standing.items() if any(one.key == key for one in card.group.named))
    return next(naming, short[0] if len(short) == 1 else None)


def typed(cards: Cards) -> Iterator[tuple[str, str, Card]]:
    """Each card with its type and its key."""
    kept: tuple[Mapping[str, Card], ...] = (cards.members, cards.groups, cards.slots)
    for type, some in zip(TYPES, kept, strict=True):
        for key, card in some.items():
            yield type, key, card


def standing_of(card: Card) -> int:
    """How many signals a card stands for that still stand: nothing of it may be taken away before there are none."""
    match card:
        case MemberCard():
            return int(card.stands)
        case GroupCard():
            return card.group.standing
        case SlotCard():
            return 0


def at_of(card: Card) -> datetime:
    """When a card was last of use, as far as time tells."""
    return card.until if isinstance(card, SlotCard) else card.at
