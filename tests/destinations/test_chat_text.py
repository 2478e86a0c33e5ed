"""One screen of a phone: what happened first, no more than twelve lines, each fact once, and what has no room is counted."""

from collections.abc import Sequence
from copy import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from router.destinations.wording.chat_text import LINES, LINKS, WIDTH, FirstScreen, first_screen_of, height_of, total
from router.destinations.wording.fitting import MARK
from router.destinations.wording.notice_text import briefing_of
from router.domain.decisions import Change
from router.domain.deliveries import NO_BACKGROUND, Background, Counterpart, Earlier
from router.domain.evidence import Evidence
from router.domain.notices import Link, NamedMember, Notice, Release
from router.domain.owners import Owner
from router.domain.rulebook import Lane
from tests.destinations.builders import NOW, RESOURCE, a_briefing, a_finding, a_group, a_notice, a_software_update
from tests.examples import some_of

TICKET = Counterpart(destination="snow", lane=Lane.TICKET, reference="INC0012345", link="https://snow.example/1")
PAGE = Counterpart(destination="oncall", lane=Lane.PAGE, reference="PD-77", link="https://contoso.pagerduty.example/77")
CHAT = Counterpart(destination="channel", lane=Lane.TICKET)
RELEASE = Release(
    kind="rule", name="known-scanner", author="ana@contoso.example", since="2026-11-21T08:00:00Z", messages=7
)
ZONES = (UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-8)), timezone(timedelta(hours=5, minutes=45)))
PARTS = {"Pods", "Namespaces", "Clusters"}
NAMES = ("accounts", "ips", "processes", "hashes", "urls")


def screen_of(
    notice: Notice | None = None, change: Change = Change.OPENED, background: Background = NO_BACKGROUND
) -> FirstScreen:
    """The first screen of a notice."""
    notice = notice if notice is not None else a_notice()
    return first_screen_of(a_briefing(notice, change, background))


def lines_of(screen: FirstScreen) -> list[str]:
    """What it says below the headline, paragraph by paragraph."""
    return [str(line) for line in (*screen.story, *screen.facts, *([screen.step] if screen.step else []))]


def names_of(screen: FirstScreen) -> list[str]:
    """The names of its facts, and of what the title speaks of."""
    return [line.name for line in (*screen.story, *screen.facts) if line.name]


texts = st.text(alphabet=st.sampled_from("ab \n,.:<*") | st.characters(codec="utf-8"), max_size=200) | st.sampled_from(
    ["", "x" * 500, "Ends here. " * 30, "a-b " * 100, "vm-pay-01"]
)
some = st.lists(texts, max_size=6, unique=True).map(tuple)
evidence = st.fixed_dictionaries(dict.fromkeys(NAMES, some)).map(lambda lists: Evidence(**lists))
members = st.builds(
    NamedMember, key=st.just("b" * 32), title=texts, severity=st.none() | texts, place=st.none() | texts
)
groups = st.builds(
    lambda named, beyond, groups: a_group(
        by=(("limit", "5"),), named=tuple(named), total=len(named) + beyond + 1, standing=len(named) + beyond, groups=groups
    ),
    st.lists(members, max_size=6), st.integers(0, 9), st.none() | st.integers(1, 9),
)  # fmt: skip
extended = st.dictionaries(texts, texts, max_size=6)
counterparts = st.lists(st.sampled_from([TICKET, PAGE, CHAT]), max_size=3, unique=True).map(tuple)


@st.composite
def notices(draw: st.DrawFn) -> Notice:
    """A notice with anything in what people are told."""
    more = draw(extended)
    return replace(
        draw(st.sampled_from([a_notice(), a_finding(), a_software_update()])),
        title=draw(texts),
        description=draw(texts),
        evidence=draw(evidence),
        group=draw(st.none() | groups),
        extended=more,
        unlisted=tuple(more),
        owner=draw(st.none() | st.builds(Owner, texts, texts)),
        remediation=draw(some),
        release=draw(st.none() | st.just(RELEASE)),
        environment=draw(st.none() | texts),
        subscription_name=draw(st.none() | texts),
        compromised_entity=draw(st.none() | texts),
        respond_by=draw(st.none() | st.sampled_from(["2026-11-24T16:00:00Z", "2026-11-27T16:00:00Z"])),
        runbooks=("https://runbooks.example/1",) * draw(st.integers(0, 5)),
        links=tuple(Link(text=one, url="https://a.example/") for one in draw(some)),
    )


