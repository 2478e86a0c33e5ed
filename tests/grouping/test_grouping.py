"""The notices of groups: one opening, the rest as updates, the resolution with the last member."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from router.decide import decide, notice_for
from router.decide.notice import MOST_CVES, MOST_NAMESPACES
from router.domain.decisions import Change
from router.domain.deliveries import Claim
from router.domain.evidence import Evidence
from router.domain.keys import signal_key
from router.domain.notices import Group, Notice
from router.domain.owners import Owner, Owners, Ownership
from router.domain.posture import Cves
from router.domain.rulebook import By, ByTag, Clause, DestinationSpec, Grouping, Lane, Limit, Rulebook
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.domain.tags import Tags
from router.ingest.grouping import explain_grouping
from router.ingest.grouping.grouping_keys import common_values_of
from tests.builders import NOW, RESOURCE, a_destination, a_finding, a_message, a_route, a_rulebook, alert_body
from tests.ingest.test_intake import House, changes

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
ALIKE = Grouping((By.ALERT_TYPE, By.RESOURCE), HOUR)


def a_grouped(
    group: Grouping | None = ALIKE, limit: Limit | None = None, lane: Lane = Lane.TICKET, name: str = "tickets"
) -> DestinationSpec:
    """A destination that groups signals."""
    return replace(a_destination(name, lane), group=group, limit=limit)


def a_grouping_book(
    group: Grouping | None = ALIKE, limit: Limit | None = None, lane: Lane = Lane.TICKET, **others: object
) -> Rulebook:
    """A rulebook whose `tickets` are grouped, and whose `sentinel` gets every signal."""
    destinations = [a_grouped(group, limit, lane), a_destination("sentinel", Lane.ROWS)]
    return a_rulebook(destinations=destinations, **others)  # type: ignore[arg-type]


type Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Builds a house over a rulebook; it is closed when the test ends."""
    houses: list[House] = []

    def build(book: Rulebook, only: Stream | None = None) -> House:
        houses.append(House(tmp_path, book, only))
        return houses[-1]

    yield build
    for house in houses:
        asyncio.run(house.store.close())


def notices(claims: Sequence[Claim]) -> list[Notice]:
    return [claim.delivery.content for claim in claims if isinstance(claim.delivery.content, Notice)]


def groups(claims: Sequence[Claim]) -> list[tuple[int, int] | None]:
    """How many signals each notice tells of, and how many of them still stand."""
    found = [notice.group for notice in notices(claims)]
    return [(group.total, group.standing) if isinstance(group, Group) else None for group in found]


def alerts(*ids: str, **fields: object) -> list[bytes]:
    return [alert_body(id, **fields) for id in ids]


def take(house: House, *bodies: bytes, at: datetime = NOW) -> None:
    house.ingest(*map(a_message, bodies), now=at)


def test_the_first_signal_goes_out_at_once_and_looks_like_any_other(build: Build) -> None:
    """Nobody waits for a window to end: the first of a group is opened like a signal that stands alone."""
    house = build(a_grouping_book())
    take(house, alert_body("a"))
    (claim,) = house.owed("tickets")
    (notice,) = notices([claim])
    assert (claim.delivery.change, notice.group, notice.id) == ("opened", None, "a")
    assert notice.key == claim.delivery.key != house.key("a")


def test_those_that_follow_within_the_window_join_as_updates_that_say_how_many_and_which(build: Build) -> None:
    """Three alerts of one type on one resource are one ticket; its notes count and name them."""
    house = build(a_grouping_book())
    for id in "abc":
        take(house, alert_body(id, AlertDisplayName=f"Alert {id}"))
    claims = house.owed("tickets")
    assert changes(claims) == ["opened", "updated"], "the second note is overtaken by the third before it is sent"
    last = notices(claims)[-1].group
    assert isinstance(last, Group)
    assert (last.total, last.standing, [one.title for one in last.named]) == (3, 3, ["Alert c", "Alert b", "Alert a"])
    assert last.by == (("alert_type", "VM_Test"), ("resource", RESOURCE))
    assert len({claim.delivery.key for claim in claims}) == 1


