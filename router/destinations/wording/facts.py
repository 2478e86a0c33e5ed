"""The facts of a notice in words: times, evidence, what a recommendation says, what is not watched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import asdict

from router.destinations.wording.escaping import read_table
from router.domain.coverage import Rung
from router.domain.evidence import Evidence, property_key
from router.domain.notices import Notice
from router.domain.posture import Image, Package, Risk
from router.domain.recommendations import find_missing_rung, find_recommendation
from router.domain.signals import Kind
from router.domain.values import Value


class Fact(Value):
    """What is known under a name, each value a text by itself.

    `is_code` is whether people copy the values into a shell or a search.
    """

    name: str
    values: tuple[str, ...]
    is_code: bool = False


def owner_words(notice: Notice) -> str | None:
    """Who answers for the resource: `payments-platform / Payments`."""
    owner = notice.owner
    return " / ".join(filter(None, (owner.group, owner.service))) or None if owner else None


def time_words(written: str | None, timespec: str = "minutes") -> str | None:
    """A time that is written in ISO 8601, as people read it: `2026-11-24 11:58 UTC`; what is no time stays as it is.

    To "seconds" where signals of one minute are to have an order.
    """
    time = find_time(written)
    return f"{time.isoformat(' ', timespec).removesuffix('+00:00')} UTC" if time is not None else written


def length_words(length: timedelta) -> str:
    """A length of time in its two largest units, as far as they are not nothing: `2 days 4 h`, `12 min`."""
    minutes = length // timedelta(minutes=1)
    counts = (minutes // 1440, "days" if minutes >= 2880 else "day"), (minutes // 60 % 24, "h"), (minutes % 60, "min")
    first = next((at for at, (count, _) in enumerate(counts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in counts[first : first + 2] if count) or "less than a minute"


def find_time(written: object) -> datetime | None:
    """The instant of a text in ISO 8601, in UTC where it names no zone; None for anything else."""
    try:
        time = datetime.fromisoformat(written) if isinstance(written, str) else None
        return time if time is None else time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


EVIDENCE = Evidence.__struct_fields__
"""The names of the lists of evidence, in the order in which a responder asks for them."""

CODE = frozenset({"commands", "files", "hashes", "processes", "queries", "registry_keys", "registry_values"})
"""The lists whose texts people copy into a shell or a search: they are shown in letters of one width where there are any."""

_TITLES = {"ips": "IP addresses", "urls": "URLs"}


def evidence_of(notice: Notice) -> Mapping[str, tuple[str, ...]]:
    """The lists of evidence that are not empty, by name."""
    evidence = notice.evidence
    return {name: values for name in EVIDENCE if (values := getattr(evidence, name))}


def title_of(name: str) -> str:
    """What people read a list of evidence called."""
    return _TITLES.get(name) or name.replace("_", " ").capitalize()


_CVES = 5  # that words name
_FIX: Mapping[bool | None, str] = {True: "available", False: "none is known"}
_VALUES = ("package", "image", "rule", "risk")


def posture_of(notice: Notice) -> dict[str, Any]:
    """All of it by the names of `Notice` and of its values; every key is always there, as in `document_of`."""
    values = {name: None if (value := getattr(notice, name)) is None else asdict(value) for name in _VALUES}
    risk = notice.risk
    if risk is not None:
        values["risk"] = {**asdict(risk), "level": risk.level.label if risk.level is not None else None}
    return {
        "category": notice.category,
        "cves": notice.cves,
        "has_more_cves": notice.has_more_cves,
        "scanner": notice.scanner,
        **values,
    }


def words_of_posture(notice: Notice) -> Mapping[str, str | None]:
    """In words, by the name of each fact; None for what is not known. Effort is `Low, impact on users: Moderate`."""
    rule = notice.rule
    where = "/".join(filter(None, (rule.server, rule.database))) if rule else ""
    users = f"impact on users: {notice.user_impact}" if notice.user_impact else None
    return {
        "Risk": risk_words(notice.risk),
        "Category": notice.category,
        "Package": package_words(notice.package),
        "CVEs": _cve_words(notice),
        "Image": image_words(notice.image),
        "Rule": f"{rule.id} on {where}" if rule and where else rule.id if rule else None,
        "Scanner": notice.scanner,
        "Fix": _FIX.get(notice.has_fix),
        "Effort": ", ".join(filter(None, (notice.effort, users))) or None,
        "Threats": ", ".join(notice.threats) or None,
    }


def risk_words(risk: Risk | None) -> str | None:
    """How much is at stake and why: `Critical (Exposure to the Internet)`."""
    if risk is None:
        return None
    level = risk.level.label if risk.level is not None else risk.written or "Not evaluated"
    paths = len(risk.attack_paths)
    on_paths = [f"on {paths} attack paths" if paths > 1 else "on an attack path"] if paths else []
    if risk.factors or on_paths:
        return f"{level} ({', '.join((*risk.factors, *on_paths))})"
    # Without Defender CSPM it says no more than the severity.
    return level if risk.is_contextual else f"{level} (by its severity)"


def image_words(image: Image | None) -> str | None:
    """The image as a registry knows it: `shop.azurecr.io/web:1.4@sha256:...`; of several tags the first."""
    if image is None:
        return None
    name = "/".join(filter(None, (image.registry, image.repository))) if image.repository else ""
    tagged = ":".join(filter(None, (name, *image.tags[:1]))) if name else ""
    return "@".join(filter(None, (tagged, image.digest))) or None


def package_words(package: Package | None) -> str | None:
    """What is installed, and which version mends it: `lodash (npm) 4.17.15 -> 4.17.21`."""
    if package is None:
        return None
    name = f"{package.name} ({package.type})" if package.type else package.name
    installed = " ".join(filter(None, (name, ", ".join(package.installed))))
    return f"{installed} -> {package.fixed}" if package.fixed else f"{installed}, no fix"


def _cve_words(notice: Notice) -> str | None:
    """The first few, and how many more the notice names; at least so many where there are others."""
    named, more = notice.cves[:_CVES], len(notice.cves[_CVES:])
    others = f"{more} more at least" if more and notice.has_more_cves else f"{more} more" if more else "others"
    return " and ".join(filter(None, (", ".join(named), others if more or notice.has_more_cves else ""))) or None


_SILENT = "coverage.yaml expects it, and nothing was heard of it for too long, so what happens there may tell nobody"
_CHECK = "Ask what else is missing there: alert-router coverage check."


def coverage_words(notice: Notice, *, is_over: bool) -> str | None:
    """Which rung is missing, and what comes of that; None where a notice is not about coverage, or that is over.

    Where the policy makes it another severity than the message, it says so, since people look it up in the portal.
    """
    rung = _find_rung(notice)
    if is_over:
        return None
    if notice.kind == Kind.COVERAGE:
        means = _SILENT
    elif rung is not None:
        means = read_table("wording/title_subjects.toml")["rungs"][rung][0]
    else:
        return None
    return f"{f'{rung}: ' if rung is not None else ''}{means}{_severity_words(notice)}"


def steps_for(notice: Notice, *, is_over: bool) -> tuple[str, ...]:
    """What to do: what the message says, else what mends the rung that is missing; and what is known of a recommendation.

    What the router found by itself it says whole.
    """
    rung = _find_rung(notice)
    if rung is None or is_over or (notice.kind == Kind.COVERAGE and notice.remediation):
        return notice.remediation
    return (
        *(notice.remediation or (read_table("wording/title_subjects.toml")["rungs"][rung][1],)),
        *_remarks(notice),
        _CHECK,
    )


def _find_rung(notice: Notice) -> Rung | None:
    is_told_of = notice.kind in (Kind.RECOMMENDATION, Kind.COVERAGE)
    return find_missing_rung(Kind(notice.kind), notice.type, notice.title) if is_told_of else None


def _remarks(notice: Notice) -> Iterator[str]:
    known = find_recommendation(notice.type, notice.title) if notice.kind == Kind.RECOMMENDATION else None
    if known is not None and known.plan is not None:
        yield f"The plan is {known.plan}."
    if known is not None and known.note:
        yield f"Known of this recommendation: {known.note}."


def _severity_words(notice: Notice) -> str:
    written = (notice.severity_written or "").strip()
    if not written or notice.kind == Kind.COVERAGE or written.lower() == (notice.severity or "").lower():
        return ""
    return f"; {notice.severity} by the policy, Defender says {written}"


def evidence_once(notice: Notice) -> Mapping[str, tuple[str, ...]]:
    """The lists of evidence, without the notice's own resource; of a report that is a link, they have only the name."""
    told, lists = (notice.resource or "").casefold(), dict(evidence_of(notice))
    lists["resources"] = tuple(one for one in lists.get("resources", ()) if one.casefold() != told)
    if notice.links and "threats" in lists:
        lists["threats"] = tuple(_without_link(threat, notice) for threat in lists["threats"])
    return {name: values for name, values in lists.items() if values}


def properties_once(notice: Notice) -> tuple[str, ...]:
    """The names of the properties that stand in no list of evidence, and that no fact tells."""
    facts = _facts_of(notice)

    def is_fact(name: str) -> bool:
        told = facts.get(property_key(name), ())
        return notice.extended[name].strip().casefold() in {one.strip().casefold() for one in told if one}

    return tuple(name for name in notice.unlisted if name in notice.extended and not is_fact(name))


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


def _without_link(threat: str, notice: Notice) -> str:
    """`Report: GOLD` of `Report: GOLD: https://...`, where that page is one of the links."""
    return next((name for link in notice.links if (name := threat.removesuffix(f": {link.url}")) != threat), threat)
