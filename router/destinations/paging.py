"""Whose key a page goes by: the one that took it, else the owner's own, else, or where that is refused, the destination's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from re import Pattern

from router.destinations.answers import words_in
from router.destinations.base import Exchange, handle_of, secret_named
from router.domain.conversation import HttpAnswer
from router.domain.decisions import Change
from router.domain.deliveries import REFUSED_KEY, Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized
from router.domain.notices import Notice

_REFUSED = frozenset({401, 402, 403})
_EXPLAINED = frozenset({400, 422})
"""The statuses of what is wrong with the key or with the content: the vendor's words say with which."""


class KeyRefused(Rejected):
    """A key is refused that is not the destination's own."""


@dataclass(frozen=True, slots=True)
class PagerKeys:
    """The keys that one destination pages with, by the names of their secrets.

    Attributes:
        kind: the name of the destination's kind.
        default: the destination's own key; where it is refused, no page gets through. Any other key is an owner's.
        handle: the handle under which a receipt names the key of its page.
        refusals: how the vendor's explanation begins where the key is what is wrong.
    """

    kind: str
    default: str
    handle: str
    refusals: Pattern[str]

    def page(self, attempt: Attempt, send: Callable[[str], Exchange[Receipt]]) -> Exchange[Receipt]:
        """The exchange that pages; `send` does it by the key of a name.

        Where an owner's key is refused, the destination's own pages, and what follows goes by that. A resolution goes by every
        key that has the page open, and raises KeyRefused where one of them is refused: no other key would close that page.
        """
        first, *others = self._names_for(attempt)
        is_over = attempt.delivery.change is Change.RESOLVED
        try:
            receipt = yield from send(first)
        except KeyRefused:
            if is_over:
                raise
            receipt = yield from send(self.default)
            return replace(receipt, handles={**receipt.handles, REFUSED_KEY: first})
        for name in others if is_over else ():
            yield from send(name)
        return receipt

    def _names_for(self, attempt: Attempt) -> list[str]:
        """The names of the keys that took the page, the last one first; of the one to begin with, where none did."""
        took = (attempt.background.handles.get(self.handle), handle_of(attempt.opening, self.handle))
        if names := list(dict.fromkeys(filter(None, took))):
            return names
        notice = attempt.delivery.content
        owner = notice.owner if isinstance(notice, Notice) else None
        pager = owner.pager if owner is not None else None
        return [pager if pager is not None and attempt.secrets.get(pager) else self.default]

    def value_of(self, name: str, attempt: Attempt) -> str:
        """The value of a key; raises Unauthorized where the destination's own has none, which troubles every page.

        Raises KeyRefused for any other: it is the one that opened this page and is no longer named.
        """
        if name == self.default or attempt.secrets.get(name):
            return secret_named(name, attempt, self.kind)
        raise KeyRefused(
            f"{self.kind}: the page was opened with {name}, which the rules no longer name; resolve it by hand"
        )

    def error_by(self, name: str, error: DeliveryError, answer: HttpAnswer) -> DeliveryError:
        """What the error of an answer means to which a key was sent: the key's refusal, unless the content is what is wrong."""
        is_explained = answer.status in _EXPLAINED and any(map(self.refusals.match, words_in(answer)))
        # All keys go to one address: where it finds the destination's own and not another one, that other one is wrong.
        is_unknown = answer.status == 404 and name != self.default
        if answer.status in _REFUSED or is_explained or is_unknown:
            return self.refusal_of(name, error, answer.status)
        return error

    def refusal_of(self, name: str, error: DeliveryError, status: int) -> DeliveryError:
        """What it means that a key is refused: an owner's troubles nobody else's pages."""
        text = f"{error}; check the secret {name}"
        return Unauthorized(text) if name == self.default else KeyRefused(text, status=status)