def test_a_batch_makes_one_notice_of_a_group(build: Build) -> None:
    """Fifty alerts in one batch are one opening that says fifty."""
    house = build(a_grouping_book())
    take(house, *alerts(*map(str, range(50))))
    claims = house.owed("tickets")
    assert (changes(claims), groups(claims)) == (["opened"], [(50, 50)])


def test_a_group_is_over_with_its_last_member(build: Build) -> None:
    """Members that are over say nothing while others stand."""
    house = build(a_grouping_book())
    take(house, *alerts("a", "b"))
    house.owed("tickets")
    take(house, *alerts("a", Status="Resolved"))
    assert house.owed("tickets") == []
    take(house, *alerts("b", Status="Dismissed"))
    (claim,) = house.owed("tickets")
    assert (claim.delivery.change, groups([claim])) == ("resolved", [(2, 0)])


def test_a_signal_of_the_same_values_after_the_window_opens_anew(build: Build) -> None:
    """The window counts from the first signal: just before its end others join, at its end they do not."""
    house = build(a_grouping_book())
    take(house, alert_body("a"))
    take(house, alert_body("b"), at=NOW + HOUR - timedelta(microseconds=1))
    take(house, alert_body("c"), at=NOW + HOUR)
    claims = house.owed("tickets", NOW + HOUR)
    assert sorted(changes(claims)) == ["opened", "opened", "updated"]
    assert len({claim.delivery.key for claim in claims}) == 2


def test_a_member_of_an_earlier_window_ends_its_own_group(build: Build) -> None:
    """What was opened in one group is resolved there, also when its values take another one now."""
    house = build(a_grouping_book())
    take(house, alert_body("a"))
    take(house, alert_body("b"), at=NOW + HOUR)
    first, _ = house.owed("tickets", NOW + HOUR)
    take(house, alert_body("a", Status="Resolved"), at=NOW + 2 * HOUR)
    (end,) = house.owed("tickets", NOW + 2 * HOUR)
    assert (end.delivery.change, end.delivery.key) == ("resolved", first.delivery.key)


def test_a_group_that_is_over_within_its_window_opens_again(build: Build) -> None:
    """As a signal that comes back is opened again, under the same key."""
    house = build(a_grouping_book())
    take(house, alert_body("a"))
    take(house, alert_body("a", Status="Resolved"))
    first = house.owed("tickets")
    take(house, alert_body("b"), at=NOW + MINUTE)
    (again,) = house.owed("tickets", NOW + MINUTE)
    assert (changes(first), again.delivery.change) == ([], "opened"), "what was never sent is skipped, then opened"
    assert again.delivery.turn == 3
    take(house, alert_body("c"), at=NOW + MINUTE)
    (update,) = house.owed("tickets", NOW + MINUTE)
    assert (update.delivery.change, update.delivery.opened) == ("updated", 3)


def test_a_group_that_ended_untold_is_told_once_where_one_of_its_members_was_to_page(build: Build) -> None:
    """Whichever member is the last; of those that no pager was to hear of nobody is told, nor of what opens again since."""
    high = Clause("severity", "High", lambda signal, _: signal.severity is Severity.HIGH)
    destinations = [a_grouped(), a_grouped(lane=Lane.PAGE, name="oncall")]
    routes = [a_route("page", "oncall", when=[high]), a_route("all", "tickets")]
    house = build(a_rulebook(destinations=destinations, routes=routes))
    members = [("a", "Medium"), ("b", "High"), ("c", "Medium")]
    for status in ("New", "Resolved"):
        for id, severity in members:
            take(house, alert_body(id, Severity=severity, Status=status))
            take(house, alert_body(f"quiet-{id}", Severity="Medium", AlertType="VM_Other", Status=status))
    (claim,) = house.owed("tickets")
    assert (claim.delivery.change, claim.is_untold, groups([claim])) == ("resolved", True, [(3, 0)])
    assert house.owed("oncall") == []
    take(house, alert_body("d", AlertType="VM_Third"), alert_body("e", Severity="Medium", AlertType="VM_Third"))
    take(house, *(alert_body(id, AlertType="VM_Third", Status="Resolved") for id in "de"))
    take(house, alert_body("f", Severity="Medium", AlertType="VM_Third"))
    (again,) = house.owed("tickets")
    assert (again.delivery.change, groups([again])) == ("opened", [(3, 1)])


