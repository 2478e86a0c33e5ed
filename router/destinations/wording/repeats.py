"""What a notice would say twice: sentences that its headline says, properties that its facts tell, addresses among its links.

A property counts as told only where a fact has its value, whole, under a name that means the same; data (rows, documents) keep
both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from router.destinations.wording.evidence import evidence_beside
from router.domain.notices import Notice
from router.domain.properties import property_key

_SENTENCE = re.compile(r"\s*(?P<words>.{1,300}?)(?:[.:!?](?=\s|\Z)\s*|\Z)", re.DOTALL)
_WORD = re.compile(r"[^\W_]+")
_STEM = 5  # characters by which words are compared: `detected` is `detection`
_EMPTY = frozenset(
    word[:_STEM]
    for word in _WORD.findall(
        "a an the this that these is was were are be been has have had on in at to of by for from with and or s your it its "
        "may might possible potential potentially detected observed found identified indicates performed generated someone "
        "suspicious suspected anomalous unusual analysis host data machine logs system resource environment "
        "azure microsoft defender cloud security center"
    )
)
"""Words that say nothing beside a headline."""


def without_repeated(description: str, headline: str) -> str:
    """A description without the first sentences that say nothing beside the headline."""
    told = _EMPTY.union(word[:_STEM] for word in _WORD.findall(headline.casefold()))
    text = description.strip()
    while text and (first := _SENTENCE.match(text)) is not None:
        if any(word[:_STEM] not in told for word in _WORD.findall(first["words"].casefold())):
            break
        text = text[first.end() :]
    return text


def evidence_once(notice: Notice) -> Mapping[str, tuple[str, ...]]:
    """The lists of evidence beside the resource; of a report that is a link, they have only the name."""
    lists = evidence_beside(notice)
    if not notice.links or "threats" not in lists:
        return lists
    return {**lists, "threats": tuple(_without_link(threat, notice) for threat in lists["threats"])}


def properties_once(notice: Notice) -> tuple[str, ...]:
    """The names of the properties that stand in no list of evidence, and that no fact tells."""
    facts = _facts_of(notice)
    return tuple(
        name
        for name in notice.unlisted
        if name in notice.extended and not _are_all((notice.extended[name],), facts.get(property_key(name), ()))
    )


def _facts_of(notice: Notice) -> Mapping[str, tuple[str | None, ...]]:
    """What facts tell whole, by the keys of the properties that say the same."""
    package, rule = notice.package, notice.rule
    return {
        "softwarename": (package.name,) if package else (),
        "packagetype": (package.type,) if package else (),
        "detectedsoftwareversions": (", ".join(package.installed),) if package else (),
        "fixedversion": (package.fixed,) if package else (),
        "maxcvssscore": (notice.cvss,),
        "scanner": (notice.scanner,),
        "secretscannername": (notice.scanner,),
        "impact": (notice.impact,),
        "ruleid": (rule.id,) if rule else (),
        "sqlserverinstance": (rule.server,) if rule else (),
        "entrypoint": notice.entry_points,
        "target": notice.targets,
    }


def _are_all(values: Iterable[str], told: Iterable[str | None]) -> bool:
    known = {one.strip().casefold() for one in told if one}
    return all(value.strip().casefold() in known for value in values)


def _without_link(threat: str, notice: Notice) -> str:
    """`Report: GOLD` of `Report: GOLD: https://...`, where that page is one of the links."""
    return next((name for link in notice.links if (name := threat.removesuffix(f": {link.url}")) != threat), threat)
