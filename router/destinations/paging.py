"""Whose key a page goes by: the one that opened it, else the owner's own, else the destination's."""

from __future__ import annotations

from dataclasses import dataclass

from router.destinations.base import handle_of, secret_named
from router.domain.deliveries import Attempt
from router.domain.errors import DeliveryError, Rejected, Unauthorized
from router.domain.notices import Notice


@dataclass(frozen=True, slots=True)
class PagerKeys:
    """The keys that one destination pages with, by the names of their secrets.

    Attributes:
        kind: the name of the destination's kind.
        default: the destination's own key; where it is refused, no page gets through. Any other key is an owner's.
        handle: the handle under which a receipt names the key of its page.
    """

    kind: str
    default: str
    handle: str

    def name_for(self, attempt: Attempt) -> str:
        """The name of the secret to page with; an owner's only where it has a value, since a page must not be silenced."""
        opened_with = handle_of(attempt.opening, self.handle)
        if opened_with is not None:
            return opened_with
        notice = attempt.delivery.content
        owner = notice.owner if isinstance(notice, Notice) else None
        pager = owner.pager if owner is not None else None
        return pager if pager is not None and attempt.secrets.get(pager) else self.default

    def value_of(self, name: str, attempt: Attempt) -> str:
        """The value of a key; raises Unauthorized where the destination's own has none, which troubles every page.

        Raises Rejected for any other: it is the one that opened this page and is no longer named, so only this page cares.
        """
        if name == self.default or attempt.secrets.get(name):
            return secret_named(name, attempt, self.kind)
        raise Rejected(
            f"{self.kind}: the page was opened with {name}, which the rules no longer name; resolve it by hand"
        )

    def refusal_of(self, name: str, error: DeliveryError, status: int) -> DeliveryError:
        """What it means that a key is refused: an owner's troubles nobody else's pages."""
        text = f"{error}; check the secret {name}"
        return Unauthorized(text) if name == self.default else Rejected(text, status=status)