@pytest.mark.parametrize(
    ("first", "then", "gravest"), [("High", "Medium", "High"), ("Medium", "High", "High"), ("High", None, None)]
)
@pytest.mark.parametrize("joins", ["b", "a"])
def test_a_group_is_as_grave_as_its_gravest_member_ever_was(
    build: Build, joins: str, first: str, then: str | None, gravest: str | None
) -> None:
    """A Medium that joins does not make a page of a High less urgent; what has no severity is the gravest."""
    house = build(a_grouping_book())
    take(house, *alerts("a", "c", Severity=first))
    house.owed("tickets")
    take(house, alert_body(joins, Severity=then))
    claims = house.owed("tickets")
    assert (notices(claims)[-1].severity, changes(claims)) == (gravest, ["updated"])


CONNECTORS = "/subscriptions/9/resourceGroups/rg-connectors/providers/Microsoft.Security/securityConnectors"
GROUP = RESOURCE.lower().partition("/providers/")[0]
CVES = tuple(f"CVE-2026-{number:04}" for number in range(MOST_CVES))
TAGS = Tags(
    {GROUP: {"team": "Web"}, f"{RESOURCE.lower()}2": {"team": "web"}, GROUP.replace("web", "db"): {"team": "db"}}
)


def in_eks(cluster: str, account: str, *namespaces: str, connector: str = "corp") -> dict[str, object]:
    """What an alert says of a cluster of AWS."""
    name = f"arn:aws:eks:eu-west-2:{account}:cluster/{cluster}"
    inside = [{"Type": "K8s-namespace", "Name": one} for one in namespaces]
    resource = f"{CONNECTORS}/{connector}/securityentitydata/{cluster}"
    return {"AzureResourceId": resource, "Entities": [{"Type": "K8s-cluster", "Name": name}, *inside]}


def in_gke(project: str) -> dict[str, object]:
    """What an alert says of a cluster of Google's."""
    return {"AzureResourceId": f"//container.googleapis.com/projects/{project}/locations/l/clusters/c"}


GUID = "0b06d9ea-afe6-4779-bd59-30e5c2d9d13f"
SANDBOX = "/subscriptions/9/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/pay-web-1"
ELSEWHERE = RESOURCE.replace("rg-web", "rg-db")


def on(resource: str | None) -> dict[str, object]:
    """What an alert says of a machine; the same name stands in many places."""
    return {"AzureResourceId": resource, "CompromisedEntity": "pay-web-1"}


def named(entity: str) -> dict[str, object]:
    """What an alert says whose resource is not known."""
    return {"AzureResourceId": f"/subscriptions/{GUID}", "CompromisedEntity": entity}


