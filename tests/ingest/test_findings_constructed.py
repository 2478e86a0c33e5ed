"""What changes of an individual recommendation make of it; all of these messages are constructed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from router.domain.fingerprints import find_fingerprint
from router.domain.signals import Stream
from tests.builders import a_finding, a_message, a_rulebook
from tests.constructed.posture import a_recommendation, a_risk, a_software_update, cves_of
from tests.ingest.test_intake import Build, build, outcomes  # noqa: F401  A fixture.
from tests.parse.messages import a_secure_score, read_finding

ONE, TWO, THREE = (f"CVE-2026-100{number}" for number in (1, 2, 3))


def of(*cves: str, **changes: Any) -> Any:
    """A software update with some CVEs."""
    return a_software_update(cves, **changes)


@pytest.mark.parametrize(
    ("first", "then", "notice"),
    [
        (of(ONE, TWO), of(ONE, TWO, THREE), "updated"),
        (of(ONE, TWO), of(ONE), "updated"),
        (of(ONE), of(), "updated"),
        (of(ONE), of(ONE, additional={"FixedVersion": ""}), "updated"),
        (of(ONE), of(ONE, additional={"FixedVersion": "5.0"}), "updated"),
        (of(ONE), of(ONE, risk=a_risk()), "updated"),
        (of(ONE, risk=a_risk()), of(ONE, risk=a_risk(level="High")), "updated"),
        (of(ONE, risk=a_risk()), of(ONE, risk=a_risk(isContextualRisk=False)), "updated"),
        (of(ONE), of(ONE, additional={"CvesDetails": cves_of(ONE)[:-1]}), "updated"),
        (of(ONE, TWO), of(TWO, ONE), None),
        (of(ONE, TWO), of(TWO, ONE, TWO), None),
        (of(ONE), of(ONE, additional={"CvesDetails": [{"cveId": ONE.lower()}]}), None),
        (of(ONE), of(ONE, risk=a_risk(level="None")), None),
        (of(ONE, risk=a_risk()), of(ONE, risk=orjson.dumps(a_risk(riskFactors=[])).decode()), None),
        (of(ONE), of(ONE, additional={"ScannersDetails": {}, "MaxCvssScore": "9.9"}), None),
    ],
)
def test_what_is_said_of_cves_fix_and_risk_is_part_of_the_state(
    build: Build,  # noqa: F811
    first: Any,
    then: Any,
    notice: str | None,
) -> None:
    """Other CVEs, another version that mends it and another level are an update; the same in another form is a repeat."""
    house = build(a_rulebook(stream=Stream.CSPM))
    told = [outcomes(house.ingest(a_message(orjson.dumps(message)))) for message in (first, then, then)]
    assert told[0] == [("routed", "opened")]
    assert told[1:] == [[("routed", notice) if notice else ("repeat", None)], [("repeat", None)]]


@pytest.mark.parametrize(
    "build_message",
    [
        lambda: a_recommendation("HostMisconfigurations"),
        lambda: a_recommendation(None),
        lambda: of(additional={"FixedVersion": "", "ScannersDetails": None}),
        lambda: of(ONE, code="Healthy"),
        lambda: of(ONE, code="NotApplicable", risk=a_risk()),
        lambda: of(ONE, action="Delete"),
        lambda: a_recommendation(None, risk=a_risk(level="Not evaluated")),
    ],
)
def test_what_says_nothing_of_it_or_is_over_has_no_fingerprint(build_message: Callable[[], Any]) -> None:
    """So that what older state knows is not changed by reading more, and a Healthy row without its CVEs changes nothing."""
    assert find_fingerprint(read_finding(build_message())) is None


def test_a_classic_finding_and_a_score_keep_their_state() -> None:
    """A finding as it was sent before has no fingerprint; a score is known by its numbers."""
    assert find_fingerprint(a_finding()) is None
    assert read_finding(a_secure_score()).measure == "33.41/58"