backgrounds = st.builds(
    Background,
    last=st.none() | st.just(a_notice(severity="Medium", ended=None, evidence=Evidence(ips=("203.0.113.7",)))),
    opened=st.none() | st.just(NOW - timedelta(hours=3)),
    elsewhere=counterparts,
    earlier=st.none() | st.just(Earlier(count=3, last=NOW - timedelta(days=2))),
)


def screen_height(screen: FirstScreen) -> int:
    """How many lines a screen takes; the step, which is whole however long it is, stands below them."""
    links = " · ".join(link.text for link in screen.links)
    return (
        total((*screen.story, *screen.facts))
        + (screen.rest is not None)
        + height_of(screen.headline)
        + height_of(links)
    )


@settings(deadline=None, max_examples=some_of(100))
@given(notice=notices(), change=st.sampled_from(Change), background=backgrounds)
def test_a_screen_is_never_higher_than_a_screen(notice: Notice, change: Change, background: Background) -> None:
    """Twelve lines at most, in the order of the evidence, each fact once, and exactly as many are hidden as it says."""
    screen = screen_of(notice, change, background)
    assert screen_height(screen) <= LINES
    assert len(screen.links) <= LINKS
    assert screen.headline.startswith(f"{change.capitalize()}: ")
    assert all(line.text.strip() and "\n" not in line.text for line in (*screen.story, *screen.facts))
    assert (screen.rest is not None) == (screen.hidden > 0)
    if change is Change.RESOLVED:
        assert screen.hidden == 0
        return
    expected = facts_of(notice, change, background)
    shown = [line for line in screen.facts if line.name and line.text and line in evidence_in(screen)]
    kept = iter(expected)
    assert all(any(one == line.name for one in kept) for line in shown), "the order of the evidence"
    # What is neither shown nor hidden stands on the screen already.
    assert len(shown) + screen.hidden <= len(expected)
    assert screen.hidden == 0 or str(screen.hidden) in str(screen.rest)


def facts_of(notice: Notice, change: Change, background: Background) -> list[str]:
    """The names of the facts that stand as evidence, in their order, as they are shown."""
    briefing = a_briefing(notice, change, background)
    what = [fact.name for fact in briefing.what]
    lead = [name for name in ("Reported by", "Risk", "Cause", "Measure") if name in what]
    names = [*lead, *(fact.name for fact in briefing.evidence), *(["Tactics"] if "Tactics" in what else [])]
    return [*names, *(shown_name(fact.name) for fact in briefing.others)]


def shown_name(name: str) -> str:
    """A name that an alert chose, as it is shown."""
    words = " ".join(name.split())
    return words if len(words) <= 30 else f"{words[:29].rstrip()}…"


def evidence_in(screen: FirstScreen) -> Sequence[Any]:
    """The lines of evidence: those behind where, since when and why."""
    around = {"Where", "Respond by", "Since", "Last", "Owner", "Sent by"}
    return [line for line in screen.facts if line.name not in around]


@settings(deadline=None, max_examples=some_of(50))
@given(lists=st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4), max_size=40))
def test_what_is_hidden_is_counted_exactly(lists: list[list[int]]) -> None:
    """A fact is shown, or hidden and counted, or says only what stands above; the three together are all of them."""
    others = {f"name {number}": f"value {values}" for number, values in enumerate(lists)}
    notice = a_notice(evidence=Evidence(), tactics=(), extended=others, unlisted=tuple(others), remediation=())
    screen = screen_of(notice)
    shown = [line.text for line in evidence_in(screen)]
    assert shown == list(dict.fromkeys(others.values()))[: len(shown)]
    left = [text for text in others.values() if text not in shown]
    assert screen.hidden == len(left)