@pytest.mark.parametrize(
    ("by", "one", "like", "unlike"),
    [
        (By.ALERT_TYPE, {"AlertType": "X"}, {"AlertType": "x"}, [{"AlertType": "Y"}]),
        (By.RESOURCE, on(RESOURCE), on(RESOURCE.upper()), [on(f"{RESOURCE}2")]),
        (By.SUBSCRIPTION, on(RESOURCE), on(f"{RESOURCE}2"), [on("/subscriptions/2/x")]),
        (By.TACTICS, {"Intent": "Execution"}, {"Intent": "execution"}, [{"Intent": "Exfiltration"}]),
        (By.CORRELATION, {"CorrelationKey": "k"}, {"CorrelationKey": "k"}, [{"CorrelationKey": "l"}]),
        (By.ENTITY, on(SANDBOX), on(SANDBOX.upper()), [
            on(SANDBOX.replace("/9/", "/1/")), on(SANDBOX.replace("rg-web", "rg-db")), on(None), on("/subscriptions/9"),
            on("/subscriptions/1"), on(f"/subscriptions/{GUID}"), on(f"/subscriptions/1{GUID[1:]}"),
        ]),
        (By.ENTITY, named("vm-1"), named("VM-1"), [named("vm-2")]),
        (By.RESOURCE_GROUP, on(RESOURCE), on(f"{RESOURCE.replace('rg-web', 'RG-WEB')}2"), [on(ELSEWHERE), on(SANDBOX)]),
        (By.ACCOUNT, in_eks("a", "1"), in_eks("b", "1"), [in_eks("a", "2")]),
        (By.CLUSTER, in_eks("a", "1"), in_eks("A", "1"), [in_eks("b", "1"), in_eks("a", "2")]),
        (By.CONNECTOR, in_eks("a", "1"), in_eks("b", "2", connector="CORP"), [
            in_eks("a", "1", connector="other"), on(f"{CONNECTORS}/corp/x".replace("/9/", "/1/")),
        ]),
        (By.PROJECT, in_gke("shop"), in_gke("SHOP"), [in_gke("books")]),
        (By.NAMESPACE, in_eks("a", "1", "shop", "jobs"), in_eks("a", "1", "jobs", "shop"), [
            in_eks("a", "1", "shop"), in_eks("a", "2", "shop", "jobs"), in_eks("b", "1", "shop", "jobs"),
        ]),
        (ByTag("team"), on(RESOURCE), on(f"{RESOURCE}2"), [on(ELSEWHERE)]),
    ],
)  # fmt: skip
def test_signals_are_alike_in_what_the_policy_names(
    build: Build, by: By | ByTag, one: dict[str, object], like: dict[str, object], unlike: list[dict[str, object]]
) -> None:
    """Whatever the case it is written in; what differs there opens by itself. A name that a stranger may choose, of a
    machine, a group, a cluster or a namespace, stands for one thing only within what is theirs."""
    house = build(replace(a_grouping_book(Grouping((by,), HOUR)), owners=Owners((), TAGS)))
    take(house, *(alert_body(str(number), **said) for number, said in enumerate((one, like, *unlike))))
    found = house.owed("tickets")
    assert changes(found) == ["opened"] * (1 + len(unlike))
    assert Counter(groups(found)) == {(2, 2): 1, None: len(unlike)}


def test_signals_are_alike_in_their_owner_and_those_of_nobody_are_one_group(build: Build) -> None:
    """Of a first snapshot each owner gets one ticket for each type of finding, and what nobody owns is one as well."""
    owned = Ownership(lambda _, group: group == "rg-web", Owner(group="web"))
    book = replace(a_grouping_book(Grouping((By.OWNER,), HOUR)), owners=Owners((owned,)))
    house = build(book)
    take(
        house,
        *alerts("a", "b"),
        *alerts("c", "d", AzureResourceId="/subscriptions/9/resourceGroups/rg-x/providers/A/b/c"),
    )
    assert groups(house.owed("tickets")) == [(2, 2), (2, 2)]


@pytest.mark.parametrize(
    "by",
    [By.RESOURCE, By.SUBSCRIPTION, By.ENTITY, By.CORRELATION, By.RESOURCE_GROUP, By.ACCOUNT, By.PROJECT, By.CLUSTER,
     By.NAMESPACE, By.CONNECTOR, ByTag("team")],
)  # fmt: skip
def test_signals_that_lack_what_they_are_grouped_by_stand_alone(build: Build, by: By | ByTag) -> None:
    """What has no value is like nothing else: one group of all that is not known would hide most of it."""
    house = build(a_grouping_book(Grouping((by,), HOUR)))
    take(house, *alerts("a", "b", AzureResourceId=None, CompromisedEntity=None, CorrelationKey=""))
    assert changes(house.owed("tickets")) == ["opened", "opened"]


