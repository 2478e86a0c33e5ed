"""A notice as details by name, for vendors that show such a table and have rules on it."""

from __future__ import annotations

from typing import Any

from router.destinations.wording.briefing import Briefing, tactics_of
from router.destinations.wording.evidence import evidence_of
from router.destinations.wording.headlines import reporter_of, severity_of
from router.destinations.wording.members import count_words
from router.destinations.wording.posture import words_of_posture
from router.domain.notices import Notice
from router.domain.signals import DEFENDER


def details_of(notice: Notice, briefing: Briefing) -> dict[str, Any]:
    """The whole notice by name, what a responder reads first, first; what is not known is left out.

    Names are a contract: rules of pagers may use them.
    """
    owner, posture = notice.owner, words_of_posture(notice)
    members = "\n".join([briefing.members[0], *briefing.members[1]]) if briefing.members is not None else None
    details = {
        "news": briefing.news,
        "description": notice.description,
        "severity": severity_of(notice),
        "risk": posture["Risk"],
        "group": [text for text in (count_words(notice.group) if notice.group else None, members) if text],
        "alerts": notice.alerts,
        "status": notice.status,
        "cause": notice.cause,
        "status_description": notice.status_description,
        "ended_as": notice.closing,
        **{fact.name.lower().replace(" ", "_"): fact.values[0] for fact in briefing.where},
        "resource_type": notice.resource_type,
        **{fact.name.lower().replace(" ", "_"): fact.values[0] for fact in briefing.when},
        "respond_by": notice.respond_by,
        "owner_group": owner.group if owner else None,
        "owner_service": owner.service if owner else None,
        "routes": notice.routes,
        **{name.lower(): words for name, words in posture.items()},
        "cvss": notice.cvss,
        "impact": notice.impact,
        "entry_points": notice.entry_points,
        "targets": notice.targets,
        **evidence_of(notice),
        **{fact.name: fact.values[0] for fact in briefing.others},
        "remediation": notice.remediation,
        "links": [f"{link.text}: {link.url}" if link.url else link.text for link in briefing.links],
        "tactics": tactics_of(notice),
        "techniques": notice.techniques,
        "plan": notice.plan,
        "product": reporter if (reporter := reporter_of(notice)) != DEFENDER else None,
        "kind": notice.kind,
        "id": notice.id,
        "measure": notice.measure,
        "sample": notice.sample,
        "reason": notice.reason,
        "rulebook": notice.rulebook,
    }
    return {name: value for name, value in details.items() if value}