def test_what_ended_untold_says_when_it_opened_and_was_over_behind_what_happened() -> None:
    """Nobody has read of it yet, so evidence and the first step stand there, too."""
    background = Background(opened=NOW - timedelta(hours=2))
    briefing = briefing_of(a_notice(), Change.RESOLVED, background, NOW, NOW - timedelta(minutes=40))
    screen = first_screen_of(briefing)
    assert screen.headline.startswith("Resolved: High: ")
    assert lines_of(screen)[:3] == [
        "IP addresses: 203.0.113.7",
        "Accounts: root",
        "Opened 2026-11-24 10:00 UTC, over 2026-11-24 11:20 UTC, before this could be told.",
    ]
    assert "Processes" in names_of(screen)


def test_a_group_names_its_first_three_members() -> None:
    """How many still stand, then a line each, of which the title is cut before the place; the headline's is not said again."""
    told = [
        ("Suspicious sign-in to a virtual machine", "vm-1"),
        ("A title of many words, too long", "vm-2"),
        ("x", None),
        ("y", None),
    ]
    named = tuple(
        NamedMember(key=str(number) * 32, title=title, severity="High", place=place)
        for number, (title, place) in enumerate(told)
    )
    lines = lines_of(screen_of(a_notice(group=a_group(total=12, standing=9, named=named))))
    at = lines.index("Still standing: 9 of 12")
    assert lines[at + 1 : at + 4] == ["- High: vm-1", "- High: A title of many words, too lo… - vm-2", "- High: x"]
    assert "- High: y" not in lines


def test_the_rest_is_where_people_have_it_in_full() -> None:
    """In the ticket, else the page, else behind the link; a message in another chat has no more than this one.

    Without a link it leads nowhere, and is counted all the same; one more has the room of the line that would say so.
    """
    for elsewhere, where in (
        ((), ": open the alert"),
        ((CHAT,), ": open the alert"),
        ((PAGE,), " in the page PD-77"),
        ((PAGE, TICKET, CHAT), " in the ticket INC0012345"),
    ):
        screen = screen_of(with_others(25), background=Background(elsewhere=elsewhere))
        assert screen.rest == f"… and {screen.hidden} more facts{where}"
        assert screen.hidden > 15
    screen = screen_of(replace(with_others(25), link=None))
    assert screen.rest == f"… and {screen.hidden} more facts"
    counts = {screen_of(with_others(number)).rest for number in range(12)}
    assert "… and 1 more fact: open the alert" not in counts
    assert "… and 2 more facts: open the alert" in counts


def with_others(count: int) -> Notice:
    """A notice with so many properties that stand in no list."""
    others = {f"property {number}": f"value {number}" for number in range(count)}
    return a_notice(evidence=Evidence(), tactics=(), extended=others, unlisted=tuple(others))


def test_a_place_is_not_evidence_beside() -> None:
    """A host that is the location stands there once; another is told."""
    assert "Hosts" not in names_of(screen_of(a_notice(evidence=Evidence(hosts=("VM-PAY-01",)))))
    both = screen_of(a_notice(evidence=Evidence(hosts=("vm-pay-01", "vm-pay-02"))))
    assert "Hosts: vm-pay-02" in lines_of(both)


CLUSTER = f"{RESOURCE.partition('/providers/')[0]}/providers/Microsoft.ContainerService/managedClusters/aks-web-weu"
SHELL = "sh -c 'exec demo-shell 192.0.2.146 4444'"


def a_shell_in_a_pod(**changes: Any) -> Notice:
    """A reverse shell in a pod, with as much beside it as Defender says of one."""
    values: dict[str, Any] = {
        "title": "Potential reverse shell detected",
        "description": "A command in the container checkout redirects a shell's input and output to an outside address.",
        "severity": "Medium",
        "resource": CLUSTER,
        "resource_type": "Microsoft.ContainerService/managedClusters",
        "resource_group": "rg-web",
        "cluster": "aks-web-weu",
        "environment": "production",
        "evidence": Evidence(
            pods=("checkout-7d59c6c9bb-r8h4q",), namespaces=("shop",), clusters=("aks-web-weu",), containers=("checkout",),
            images=("contosoweb.azurecr.example/checkout:4.18.2",), commands=(SHELL,), processes=(SHELL,),
        ),
    }  # fmt: skip
    return a_notice(**values | changes)