def test_the_resource_group_of_a_connector_is_none_of_what_it_brings(build: Build) -> None:
    """Two clusters of other clouds are not alike in it, and neither have they one."""
    house = build(a_grouping_book(Grouping((By.RESOURCE_GROUP,), HOUR)))
    take(house, alert_body("a", **in_eks("a", "1")), alert_body("b", **in_eks("b", "1")))
    assert groups(house.owed("tickets")) == [None, None]


def test_what_names_more_namespaces_than_a_notice_has_stands_alone(build: Build) -> None:
    """What is not named could be anything."""
    for count, expected in ((MOST_NAMESPACES, [(2, 2)]), (MOST_NAMESPACES + 1, [None, None])):
        house = build(a_grouping_book(Grouping((By.NAMESPACE,), HOUR)))
        inside = in_eks("a", "1", *map(str, range(count)))
        take(house, alert_body(f"a-{count}", **inside), alert_body(f"b-{count}", **inside))
        assert groups(house.owed("tickets")) == expected


@pytest.mark.parametrize(
    ("cves", "is_alike"),
    [
        (Cves(ids=CVES), True),
        (Cves(ids=(*CVES, "CVE-2026-9999")), False),
        (Cves(ids=("CVE-2026-1",), is_whole=False), False),
        (Cves(ids=()), False),
        (None, False),
    ],
)
def test_what_may_name_more_cves_than_are_known_stands_alone(cves: Cves | None, is_alike: bool) -> None:
    """A list that was cut, in the message or in the notice, could go on as any other."""
    finding, book = replace(a_finding(), cves=cves), a_rulebook(stream=Stream.CSPM)
    notice = notice_for(finding, Evidence(), decide(finding, book, NOW), book, "key", 1)
    assert bool(common_values_of(notice, Grouping((By.CVE,), HOUR))) is is_alike
    assert notice.has_more_cves is (cves is not None and (not cves.is_whole or len(cves.ids) > MOST_CVES))


def test_it_is_said_in_which_tag_signals_are_alike(build: Build) -> None:
    """And which one a signal lacks that stands alone."""
    book = replace(a_grouping_book(Grouping((ByTag("team"), By.NAMESPACE), HOUR)), owners=Owners((), TAGS))
    spec, house = book.destinations["tickets"], build(book)
    take(house, alert_body("a"), alert_body("b", **in_eks("a", "1", "shop")))
    told = {notice.id: notice for notice in notices(house.owed("tickets"))}
    assert explain_grouping(told["a"], spec) == "no, it has no namespace"
    assert explain_grouping(told["b"], spec) == "no, it has no tag.team"
    both = replace(told["a"], namespaces=("shop",))
    assert explain_grouping(both, spec) == "with those of tag.team Web and namespace shop within 1h of the first"


def an_incident(id: str, *members: str, **fields: object) -> bytes:
    """An incident that names its alerts, on another resource and of another type than they are."""
    named = [{"$id": str(n), "Type": "security-alert", "SystemAlertIds": [one]} for n, one in enumerate(members)]
    other = {"AlertType": "Incident", "AzureResourceId": f"{RESOURCE}-2", "IsIncident": True, "Entities": named}
    return alert_body(id, **(other | fields))


@pytest.mark.parametrize("order", [("i", "a", "b"), ("a", "i", "b"), ("a", "b", "i")])
@pytest.mark.parametrize("grouping", [ALIKE, Grouping((By.INCIDENT,), HOUR)])
def test_an_incident_and_its_alerts_are_one_page_in_whatever_order_they_come(
    build: Build, order: Sequence[str], grouping: Grouping
) -> None:
    """An incident joins the page of an alert that it names, and an alert that it named joins its page."""
    bodies = {"i": an_incident("i", "a", "b"), "a": alert_body("a"), "b": alert_body("b", AlertType="Other")}
    house = build(a_grouping_book(grouping))
    opened = []
    for id in order:
        take(house, bodies[id])
        opened += [claim.delivery.key for claim in house.owed("tickets") if claim.delivery.change == "opened"]
    # Two alerts that nothing links when they come are two pages; what links them comes too late for the second.
    assert len(set(opened)) == (2 if order == ("a", "b", "i") else 1)


