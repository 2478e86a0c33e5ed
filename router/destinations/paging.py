"""What pagers share: the details of a notice by name, and the key that a page goes by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import replace
from re import Pattern
from typing import Any

from router.destinations.base import handle_of
from router.destinations.requests import Exchange, secret_named, words_in
from router.destinations.wording.facts import Fact, coverage_words, evidence_once, steps_for, words_of_posture
from router.destinations.wording.fitting import fitted, json_size, shorten
from router.destinations.wording.headlines import count_words, reporter_of, severity_of
from router.destinations.wording.notice_text import Briefing, tactics_of
from router.domain.conversation import HttpAnswer
from router.domain.decisions import Change
from router.domain.deliveries import REFUSED_KEY, Attempt, Receipt
from router.domain.errors import DeliveryError, Rejected, Unauthorized
from router.domain.notices import Notice
from router.domain.signals import DEFENDER
from router.domain.values import Value

_PROPERTIES = (1_000, 100, 20, 0)
"""How many properties that stand in no list are told, step by step, until all fits."""

_NAME = 100  # characters of a property's name; ours


def details_of(briefing: Briefing, most: int = _PROPERTIES[0]) -> dict[str, Any]:
    """The whole notice by name, what a responder reads first, first; what is not known is left out.

    Names are a contract: rules of pagers may use them. A property of the signal stands under its own name, with `(property)`
    behind it where that is one of these; `most` of them, and how many more there are.
    """
    first, last = _first(briefing), _last(briefing)
    taken = {name.casefold() for name in (*first, *last)}
    properties: dict[str, Any] = {}
    for fact in briefing.others[:most]:
        name = shorten(f"{fact.name} (property)" if fact.name.casefold() in taken else fact.name, _NAME)
        properties[name] = fact.values[0] if len(fact.values) == 1 else fact.values
    if (more := len(briefing.others) - most) > 0:
        properties["…"] = f"{more} more properties"
    return {name: value for name, value in (first | properties | last).items() if value}


def details_within(
    briefing: Briefing,
    limit: int,
    size: Callable[[Mapping[str, Any]], int] = json_size,
    form: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Mapping[str, Any]:
    """The details in a vendor's form, of at most a size: with fewer properties, and texts and lists cut, until they fit."""
    fitting: Mapping[str, Any] = {}
    for most in _PROPERTIES:
        fitting = fitted(form(details_of(briefing, most)), limit, size)
        if size(fitting) <= limit:
            break
    return fitting


def _first(briefing: Briefing) -> dict[str, Any]:
    """What happened, where, since when, why you, and the evidence."""
    notice, owner = briefing.notice, briefing.notice.owner
    posture, evidence = words_of_posture(notice), evidence_once(notice)
    told = {"description": notice.description, "news": briefing.news}
    group: list[str] = []
    if notice.group is not None and briefing.members is not None:
        title, lines = briefing.members
        group = [count_words(notice.group), "\n".join([title, *(f"- {line}" for line in lines)])]
    return {
        **(told if briefing.change is Change.OPENED else dict(reversed(told.items()))),
        "severity": severity_of(notice),
        "not_watched": coverage_words(notice, is_over=briefing.change is Change.RESOLVED),
        "risk": posture["Risk"],
        "tactics": tactics_of(notice),
        "techniques": notice.techniques,
        "group": group,
        "alerts": notice.alerts,
        "status": notice.status,
        "cause": notice.cause,
        "status_description": notice.status_description,
        "ended_as": notice.closing,
        **_by_name(briefing.where),
        "resource_type": notice.resource_type,
        **_by_name(briefing.when),
        "owner_group": owner.group if owner else None,
        "owner_service": owner.service if owner else None,
        "routes": notice.routes,
        **{name.lower(): words for name, words in posture.items() if words and name != "Threats"},
        "cvss": notice.cvss,
        "impact": notice.impact,
        "entry_points": notice.entry_points,
        "targets": notice.targets,
        **evidence,
        # What a finding may lead to, and what intelligence says of what an alert names.
        "threats": (*notice.threats, *evidence.get("threats", ())),
    }


def _last(briefing: Briefing) -> dict[str, Any]:
    """What to do, links, and what other tools ask for."""
    notice = briefing.notice
    return {
        "remediation": steps_for(notice, is_over=briefing.change is Change.RESOLVED),
        "links": [f"{link.text}: {link.url}" if link.url else link.text for link in briefing.links],
        "plan": notice.plan,
        "product": reporter if (reporter := reporter_of(notice)) != DEFENDER else None,
        "kind": notice.kind,
        "id": notice.id,
        "measure": notice.measure,
        "sample": notice.sample,
        "reason": notice.reason,
        "rulebook": notice.rulebook,
    }


def _by_name(facts: Sequence[Fact]) -> dict[str, str]:
    return {fact.name.lower().replace(" ", "_"): fact.values[0] for fact in facts}


class KeyRefused(Rejected):
    """A key is refused that is not the destination's own."""


class PagerKeys(Value):
    """The keys that one destination of a kind pages with, by the names of their secrets.

    `default` is the destination's own; where it is refused, no page gets through. Any other key is an owner's. A receipt names
    the key of its page as `handle`; `refusals` is how the vendor's explanation begins where the key is what is wrong.
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
        pager = notice.owner.pager if isinstance(notice, Notice) and notice.owner is not None else None
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
        # The vendor's words say whether the key or the content is wrong.
        is_explained = answer.status in (400, 422) and any(map(self.refusals.match, words_in(answer)))
        # All keys go to one address: where it finds the destination's own and not another one, that other one is wrong.
        is_unknown = answer.status == 404 and name != self.default
        is_refused = answer.status in (401, 402, 403) or is_explained or is_unknown
        return self.refusal_of(name, error, answer.status) if is_refused else error

    def refusal_of(self, name: str, error: DeliveryError, status: int) -> DeliveryError:
        """What it means that a key is refused: an owner's key stops no other page."""
        text = f"{error}; check the secret {name}"
        return Unauthorized(text) if name == self.default else KeyRefused(text, status=status)