def test_what_a_place_is_a_part_of_is_not_evidence_beside() -> None:
    """Cluster, namespace and pod stand in the headline: the lines are for the command, and none of them is counted.

    What is too long is told by its end, outermost first; a pod of which both say only the beginning is told as evidence.
    """
    screen = screen_of(a_shell_in_a_pod())
    assert screen.headline.endswith(" - aks-web-weu/shop/checkout-7d59c6c9bb-r8h4q (production)")
    assert not {*PARTS, "Processes"} & set(names_of(screen))
    assert (f"Commands: {SHELL}" in lines_of(screen), screen_height(screen)) == (True, LINES)
    full = {f"property {number}": f"value {number}" for number in range(25)}
    others: dict[str, Any] = {"extended": full, "unlisted": tuple(full)}
    assert "Where: …/shop/checkout-7d59c6c9bb-r8h4q" in lines_of(screen_of(a_shell_in_a_pod(**others)))
    namespace, pod = "kubernetes-dashboard", "kubernetes-dashboard-6c9d7b8f5-x2x7k"
    lists = Evidence(pods=(pod,), namespaces=(namespace,), clusters=("aks-web-weu",), containers=("dashboard",))
    screen = screen_of(a_shell_in_a_pod(title="Exposed Kubernetes dashboard detected", evidence=lists, **others))
    assert f" - aks-web-weu/{namespace}/kub" in screen.headline
    assert f"{MARK} (production)" in screen.headline
    assert f"Where: …/{pod}" in lines_of(screen)
    assert names_of(screen)[0] == "Containers"
    assert not PARTS & set(names_of(screen))
    long = Evidence(pods=("checkout-" + "x" * 60,), namespaces=("shop",))
    assert "Pods" in names_of(screen_of(a_shell_in_a_pod(evidence=long)))


def test_a_path_is_cut_in_its_middle() -> None:
    """What runs is the end of its path, and what it is told stands behind it; so does the beginning of what it started.

    A path that is no command shows its end: the name and the tag of an image.
    """
    for value, beginning in (
        ("c:\\windows\\" + "s" * 140 + "\\regsvr32.exe", "c:\\…\\regsvr32.exe"),
        ("c:\\Program Files\\" + "s" * 140 + "\\regsvr32.exe /s", "c:\\…\\regsvr32.exe /s"),
        ('"c:\\Program Files\\' + "s" * 140 + '\\a.exe" -x', '"c:\\…\\a.exe" -x'),
        ("/usr/" + "s" * 140 + "/bin/run me", "/…/run me"),
        ("/usr/" + "s" * 140 + "/bin/run /tmp/" + "t" * 140, "/…/run /tmp/tttt"),
    ):
        screen = screen_of(a_notice(evidence=Evidence(processes=(value, "cmd"))))
        (line,) = (line for line in screen.story if line.name == "Processes")
        assert line.text.startswith(beginning)
    processes = ("c:\\windows\\explorer.exe (0x11d8)", f"powershell.exe -EncodedCommand {'VwBy' * 50}", "cmd")
    screen = screen_of(a_notice(evidence=Evidence(processes=processes)))
    (line,) = (line for line in screen.story if line.name == "Processes")
    assert line.text.startswith("c:\\…\\explorer.exe (0x11d8), powershell.exe -EncodedCommand VwBy")
    assert (line.text[-1], line.more, line.height) == ("…", " and 1 more", 3)
    file = "c:\\Users\\" + "s " * 70 + "\\my notes.txt"  # nothing runs, so a blank ends no path
    assert "Files: c:\\…\\my notes.txt, b" in lines_of(screen_of(a_notice(evidence=Evidence(files=(file, "b")))))
    image = f"registry.contoso.example/{'x' * 60}/checkout:4.18.2"
    assert "Images: …/checkout:4.18.2 and 1 more" in lines_of(
        screen_of(a_notice(evidence=Evidence(images=(image, "b"))))
    )