@pytest.mark.parametrize("order", [("i", "a"), ("a", "i")])
def test_an_incident_names_an_alert_in_any_spelling(build: Build, order: Sequence[str]) -> None:
    """Case and blanks at the ends of an id are no part of it."""
    house = build(a_grouping_book(Grouping((By.INCIDENT,), HOUR)))
    bodies = {"i": an_incident("i", " AL-a "), "a": alert_body("Al-A")}
    for id in order:
        take(house, bodies[id])
        house.owed("tickets")
    take(house, an_incident("i", "al-a", Status="Resolved"), alert_body("al-a", Status="Resolved"))
    assert changes(house.owed("tickets")) == ["resolved"]


def test_an_incident_that_only_names_more_alerts_is_its_next_turn(build: Build) -> None:
    """Nothing else of it changed: people hear which alerts came to it, and those join its page when they come."""
    house = build(a_grouping_book())
    take(house, an_incident("i", "a"))
    house.owed("tickets")
    (entry,) = house.ingest(a_message(an_incident("i", "a", "b")))
    assert (entry.outcome, entry.notice) == ("routed", "updated")
    (update,) = house.owed("tickets")
    assert (update.delivery.change, notices([update])[0].alerts) == ("updated", ("b", "a"))
    take(house, alert_body("b"))
    assert changes(house.owed("tickets")) == ["updated"]


@pytest.mark.parametrize("again", [("a", "b"), ("b", "a"), ("A ", "b"), ("a",), ()])
def test_an_incident_that_names_nothing_more_is_a_repeat(build: Build, again: tuple[str, ...]) -> None:
    """The same alerts, in another order or spelling, or fewer of them, are no news."""
    house = build(a_grouping_book())
    take(house, an_incident("i", "a", "b"))
    house.owed("tickets")
    (entry,) = house.ingest(a_message(an_incident("i", *again)))
    assert (entry.outcome, entry.reason) == ("repeat", "same")


def test_an_alert_beyond_the_fiftieth_that_an_incident_names_later_is_claimed(build: Build) -> None:
    """What is new comes first in what a notice names, so that growth is never cut away."""
    house = build(a_grouping_book())
    many = [f"a{number}" for number in range(50)]
    take(house, an_incident("i", *many))
    take(house, an_incident("i", *many, "late"))
    house.owed("tickets")
    take(house, alert_body("late"))
    assert changes(house.owed("tickets")) == ["updated"]


def test_an_alert_claims_no_other(build: Build) -> None:
    """Only an incident speaks for others: an alert with such entities takes nobody's page away."""
    house = build(a_grouping_book())
    take(house, an_incident("evil", "victim", IsIncident=False))
    take(house, alert_body("victim"))
    assert changes(house.owed("tickets")) == ["opened", "opened"]


def test_a_signal_that_comes_back_within_its_group_is_counted_once(build: Build) -> None:
    """Three openings of one alert are one member."""
    house = build(a_grouping_book())
    for status in ("New", "Resolved", "New", "Resolved", "New"):
        take(house, alert_body("a", Status=status))
        house.owed("tickets")
    take(house, alert_body("b"))
    assert groups(house.owed("tickets")) == [(2, 2)]


def test_a_flapping_storm_opens_summaries_no_more_often_than_anything_else(build: Build) -> None:
    """Each alert is over before the next one comes, so that the summary is over each time: it opens, and again
    twice, as the limit is two, and then counts in silence until there is room again."""
    house = build(a_grouping_book(None, Limit(2, HOUR)))
    opened = []
    for number in range(20):
        for status in ("New", "Resolved"):
            take(house, alert_body(f"a{number}", Status=status), at=NOW + number * MINUTE)
            opened += [
                one for one in house.owed("tickets", NOW + number * MINUTE) if one.delivery.change is Change.OPENED
            ]
    assert len(opened) == 2 + 1 + 2
    take(house, alert_body("late"), at=NOW + HOUR + MINUTE)
    (last,) = house.owed("tickets", NOW + HOUR + MINUTE)
    assert last.delivery.change is Change.OPENED


