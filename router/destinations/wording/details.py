"""A notice as details by name, for vendors that show such a table and have rules on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from router.destinations.wording.briefing import Briefing, Fact, tactics_of
from router.destinations.wording.coverage import coverage_words, steps_for
from router.destinations.wording.fitting import fitted, json_size, shorten
from router.destinations.wording.headlines import reporter_of, severity_of
from router.destinations.wording.members import count_words
from router.destinations.wording.posture import words_of_posture
from router.destinations.wording.repeats import evidence_once
from router.domain.decisions import Change
from router.domain.notices import Notice
from router.domain.signals import DEFENDER

_PROPERTIES = (1_000, 100, 20, 0)
"""How many properties that stand in no list are told, step by step, until all fits."""

_NAME = 100
"""Characters of a property's name; ours."""


def details_of(briefing: Briefing, most: int = _PROPERTIES[0]) -> dict[str, Any]:
    """The whole notice by name, what a responder reads first, first; what is not known is left out.

    Names are a contract: rules of pagers may use them. A property of the signal stands under its own name, with `(property)`
    behind it where that is one of these; `most` of them, and how many more there are.
    """
    first, last = _first(briefing.notice, briefing), _last(briefing.notice, briefing)
    taken = {name.casefold() for name in (*first, *last)}
    properties: dict[str, Any] = {}
    for fact in briefing.others[:most]:
        name = shorten(f"{fact.name} (property)" if fact.name.casefold() in taken else fact.name, _NAME)
        properties[name] = fact.values[0] if len(fact.values) == 1 else fact.values
    if more := len(briefing.others) - most:
        properties |= {"…": f"{more} more properties"} if more > 0 else {}
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


def _first(notice: Notice, briefing: Briefing) -> dict[str, Any]:
    """What happened, where, since when, why you, and the evidence."""
    owner, posture, evidence = notice.owner, words_of_posture(notice), evidence_once(notice)
    happened = {"news": briefing.news, "description": notice.description}
    if briefing.change is Change.OPENED:
        happened = {"description": notice.description, "news": briefing.news}
    return {
        **happened,
        "severity": severity_of(notice),
        "not_watched": coverage_words(notice, is_over=briefing.change is Change.RESOLVED),
        "risk": posture["Risk"],
        "tactics": tactics_of(notice),
        "techniques": notice.techniques,
        "group": _group(notice, briefing),
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


def _last(notice: Notice, briefing: Briefing) -> dict[str, Any]:
    """What to do, links, and what other tools ask for."""
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


def _group(notice: Notice, briefing: Briefing) -> list[str]:
    if notice.group is None or briefing.members is None:
        return []
    title, lines = briefing.members
    return [count_words(notice.group), "\n".join([title, *(f"- {line}" for line in lines)])]