def test_an_image_is_cut_at_its_digest() -> None:
    """Name and tag are whole, as evidence and in the description, and the digest is what gives way."""
    digest = "877a6f2a212c44021281f80cb1f4c73a09dce4e99a8cb8efcc03f7ce3c877a6f"
    registries = ("", "contosoprod.azurecr.example/", "registry.contoso.example:5000/payments/online/")
    titles = ("Container with a miner image detected", "Suspicious sign-in")
    for title, registry, tag in product(titles, registries, ("", ":4.18.2-20261124.1")):
        image = f"{registry}checkout{tag}@sha256:{digest}"
        description = f"The image {image} runs."
        notice = a_notice(title=title, description=description, evidence=Evidence(images=(image,)), remediation=())
        (line,) = (line for line in lines_of(screen_of(notice)) if line.startswith("Images: "))
        assert line.endswith(f"checkout{tag}@sha256:877a6f2a212c…")
        assert digest not in screen_of(notice).text
        assert f"checkout{tag}@sha256:877a6f2a212c…" in screen_of(replace(notice, evidence=Evidence())).text


def test_no_row_ends_with_what_it_leaves_out() -> None:
    """Where, since when and whose are cut between their parts."""
    notice = replace(
        with_others(25),
        environment="production",
        subscription_name="Contoso Payments and more",
        owner=Owner(group="cloud-platform", service="Payments of Contoso"),
        respond_by="2026-11-25T16:00:00Z",
    )
    where, since, owner = lines_of(screen_of(notice))[1:4]
    assert where == "Where: vm-pay-01, production"
    assert since == "Since: 2026-11-24 11:58 UTC, respond by 2026-11-25 16:00, last seen 2026-11-24 11:59"
    assert owner == "Owner: cloud-platform / Payments of Contoso"


def test_the_first_step_stands_whole() -> None:
    """Below the screen where it is long: one line of it is counted, and the evidence is what gives way."""
    full = replace(with_others(25), description="Words of it. " * 20, evidence=Evidence(ips=("203.0.113.7",)))
    for words, notice in product((1, 12, 30, 60), (full, a_shell_in_a_pod())):
        step = " ".join(f"word{number}" for number in range(words))
        screen = screen_of(replace(notice, remediation=(f"{step}.", "Then do more.")))
        assert (str(screen.step), screen_height(screen)) == (f"To do: {step}.", LINES)
    both = screen_of(a_notice(remediation=("To mend it:", "1. Do this.", "2. Do that.")))
    assert str(both.step) == "To do: To mend it: 1. Do this."


def test_portal_runbook_and_ticket_are_always_among_the_links() -> None:
    """Further runbooks and what the message names stand behind them, four at most; what leads nowhere is none."""
    elsewhere = Background(elsewhere=(CHAT, TICKET))
    more = (
        Link(text="x", url="javascript:x"),
        *(Link(text=f"More {n}", url=f"https://a.example/{n}") for n in range(5)),
    )
    for count, last in ((5, "Runbook 2"), (1, "More 0")):
        runbooks = tuple(f"https://runbooks.example/{number}" for number in range(count))
        screen = screen_of(a_notice(runbooks=runbooks, links=more), background=elsewhere)
        assert [link.text for link in screen.links] == ["Azure portal", "Runbook", "Ticket INC0012345 (snow)", last]


def test_a_list_tells_whole_values_and_how_many_more_there_are() -> None:
    """As many as a line takes; what people copy has two lines, a command three; what is too long is cut where one sees it."""
    ips = tuple(f"203.0.113.{number}" for number in range(40))
    processes = ("powershell -enc " + "A" * 500, "cmd")
    screen = screen_of(a_notice(description="", evidence=Evidence(ips=ips, processes=processes)))
    shown = {line.name: line for line in (*screen.story, *screen.facts)}
    assert str(shown["IP addresses"]) == (
        "IP addresses: 203.0.113.0, 203.0.113.1, 203.0.113.2, 203.0.113.3, 203.0.113.4 and 35 more"
    )
    assert shown["Processes"].is_code
    assert shown["Processes"].text.endswith("A…")
    assert shown["Processes"].more == " and 1 more"
    assert shown["Processes"].height == 3