def test_values_cannot_be_written_so_that_others_look_alike(build: Build) -> None:
    """What separates values in a key is no part of any."""
    house = build(a_grouping_book(Grouping((By.ALERT_TYPE, By.ENTITY), HOUR)))
    take(
        house,
        alert_body("a", AlertType="A\x1fentity:b", CompromisedEntity="c"),
        alert_body("b", AlertType="A", CompromisedEntity="b\x1fentity:c"),
    )
    assert changes(house.owed("tickets")) == ["opened", "opened"]


LIMITED = Limit(3, HOUR)
HIGH = Clause("severity", "High", lambda signal, _: signal.severity is Severity.HIGH)


def test_past_the_limit_one_summary_says_what_is_held(build: Build) -> None:
    """Of ten alerts on ten resources three open, and one summary counts and names the other seven."""
    house = build(a_grouping_book(limit=LIMITED))
    for number in range(10):
        take(house, alert_body(f"a{number}", AzureResourceId=f"{RESOURCE}{number}", AlertDisplayName=f"Alert {number}"))
    claims = house.owed("tickets")
    assert changes(claims).count("opened") == 4
    summary = notices(claims)[-1].group
    assert isinstance(summary, Group)
    assert (summary.limited, summary.total, [one.title for one in summary.named][:2]) == (
        True,
        7,
        ["Alert 9", "Alert 8"],
    )
    assert summary.by == (("limit", "3 openings in 1h"),)
    assert changes(house.owed("sentinel")) == ["opened"] * 10, "rows have all of them"


def test_the_limit_counts_openings_of_any_window(build: Build) -> None:
    """An hour after the first opening there is room for one more, and not before."""
    house = build(a_grouping_book(group=None, limit=Limit(1, HOUR)))
    take(house, alert_body("a"))
    take(house, alert_body("b"), at=NOW + HOUR - timedelta(microseconds=1))
    take(house, alert_body("c"), at=NOW + HOUR)
    found = notices(house.owed("tickets", NOW + HOUR))
    assert {one.id: one.group is not None for one in found} == {"a": False, "b": True, "c": False}


def test_what_the_summary_held_is_over_with_the_last_of_it(build: Build) -> None:
    """A signal that joined the summary is resolved there."""
    house = build(a_grouping_book(group=None, limit=Limit(1, HOUR)))
    take(house, *alerts("a"))
    take(house, *alerts("b", "c"))
    house.owed("tickets")
    take(house, *alerts("b", Status="Resolved"))
    assert house.owed("tickets") == []
    take(house, *alerts("c", Status="Resolved"))
    (claim,) = house.owed("tickets")
    assert (claim.delivery.change, groups([claim])) == ("resolved", [(2, 0)])


def test_at_a_pager_one_that_is_graver_opens_a_page_of_its_own(build: Build) -> None:
    """What joins a page calls nobody: a High does not go unheard on a Medium that somebody has acknowledged."""
    house = build(a_grouping_book(lane=Lane.PAGE))
    for id, severity in (("a", "Medium"), ("b", "High"), ("c", "Medium"), ("d", "High"), ("e", None)):
        take(house, alert_body(id, Severity=severity))
    claims = house.owed("tickets")
    assert [one.severity for one in notices(claims) if one.turn == 1] == ["Medium", "High", None]
    assert [count for count in groups(claims) if count] == [(3, 3)], "the Medium and the High that follow join the High"


