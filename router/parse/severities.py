"""How severe a finding is: what it gives, else the gravest of its CVEs, else Medium.

`metadata` may be missing from an assessment, and the severity with it. What the message gives counts before its CVEs, all of
which are "Unknown" for some images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from router.domain.severity import ASSUMED, Severity, severity_named
from router.parse.cves import elements_in
from router.parse.cvss import find_cvss
from router.parse.fields import Fields, fields_in, text_in

_BANDS = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))
"""The least base score of each severity: https://nvd.nist.gov/vuln-metrics/cvss"""


class FoundSeverity(NamedTuple):
    """The severity of a finding, and what the message gives, also where that is not known."""

    severity: Severity
    written: str | None


def find_severity(given: Iterable[str | None], additional: Fields | None = None) -> FoundSeverity:
    """The first severity of several that is known, else that of the CVEs in additional data, else Medium."""
    first = None
    for written in given:
        if (severity := severity_named(written)) is not None:
            return FoundSeverity(severity, written)
        first = first or written
    return FoundSeverity(max(_severities_in(additional), default=ASSUMED) if additional else ASSUMED, first)


def severities_given(fields: Fields, additional: Fields) -> Iterator[str | None]:
    """The severities that a message gives: first in some fields, then in additional data.

    Its place there depends on the scanner: on top, under Data, or under vulnerabilityDetails.
    """
    yield text_in(fields, "severity")
    for inner in (additional, fields_in(additional.get("data")), fields_in(additional.get("vulnerabilitydetails"))):
        yield text_in(inner, "severity")


def _severities_in(additional: Fields) -> Iterator[Severity]:
    """The severities of CVEs: that of each which says it, else by its score; and by the score of the whole."""
    for element in elements_in(additional.get("cvesdetails")):
        severity = severity_named(text_in(element, "severity")) or _severity_by(find_cvss(element))
        if severity is not None:
            yield severity
    if (severity := _severity_by(find_cvss(additional))) is not None:
        yield severity


def _severity_by(cvss: str | None) -> Severity | None:
    """The severity that a base score stands for: `9.1 (CVSS 3.1)`. CVSS 2 knows none above High."""
    if cvss is None:
        return None
    score, _, version = cvss.partition(" (CVSS ")
    severity = next((severity for least, severity in _BANDS if float(score) >= least), None)
    return min(severity, Severity.HIGH) if severity is not None and version.startswith("2") else severity
