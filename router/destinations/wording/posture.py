"""What an individual recommendation says beside what every finding says: as data, and in a few words each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from router.domain.notices import Notice
from router.domain.posture import Image, Package, Risk

_CVES = 5  # that words name
_FIX: Mapping[bool | None, str] = {True: "available", False: "none is known"}
_VALUES = ("package", "image", "rule", "risk")


def posture_of(notice: Notice) -> dict[str, Any]:
    """All of it by the names of `Notice` and of its values; every key is always there, as in `document_of`."""
    values = {name: _values_of(getattr(notice, name)) for name in _VALUES}
    risk = notice.risk
    if risk is not None:
        values["risk"] = {**(values["risk"] or {}), "level": risk.level.label if risk.level is not None else None}
    return {
        "category": notice.category,
        "cves": notice.cves,
        "has_more_cves": notice.has_more_cves,
        "scanner": notice.scanner,
        **values,
    }


def words_of_posture(notice: Notice) -> Mapping[str, str | None]:
    """In words, by the name of each fact; None for what is not known."""
    rule = notice.rule
    where = "/".join(filter(None, (rule.server, rule.database))) if rule else ""
    return {
        "Risk": risk_words(notice.risk),
        "Category": notice.category,
        "Package": package_words(notice.package),
        "CVEs": _cve_words(notice),
        "Image": image_words(notice.image),
        "Rule": f"{rule.id} on {where}" if rule and where else rule.id if rule else None,
        "Scanner": notice.scanner,
        "Fix": _FIX.get(notice.has_fix),
        "Effort": _effort_words(notice),
        "Threats": ", ".join(notice.threats) or None,
    }


def _effort_words(notice: Notice) -> str | None:
    """How much work it is to mend it, and how much users notice of that: `Low, impact on users: Moderate`."""
    users = f"impact on users: {notice.user_impact}" if notice.user_impact else None
    return ", ".join(filter(None, (notice.effort, users))) or None


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


def _values_of(value: Any) -> dict[str, Any] | None:
    return {one.name: getattr(value, one.name) for one in fields(value)} if value is not None else None
