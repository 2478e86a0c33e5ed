"""Findings are alike in their CVEs where all of them are known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from router.decide import decide, notice_for
from router.decide.notice import MOST_CVES
from router.domain.evidence import Evidence
from router.domain.posture import Cves
from router.domain.rulebook import By, Grouping
from router.domain.signals import Stream
from router.grouping.grouping_keys import common_values_of
from tests.builders import NOW, a_finding, a_rulebook

BY_CVE = Grouping((By.CVE,), timedelta(days=1))
FIFTY = tuple(f"CVE-2026-{number:04}" for number in range(MOST_CVES))


@pytest.mark.parametrize(
    ("cves", "is_alike"),
    [
        (Cves(ids=("CVE-2026-1", "CVE-2026-2")), True),
        (Cves(ids=FIFTY), True),
        (Cves(ids=(*FIFTY, "CVE-2026-9999")), False),
        (Cves(ids=("CVE-2026-1",), is_whole=False), False),
        (Cves(ids=()), False),
        (None, False),
    ],
)
def test_what_may_name_more_cves_than_are_known_stands_alone(cves: Cves | None, is_alike: bool) -> None:
    """A list that was cut, in the message or in the notice, could go on as any other."""
    finding, book = replace(a_finding(), cves=cves), a_rulebook(stream=Stream.CSPM)
    notice = notice_for(finding, Evidence(), decide(finding, book, NOW), book, "key", 1)
    assert bool(common_values_of(notice, BY_CVE)) is is_alike
    assert notice.has_more_cves is (cves is not None and (not cves.is_whole or len(cves.ids) > MOST_CVES))