def test_a_batch_at_a_pager_is_opened_by_its_gravest(build: Build) -> None:
    """A Medium and the High that came with it are one page, in the words of the High."""
    house = build(a_grouping_book(lane=Lane.PAGE))
    take(house, alert_body("a", Severity="Medium"), alert_body("b", Severity="High", AlertDisplayName="Worse"))
    (notice,) = notices(house.owed("tickets"))
    assert (notice.severity, notice.title) == ("High", "Worse")


def test_beyond_the_limit_of_a_pager_one_that_is_graver_opens_one_more_summary(build: Build) -> None:
    """At most one for each step in severity: the first Critical of a storm of Mediums calls somebody."""
    house = build(a_grouping_book(None, Limit(1, HOUR), Lane.PAGE))
    for id, severity in (
        ("a", "High"),
        ("b", "Medium"),
        ("c", "Medium"),
        ("d", "High"),
        ("e", "High"),
        ("f", "Medium"),
    ):
        take(house, alert_body(id, Severity=severity))
    claims = house.owed("tickets")
    assert [one.severity for one in notices(claims) if one.turn == 1] == ["High", "Medium", "High"]


def test_whoever_has_a_pager_of_their_own_is_called_by_it(build: Build) -> None:
    """Neither a group nor a limit lets an alert of one team end on the page of another."""
    payments = Ownership(lambda _, group: group == "rg-pay", Owner(group="pay", pager="PAYKEY"))
    book = a_grouping_book(Grouping((By.ALERT_TYPE,), HOUR), Limit(1, HOUR), Lane.PAGE, otherwise=["tickets"])
    house = build(replace(book, owners=Owners((payments,))))
    theirs = RESOURCE.replace("rg-web", "rg-pay")
    take(house, *alerts("a", "b"), *alerts("c", "d", AzureResourceId=theirs))
    take(house, alert_body("e", AlertType="Other"), alert_body("f", AlertType="Other", AzureResourceId=theirs))
    found = notices(house.owed("tickets"))
    pagers = {
        one.key: {other.owner.pager if other.owner else None for other in found if other.key == one.key}
        for one in found
    }
    assert sorted(map(str, pagers.values())) == ["{'PAYKEY'}", "{'PAYKEY'}", "{None}", "{None}"]


def test_a_group_is_answered_by_the_soonest_of_its_members(build: Build) -> None:
    """A member that has more time does not give the others more."""
    routes = [
        a_route("slow", "tickets", respond_within=8 * HOUR),
        a_route("fast", "tickets", respond_within=HOUR, when=[HIGH]),
    ]
    house = build(a_grouping_book(routes=routes))
    for id, severity in (("a", "Medium"), ("b", "High"), ("c", "Medium")):
        take(house, alert_body(id, Severity=severity))
        respond_by = notices(house.owed("tickets"))[-1].respond_by
        assert respond_by == ("2026-11-24T20:00:00Z" if id == "a" else "2026-11-24T13:00:00Z")


def test_a_group_stays_one_when_the_policy_groups_no_longer(build: Build) -> None:
    """What was opened as a member is updated and resolved as one, whatever the policy says by now."""
    house = build(a_grouping_book())
    take(house, *alerts("a", "b"))
    (opening,) = house.owed("tickets")
    house.book = a_rulebook()
    take(house, *alerts("a", "b", Status="Resolved"))
    (end,) = house.owed("tickets")
    assert (end.delivery.change, end.delivery.key) == ("resolved", opening.delivery.key)


def test_a_signal_stays_by_itself_when_the_policy_begins_to_group(build: Build) -> None:
    """What was opened under its own key is resolved under it."""
    house = build(a_rulebook())
    take(house, alert_body("a"))
    house.owed("tickets")
    house.book = a_grouping_book()
    take(house, alert_body("a", Status="InProgress"), alert_body("b"))
    take(house, alert_body("a", Status="Resolved"))
    found = house.owed("tickets")
    own = [claim.delivery.change for claim in found if claim.delivery.key == signal_key("cwpp", "alert", "a")]
    assert (own, len(found)) == (["updated", "resolved"], 3)