def test_what_fills_its_line_is_whole() -> None:
    """A value with its name before it and how many more behind it: 45 characters; a headline 135; one more, and it is cut."""
    for length, told in ((28, "u" * 28), (29, f"{'u' * 27}…")):
        screen = screen_of(replace(with_others(25), evidence=Evidence(urls=("u" * length, "v" * 100))))
        assert f"URLs: {told} and 1 more" in lines_of(screen)
    room = 3 * WIDTH - len("Opened: High:  - vm-pay-01")
    whole, cut = (screen_of(a_notice(title="x" * (room + over))).headline for over in (0, 1))
    assert (len(whole), MARK in whole, MARK in cut) == (3 * WIDTH, False, True)
    assert cut.endswith(" - vm-pay-01"), "the title gives way"


def test_a_description_ends_with_a_sentence_where_one_is_near() -> None:
    """What is left out is marked, and the last sentence is whole."""
    first = "The process creation analysis found a suspicious command line on the machine."
    screen = screen_of(
        a_notice(
            description=f"{first} Attackers are known to use it, as somebody wrote, for many a purpose, and others do too.",
            evidence=Evidence(),
            extended={"a": "b", "c": "d", "e": "f"},
            unlisted=("a", "c", "e"),
            remediation=("Look.",),
        )
    )
    assert f"{first} {MARK}" in lines_of(screen)


def test_times_say_no_day_and_no_zone_twice() -> None:
    """Since when and by when people should respond, which both stay, and when it was last seen, where there is room."""
    for respond_by, said, seen in (
        ("2026-11-24T16:00:00Z", "2026-11-24 11:58 UTC, respond by 16:00", ", last seen 11:59"),
        ("2026-11-25T16:00:00Z", "2026-11-24 11:58 UTC, respond by 2026-11-25 16:00, last seen 2026-11-24 11:59", ""),
    ):
        screen = screen_of(a_notice(respond_by=respond_by, evidence=Evidence(), tactics=()))
        full = screen_of(replace(with_others(25), respond_by=respond_by))
        told = [line.text for one in (screen, full) for line in one.facts if line.name == "Since"]
        assert told == [f"{said}{seen}", said]


def test_a_fact_without_a_word_is_none() -> None:
    """Nothing empty is shown, nor counted."""
    notice = a_notice(evidence=Evidence(hosts=("", " ")), extended={"a": " "}, unlisted=("a",), tactics=())
    screen = screen_of(notice)
    assert (names_of(screen), screen.hidden) == (["Where", "Since", "Owner"], 0)
    assert a_briefing(notice).others == ()


A_LOGIN: dict[str, Any] = {
    "ips": ("198.51.100.23",), "locations": ("198.51.100.23: Utrecht, Netherlands (AS64500)",), "accounts": ("svc-report",),
    "applications": ("sqlcmd",), "hosts": ("vm-pay-01",),
}  # fmt: skip


SPOKEN_OF: dict[str, tuple[dict[str, Any], str]] = {
    "Log on from an unusual location": (A_LOGIN, "Locations: 198.51.100.23: Utrecht, Netherlands (AS64500)"),
    "Suspected brute force attack using a valid user": (
        {"ips": ("198.51.100.23",), "accounts": ("sa",)},
        "IP addresses",
    ),
    "Attempted communication with suspicious sinkholed domain": (
        {"ips": ("198.51.100.23",), "domains": ("sink.example (198.51.100.23)",), "processes": ("svchost.exe",)},
        "Domains: sink.example (198.51.100.23)",
    ),
    "Potential malware uploaded to a storage account": (
        {"ips": ("198.51.100.23",), "malware": ("Eicar (Virus)",), "blobs": ("https://a.example/in/eicar.com",)},
        "Malware: Eicar (Virus)",
    ),
    "Potential SQL injection": ({**A_LOGIN, "queries": ("SELECT 1 OR 1=1 --",)}, "Queries: SELECT 1 OR 1=1 --"),
    "User accessed high volume of key vaults": (A_LOGIN, "Locations: 198.51.100.23: Utrecht"),
    "Suspicious Account Creation Detected": ({**A_LOGIN, "processes": ("net user",)}, "Accounts: svc-report"),
    "Digital currency mining container detected": ({"pods": ("p",), "images": ("a/miner:1",)}, "Images: a/miner:1"),
    "Role binding to the cluster-admin role detected": ({"roles": ("admins",), "accounts": ("ada",)}, "Roles: admins"),
    "Another title of tomorrow": (
        {**A_LOGIN, "hosts": ("pay-win-01",), "commands": ("curl -s http://a.example",)},
        "Commands: curl",
    ),
    "A title of tomorrow": ({**A_LOGIN, "processes": ("curl -s http://a.example",)}, "Processes: curl"),
    "A third title of tomorrow": ({**A_LOGIN, "queries": ("SELECT 2",)}, "Queries: SELECT 2"),
    "Suspicious creation of compute resources detected": (A_LOGIN, "Locations: 198.51.100.23: Utrecht"),
}


