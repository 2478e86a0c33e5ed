"""docs/messages.md says what the code makes of a message."""

from __future__ import annotations

import inspect
import re

from router.cli.decisions import KEYS
from router.decide.decision import NOTED_KINDS
from router.domain import keys
from router.domain.catalogue import Catalogue
from router.domain.decisions import Code, Outcome, StepCode
from router.domain.posture import Cves, Package
from router.domain.severity import Severity
from router.domain.signals import Finding, Kind
from router.parse import read_signals
from router.parse.bodies import LARGEST_BODY, MOST_ELEMENTS
from tests.docs.pages import column, page, pairs, spans

PAGE = page("docs/messages.md")


def test_every_kind_of_signal_is_listed_with_its_stream() -> None:
    """Kinds, their streams, and which of them are never resolved and have no severity."""
    table = PAGE.table("Reading", "kind")
    assert {spans(row["kind"])[0]: spans(row["stream"])[0] for row in table} == {
        kind.value: kind.stream.value for kind in Kind
    }
    numbers = {kind.value for kind in NOTED_KINDS}
    for head, word in (("resolved when", "never"), ("severity from", "none")):
        assert {spans(row["kind"])[0] for row in table if row[head] == word} == numbers


def test_the_picture_shows_every_kind_and_every_outcome() -> None:
    """What Defender sends is drawn with what becomes of it."""
    (picture,) = [fence.text for fence in PAGE.fences if fence.language == "mermaid"]
    words = set(re.findall(r"[a-z_]+", picture))
    assert {kind.value for kind in Kind} <= words
    assert {"quarantine" if one is Outcome.QUARANTINED else one.value for one in Outcome} <= words


def test_the_recommendation_that_is_shown_is_read_whole() -> None:
    """Whoever writes one after this example has a package, CVEs and a risk."""
    (finding,) = read_signals(PAGE.fence("individual-recommendation.json").encode(), Catalogue())
    assert isinstance(finding, Finding)
    assert (finding.category, finding.package) == (
        "SoftwareUpdate",
        Package(name="lodash", type="npm", installed=("4.17.15",), fixed="4.17.21", fix_status="FixAvailable"),
    )
    assert (finding.cves, finding.scanner) == (Cves(ids=("CVE-2026-1111", "CVE-2026-2222")), "mdvm")
    assert (finding.severity, finding.level, finding.snapshot) == (Severity.HIGH, Severity.CRITICAL, True)


def test_every_outcome_is_listed() -> None:
    """The outcomes are those of the code."""
    assert column(PAGE.table("Deciding", "outcome"), "outcome") == [outcome.value for outcome in _as_listed()]


def _as_listed() -> list[Outcome]:
    order = ("quarantined", "resolved", "noted", "below_floor", "suppressed", "routed", "repeat")
    assert set(order) == {outcome.value for outcome in Outcome}
    return [Outcome(name) for name in order]


def test_every_reason_code_is_listed_with_an_outcome() -> None:
    """The codes are those of the code, each with an outcome that there is."""
    table = PAGE.table("Deciding", "code")
    assert set(column(table, "code")) == {code.value for code in Code}
    assert len(table) == len(Code)
    assert set(column(table, "with outcome")) == {outcome.value for outcome in Outcome}


def test_every_step_is_listed_with_the_outcome_that_it_settles() -> None:
    """The codes are those of the code, in its order, and each either settles an outcome that there is or does not settle."""
    table = PAGE.table("Deciding", "step")
    assert column(table, "step") == [code.value for code in StepCode]
    settled = {spans(row["then"])[0] for row in table if spans(row["then"])}
    assert settled == {outcome.value for outcome in Outcome}
    assert {row["then"] for row in table if not spans(row["then"])} == {"asked on", "stays"}


def test_the_longest_body_is_as_told() -> None:
    """`too_large` names the limit that the reader has."""
    told = pairs(PAGE.table("Deciding", "code"), "code", "means")["too_large"]
    assert told == f"longer than {LARGEST_BODY // 2**20} MiB, or of more than {MOST_ELEMENTS:,} elements"


def test_every_key_is_listed() -> None:
    """The keys are those that router/domain/keys.py makes."""
    made = [name for name, value in vars(keys).items() if inspect.isfunction(value) and not name.startswith("_")]
    assert column(PAGE.table("Keys", "key"), "key") == made


def test_the_record_has_the_keys_that_are_told() -> None:
    """A line of the decisions file has these keys in this order."""
    listed = next(block for block in PAGE.section("The record").split("\n\n") if block.startswith("`id`"))
    assert tuple(spans(listed)) == KEYS
