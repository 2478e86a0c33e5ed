"""What people read of software, CVEs and risk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from router.destinations.base import document_of
from router.destinations.paging import details_of
from router.destinations.wording.changes import ending_of
from router.destinations.wording.facts import image_words, package_words, risk_words, words_of_posture
from router.destinations.wording.headlines import headline
from router.destinations.wording.plain_text import text_of
from router.domain.notices import Group, NamedMember
from router.domain.posture import DatabaseRule, Image, Package, Risk
from router.domain.severity import Severity
from tests.destinations.builders import NOW, a_briefing, a_delivery, a_finding, a_software_update


def fact(name: str, **changes: Any) -> str | None:
    """One fact of a software update."""
    briefing = a_briefing(a_software_update(**changes))
    facts = {one.name: ", ".join(one.values) for one in (*briefing.what, *briefing.evidence)}
    return facts.get(name)


def test_a_ticket_shows_severity_and_risk() -> None:
    """Both, one after the other, since either alone would mislead."""
    lines = text_of(a_briefing(a_software_update()), 10_000).splitlines()
    at = lines.index("Severity: High")
    assert lines[at + 1] == "Risk: Critical (Exposure to the Internet, on an attack path)"
    assert "Category: SoftwareUpdate" in lines
    assert "Package: lodash (npm) 4.17.15 -> 4.17.21" in lines
    assert "CVEs: CVE-2026-1001, CVE-2026-1002" in lines


@pytest.mark.parametrize(
    ("risk", "words"),
    [
        (None, None),
        (Risk(level=Severity.HIGH, is_contextual=True), "High"),
        (Risk(level=Severity.HIGH), "High (by its severity)"),
        (Risk(level=None, written="Not evaluated", is_contextual=True), "Not evaluated"),
        (Risk(level=None, written="None", factors=("Sensitive Data",)), "None (Sensitive Data)"),
        (Risk(level=Severity.HIGH, attack_paths=("a", "b"), is_contextual=True), "High (on 2 attack paths)"),
    ],
)
def test_risk_in_words(risk: Risk | None, words: str | None) -> None:
    """The level as Defender wrote it, with its reasons; one that only repeats the severity says so."""
    assert risk_words(risk) == words


@pytest.mark.parametrize(
    ("package", "words"),
    [
        (None, None),
        (Package(name="lodash"), "lodash, no fix"),
        (Package(name="lodash", installed=("1", "2"), fixed="3"), "lodash 1, 2 -> 3"),
        (Package(name="lodash", type="npm", installed=("1",), fix_status="NoFix"), "lodash (npm) 1, no fix"),
    ],
)
def test_a_package_in_words(package: Package | None, words: str | None) -> None:
    """What is installed and what mends it; where nothing does, that is said."""
    assert package_words(package) == words


@pytest.mark.parametrize(
    ("cves", "has_more", "words"),
    [
        ("", False, None),
        ("abcde", False, "a, b, c, d, e"),
        ("abcdef", False, "a, b, c, d, e and 1 more"),
        ("abcdefg", True, "a, b, c, d, e and 2 more at least"),
        ("a", True, "a and others"),
        ("", True, "others"),
    ],
)
def test_cves_in_words(cves: str, has_more: bool, words: str | None) -> None:
    """The first few, and how many more there are, as far as the notice names them."""
    assert fact("CVEs", cves=tuple(cves), has_more_cves=has_more) == words


def test_an_image_and_a_rule_in_words() -> None:
    """Where they are, as far as that is known."""
    assert fact("Image", image=Image(digest="sha256:ab", repository="shop/web")) == "shop/web@sha256:ab"
    assert fact("Image", image=Image(digest="sha256:ab")) == "sha256:ab"
    assert fact("Rule", rule=DatabaseRule(id="VA1059", server="sql-1", database="orders")) == "VA1059 on sql-1/orders"
    assert fact("Rule", rule=DatabaseRule(id="VA1059")) == "VA1059"


def test_details_and_documents_carry_it_too() -> None:
    """A page's details in words, a webhook's body as data; what is not known is left out of one and null in the other."""
    details = details_of(a_briefing(a_software_update()))
    assert (details["risk"], details["package"]) == (
        "Critical (Exposure to the Internet, on an attack path)",
        "lodash (npm) 4.17.15 -> 4.17.21",
    )
    document = orjson.loads(orjson.dumps(document_of(a_delivery(), a_software_update())))
    assert document["package"] == {
        "name": "lodash",
        "type": "npm",
        "language": "JavaScript",
        "installed": ["4.17.15"],
        "fixed": "4.17.21",
        "fix_status": "FixAvailable",
        "vendor": None,
    }
    assert document["risk"] == {
        "level": "Critical",
        "written": "Critical",
        "factors": ["Exposure to the Internet"],
        "attack_paths": ["p"],
        "is_contextual": True,
    }
    plain = document_of(a_delivery(), a_finding())
    empty = ("category", "package", "cves", "image", "rule", "scanner", "risk")
    assert [plain[name] for name in empty] == [None, None, (), None, None, None, None]
    assert not {"risk", "package", "cves"} & set(details_of(a_briefing(a_finding())))


def test_a_document_says_how_a_signal_ended_that_nobody_says_is_fixed() -> None:
    """Its receiver need not read it out of the reason; of what Defender says is over it is null."""
    closing = "not seen since 2026-11-03, two snapshots came without it"
    assert document_of(a_delivery(), a_finding(closing=closing))["closing"] == closing
    assert document_of(a_delivery(), a_finding())["closing"] is None


def test_a_summary_of_groups_says_how_many_wait_and_which_open_next() -> None:
    """Its headline counts signals and groups, its text names groups; once nothing waits it says so, and never "fixed"."""
    named = tuple(NamedMember(key=f"g{n}", title=f"Update p{n}", severity="High", place="3 signals") for n in range(2))
    by = (("limit", "100 openings in 1d"),)
    group = Group(by=by, total=90, standing=60, named=named, limited=True, groups=20)
    notice = a_software_update(group=group)
    assert "60 of 90 wait in 20 groups for room under the limit of 100 openings in 1d, the gravest: " in headline(
        notice, 500
    )
    text = text_of(a_briefing(notice), 10_000)
    assert "WAITING FOR THEIR TURN\n- High: Update p0 - 3 signals\n- High: Update p1 - 3 signals\n- and 18 more" in text
    assert "60 signals wait for room in 20 groups; each group gets a ticket of its own" in text
    over = a_software_update(group=replace(group, standing=0, groups=0, named=()))
    assert "none of 90 waits any longer" in headline(over, 500)
    assert "NONE WAITS ANY LONGER" in text_of(a_briefing(over), 10_000)
    assert ending_of(over, None, NOW) == "All that waited for room has a ticket of its own by now, or is over."
    assert ending_of(a_software_update(), None, NOW) != ending_of(over, None, NOW)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (None, None),
        (Image(repository="shop/web", digest="sha256:0a"), "shop/web@sha256:0a"),
        (Image(repository="web", registry="shop.azurecr.io", tags=("1.4", "latest")), "shop.azurecr.io/web:1.4"),
        (
            Image(repository="web", registry="shop.azurecr.io", tags=("1.4",), digest="sha256:0a"),
            "shop.azurecr.io/web:1.4@sha256:0a",
        ),
        (Image(digest="sha256:0a", registry="shop.azurecr.io", tags=("1.4",)), "sha256:0a"),
    ],
)
def test_an_image_in_words(image: Image | None, words: str | None) -> None:
    """As registries write it; without a repository neither registry nor tag names anything."""
    assert image_words(image) == words


def test_what_mends_it_in_words() -> None:
    """Whether there is a fix where no version is named, how much work it is, and what it may lead to."""
    words = words_of_posture(
        a_software_update(has_fix=False, effort="Low", user_impact="High", threats=("DataSpillage", "AccountBreach"))
    )
    assert (words["Fix"], words["Effort"]) == ("none is known", "Low, impact on users: High")
    assert words["Threats"] == "DataSpillage, AccountBreach"
    assert words_of_posture(a_software_update(has_fix=True))["Fix"] == "available"
    bare = words_of_posture(a_software_update())
    assert (bare["Fix"], bare["Effort"], bare["Threats"]) == (None, None, None)
