"""What stores ask of the cards of groups, whatever they keep them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from router.domain.groups import Cards, GroupCard, MemberCard, SlotCard

type Card = MemberCard | GroupCard | SlotCard

TYPES = ("MemberCard", "GroupCard", "SlotCard")
"""The types of cards by name, in the order in which `Cards` has them."""


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