def test_what_the_title_speaks_of_comes_first() -> None:
    """Whatever else there is to say, and what the deadline, the place and the links take."""
    for properties, (title, (lists, first)) in product((0, 25), SPOKEN_OF.items()):
        full = replace(with_others(properties), description="Words of it. " * 20, respond_by="2026-12-01T00:30:00Z")
        screen = screen_of(replace(full, title=title, evidence=Evidence(**lists), environment="production"))
        assert lines_of(screen)[0].startswith(first)


def test_an_address_that_stands_before_its_place_is_not_said_again() -> None:
    """One that has no place is."""
    screen = screen_of(a_notice(title="Log on from an unusual location", evidence=Evidence(**A_LOGIN)))
    assert names_of(screen)[:2] == ["Locations", "Accounts"]
    lists = {**A_LOGIN, "ips": (*A_LOGIN["ips"], "192.0.2.1")}
    screen = screen_of(a_notice(title="Log on from an unusual location", evidence=Evidence(**lists)))
    assert "IP addresses: 198.51.100.23, 192.0.2.1" in lines_of(screen)


def test_a_sentence_that_repeats_the_headline_goes() -> None:
    """As often as one begins the description, and not where it says more."""
    for sentence, is_said in (
        ("Suspicious sign-in to a virtual machine.", False),
        ("Microsoft Defender for Cloud detected a suspicious sign-in to your virtual machine vm-pay-01:", False),
        ("THIS IS A SUSPICIOUS SIGN-IN!", False),
        ("A suspicious sign-in to a virtual machine from 203.0.113.7.", True),
        ("Somebody guessed a password.", True),
    ):
        screen = screen_of(a_notice(description=f"{sentence} {sentence} It came at night.", evidence=Evidence()))
        assert lines_of(screen)[0] == (f"{sentence} {sentence} It came at night." if is_said else "It came at night.")
        assert (sentence in lines_of(screen_of(a_notice(description=sentence)))) is is_said


moments = st.builds(datetime.fromtimestamp, st.integers(1_700_000_000, 1_900_000_000), st.sampled_from(ZONES)) | (
    st.sampled_from([datetime(2024, 2, 29, 23, 50, tzinfo=UTC), datetime(2026, 12, 31, 23, 59, tzinfo=UTC)])
)


@settings(deadline=None, max_examples=some_of(200))
@given(notice=notices(), since=moments, minutes=st.integers(0, 60 * 24 * 40), change=st.sampled_from(Change))
def test_since_when_and_by_when_never_give_way(notice: Notice, since: datetime, minutes: int, change: Change) -> None:
    """Across midnight, months, years and zones, both are whole in each screen, whatever else there is to say."""
    by = since + timedelta(minutes=minutes)
    screen = screen_of(replace(notice, started=since.isoformat(), respond_by=by.isoformat(), ended=None), change)
    (said,) = (line.text for line in screen.facts if line.name == "Since")
    start, end = (time.astimezone(UTC) for time in (since, by))
    assert said.startswith(f"{start:%Y-%m-%d %H:%M} UTC, respond by {end:%H:%M}" if start.date() == end.date() else (
        f"{start:%Y-%m-%d %H:%M} UTC, respond by {end:%Y-%m-%d %H:%M}"
    ))  # fmt: skip
    assert screen_height(screen) <= LINES
