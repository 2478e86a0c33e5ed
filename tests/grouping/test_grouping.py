"""The notices of groups: one opening, the rest as updates, the resolution with the last member."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from copy import replace
from datetime import timedelta
from typing import Any

import pytest

from router.decide import decide, notice_for
from router.decide.notice import MOST_CVES, MOST_NAMESPACES
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
from router.ingest.grouping import explain_grouping, tell_waiting
from router.ingest.grouping.grouping_keys import common_values_of
from tests.builders import NOW, RESOURCE, a_destination, a_finding, a_message, a_route, a_rulebook, alert_body
from tests.ingest.test_intake import changes
from tests.store.acts import HOUR, INSTANT, MINUTE, an_empty_store, run
from tests.store.life import Life

AT_ONCE = timedelta()
ALIKE = Grouping((By.ALERT_TYPE, By.RESOURCE), HOUR)
ONE, TWO = Limit(1, HOUR), Limit(2, HOUR)
THEIRS = RESOURCE.replace("rg-web", "rg-pay")
OWNERSHIPS = tuple(
    Ownership(lambda _, group, of=group: group == of, Owner(group=group, pager=pager))  # type: ignore[misc]
    for group, pager in (("rg-web", "A_KEY"), ("rg-pay", "B_KEY"))
)
PAGERS = Owners(OWNERSHIPS)
SAMPLE: dict[str, Any] = {"AlertDisplayName": "[SAMPLE ALERT] test"}


def a_grouped(
    group: Grouping | None = ALIKE, limit: Limit | None = None, lane: Lane = Lane.TICKET, name: str = "tickets"
) -> DestinationSpec:
    """A destination that groups signals."""
    return replace(a_destination(name, lane), group=group, limit=limit)


def a_grouping_book(
    group: Grouping | None = ALIKE, limit: Limit | None = None, lane: Lane = Lane.TICKET, **others: Any
) -> Rulebook:
    """A rulebook whose `tickets` are grouped, and whose `sentinel` gets every signal."""
    destinations = [a_grouped(group, limit, lane), a_destination("sentinel", Lane.ROWS)]
    return a_rulebook(destinations=destinations, **others)


class Tickets(Life):
    """The destination `tickets` of a router: messages are taken in, a clock ticks, and it receives notices."""

    def take(self, *bodies: bytes, at: timedelta = AT_ONCE) -> None:
        self.now = NOW + at
        self.ingest(*map(a_message, bodies))

    def alerts(self, *ids: str, at: timedelta = AT_ONCE, **fields: object) -> None:
        """Takes alerts in that differ in nothing but their ids, which are their titles as well."""
        self.take(*(alert_body(id, **{"AlertDisplayName": id} | fields) for id in ids), at=at)

    def receive(self, at: timedelta = AT_ONCE, destination: str = "tickets") -> list[Claim]:
        self.now = NOW + at
        return self.owed(destination)

    def said(self, at: timedelta = AT_ONCE) -> list[tuple[str, str, tuple[int, int] | None]]:
        """What each notice received changes, whose words it is in, and how many signals it tells of, and how many stand."""
        return [(one.delivery.change.value, notice_in(one).title, counts_in(one)) for one in self.receive(at)]

    def opened(self, at: timedelta = AT_ONCE) -> list[str]:
        """In whose words something is opened by what is received."""
        return [title for change, title, _ in self.said(at) if change == "opened"]

    def sweep(self, at: timedelta) -> list[Claim]:
        """What is received after the clock has ticked."""
        run(tell_waiting(self.store, self.book, NOW + at))
        return self.receive(at)

    def flap(self) -> None:
        """A opens, B and C come and go beyond the limit, and D stands with no room left."""
        statuses = [("A", "New"), ("B", "New"), ("B", "Dismissed"), ("C", "New"), ("C", "Dismissed"), ("D", "New")]
        for minute, (id, status) in enumerate(statuses):
            self.alerts(id, at=minute * MINUTE, Status=status)
            self.receive(minute * MINUTE)


def notice_in(claim: Claim) -> Notice:
    assert isinstance(claim.delivery.content, Notice)
    return claim.delivery.content


def group_in(claim: Claim) -> Group:
    group = notice_in(claim).group
    assert isinstance(group, Group)
    return group


def counts_in(claim: Claim) -> tuple[int, int] | None:
    group = notice_in(claim).group
    return (group.total, group.standing) if group is not None else None


def opened_by(claims: Sequence[Claim]) -> list[tuple[str, str]]:
    """What each notice changes, and in whose words."""
    return [(one.delivery.change.value, notice_in(one).title) for one in claims]


def pager_of(claim: Claim) -> str:
    owner = notice_in(claim).owner
    return str(owner and owner.pager)


type Build = Callable[..., Tickets]


@pytest.fixture
def build() -> Iterator[Build]:
    """Builds such a destination under a rulebook; its store is closed when the test ends."""
    with ExitStack() as stores:
        yield lambda book=None: Tickets(stores.enter_context(an_empty_store()), book or a_grouping_book())


def test_a_message_that_comes_again_into_a_restored_state_opens_the_same_group(build: Build) -> None:
    """Its page and its ticket are found again, also of the summary of what a limit holds, whatever the clock says by then. Once
    that group is over, and its window, the same signal opens another one."""
    keys = []
    for at in (AT_ONCE, HOUR):
        tickets = build(a_grouping_book(limit=ONE))
        messages = [a_message(alert_body(id, AlertType=id), origin=f"hub/{id}", place=0, at=NOW - HOUR) for id in "ab"]
        for tickets.now, some in ((NOW + at, messages[:1]), (NOW + at + MINUTE, messages[1:])):
            tickets.ingest(*some)
        keys.append([one.delivery.key for one in tickets.receive(at + MINUTE)])
        for minute, status in ((2, "Resolved"), (200, "New")):
            tickets.alerts("a", AlertType="a", Status=status, at=at + minute * MINUTE)
        assert tickets.receive(at + 200 * MINUTE)[-1].delivery.key not in keys[0]
    assert keys[0] == keys[1]
    assert len({*keys[0]}) == 2


def test_the_first_looks_like_any_other_and_those_that_follow_are_counted_and_named(build: Build) -> None:
    """Nobody waits for a window to end. A batch makes one notice of a group; a signal that comes back is counted once."""
    tickets = build()
    tickets.alerts("a", Severity="Medium")
    (opening,) = tickets.receive()
    first = notice_in(opening)
    assert (opening.delivery.change, first.group, first.id) == ("opened", None, "a")
    assert first.key == opening.delivery.key != tickets.key("a")
    tickets.alerts("b", "c", Severity="Medium")
    for status in ("Resolved", "New"):
        tickets.alerts("b", Severity="Medium", Status=status)
    (*_, update) = tickets.receive()
    last = group_in(update)
    assert (last.total, last.standing, {one.title for one in last.named}) == (3, 3, {"a", "b", "c"})
    assert last.by == (("alert_type", "VM_Test"), ("resource", RESOURCE))
    assert (update.delivery.change, update.delivery.key) == ("updated", opening.delivery.key)
    tickets.alerts("grave", Severity="High")
    for number in range(30):
        tickets.alerts(str(number), Severity="High")
    (*_, update) = tickets.receive()
    last = group_in(update)
    assert (last.standing, "grave" in [one.title for one in last.named]) == (34, True), "the first of its severity"
    tickets.alerts(*map(str, range(50, 100)), AlertType="Other")
    assert [counts for _, _, counts in tickets.said()] == [(50, 50)]


def test_a_group_is_over_with_its_last_member_and_opens_again_within_its_window(build: Build) -> None:
    """Members that are over say nothing while others stand; what is over before it was sent is skipped."""
    tickets = build()
    tickets.alerts("a", "b")
    (opening,) = tickets.receive()
    tickets.alerts("a", Status="Resolved")
    assert tickets.receive() == []
    tickets.alerts("b", Status="Dismissed")
    (end,) = tickets.receive()
    assert (end.delivery.change, end.delivery.key, counts_in(end)) == ("resolved", opening.delivery.key, (2, 0))
    tickets.alerts("c", at=MINUTE)
    tickets.alerts("c", at=MINUTE, Status="Resolved")
    assert tickets.receive(MINUTE) == []
    tickets.alerts("d", at=MINUTE)
    (again,) = tickets.receive(MINUTE)
    tickets.alerts("e", at=MINUTE)
    (update,) = tickets.receive(MINUTE)
    assert {one.delivery.key for one in (again, update)} == {opening.delivery.key}
    assert (again.delivery.change, again.delivery.turn, update.delivery.opened) == ("opened", 5, 5)


def test_the_window_counts_from_the_first_signal(build: Build) -> None:
    """Just before its end others join, at its end they do not. A member of an earlier window ends its own group."""
    tickets = build()
    tickets.alerts("a")
    tickets.alerts("b", at=HOUR - INSTANT)
    tickets.alerts("c", at=HOUR)
    claims = tickets.receive(HOUR)
    keys = {notice_in(one).id: one.delivery.key for one in claims}
    assert sorted(changes(claims)) == ["opened", "opened", "updated"]
    assert keys["a"] == keys["b"] != keys["c"]
    tickets.alerts("a", "b", at=2 * HOUR, Status="Resolved")
    (end,) = tickets.receive(2 * HOUR)
    assert (end.delivery.change, end.delivery.key) == ("resolved", keys["a"])


def test_a_group_that_ended_untold_is_told_once_where_one_of_its_members_was_to_page(build: Build) -> None:
    """Whichever member is the last; of those that no pager was to hear of nobody is told, nor of what opens again since."""
    routes = [a_route("page", "oncall", when=[HIGH]), a_route("all", "tickets")]
    pager = a_grouped(lane=Lane.PAGE, name="oncall")
    tickets = build(a_rulebook(destinations=[a_grouped(), pager], routes=routes))
    for status in ("New", "Resolved"):
        for id, severity in (("a", "Medium"), ("b", "High"), ("c", "Medium")):
            tickets.alerts(id, Severity=severity, Status=status)
            tickets.alerts(f"quiet-{id}", Severity="Medium", AlertType="VM_Other", Status=status)
    (claim,) = tickets.receive()
    assert (claim.delivery.change, claim.is_untold, counts_in(claim)) == ("resolved", True, (3, 0))
    assert tickets.receive(destination="oncall") == []
    for severity, id in (("High", "d"), ("Medium", "e")):
        tickets.alerts(id, Severity=severity, AlertType="VM_Third")
    tickets.alerts("d", "e", AlertType="VM_Third", Status="Resolved")
    tickets.alerts("f", Severity="Medium", AlertType="VM_Third")
    assert [one[:2] for one in tickets.said()] == [("opened", "f")]
    lasting = a_grouped(Grouping(ALIKE.by, None))
    tickets = build(a_rulebook(destinations=[lasting, pager], routes=routes))
    # No notice is in the words of B, which joins and leaves between two notes.
    for id, status in (*((id, "New") for id in "aBc"), *((id, "Resolved") for id in "Bca")):
        tickets.alerts(id, Severity="High" if id == "B" else "Medium", Status=status)
    (claim,) = tickets.receive()
    assert (claim.delivery.change, claim.is_untold) == ("resolved", True)


HIGH = Clause("severity", "High", lambda signal, _: signal.severity is Severity.HIGH)


def test_a_group_is_as_grave_as_its_gravest_member_ever_was_and_answered_by_the_soonest(build: Build) -> None:
    """A Medium that joins does not make a High less urgent; what has no severity is the gravest. A member that has more time
    does not give the others more."""
    slow = a_route("slow", "tickets", respond_within=8 * HOUR)
    routes = [slow, a_route("fast", "tickets", respond_within=HOUR, when=[HIGH])]
    soon, late = "2026-11-24T13:00:00Z", "2026-11-24T20:00:00Z"
    for first, then, gravest in (("High", "Medium", "High"), ("Medium", "High", "High"), ("High", None, None)):
        for joins in "ab":
            tickets = build(a_grouping_book(routes=routes))
            tickets.alerts(joins, "c", Severity=first)
            assert notice_in(tickets.receive()[-1]).respond_by == (late if first == "Medium" else soon)
            tickets.alerts(joins, Severity=then, Status="InProgress")
            (update,) = tickets.receive()
            assert (update.delivery.change, notice_in(update).severity) == ("updated", gravest)
            assert notice_in(update).respond_by == soon


CONNECTORS = "/subscriptions/9/resourceGroups/rg-connectors/providers/Microsoft.Security/securityConnectors"
IN_GROUP = RESOURCE.lower().partition("/providers/")[0]
CVES = tuple(f"CVE-2026-{number:04}" for number in range(MOST_CVES))
TAGS = Tags({
    IN_GROUP: {"team": "Web"}, f"{RESOURCE.lower()}2": {"team": "web"}, IN_GROUP.replace("web", "db"): {"team": "db"},
})  # fmt: skip
GUID = "0b06d9ea-afe6-4779-bd59-30e5c2d9d13f"
SANDBOX = "/subscriptions/9/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/pay-web-1"
ELSEWHERE = RESOURCE.replace("rg-web", "rg-db")


def in_eks(cluster: str, account: str, *namespaces: str, connector: str = "corp") -> dict[str, object]:
    """What an alert says of a cluster of AWS."""
    name = f"arn:aws:eks:eu-west-2:{account}:cluster/{cluster}"
    inside = [{"Type": "K8s-namespace", "Name": one} for one in namespaces]
    resource = f"{CONNECTORS}/{connector}/securityentitydata/{cluster}"
    return {"AzureResourceId": resource, "Entities": [{"Type": "K8s-cluster", "Name": name}, *inside]}


def in_gke(project: str) -> dict[str, object]:
    """What an alert says of a cluster of Google's."""
    return {"AzureResourceId": f"//container.googleapis.com/projects/{project}/locations/l/clusters/c"}


def on(resource: str | None) -> dict[str, object]:
    """What an alert says of a machine; the same name stands in many places."""
    return {"AzureResourceId": resource, "CompromisedEntity": "pay-web-1"}


def named(entity: str) -> dict[str, object]:
    """What an alert says whose resource is not known."""
    return {"AzureResourceId": f"/subscriptions/{GUID}", "CompromisedEntity": entity}


ALIKES: Sequence[tuple[By | ByTag, dict[str, object], dict[str, object], list[dict[str, object]]]] = [
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
    (By.RESOURCE_GROUP, on(RESOURCE), on(f"{RESOURCE.replace('rg-web', 'RG-WEB')}2"), [
        on(ELSEWHERE), on(SANDBOX), in_eks("a", "1"), in_eks("b", "1"),
    ]),
    (By.ACCOUNT, in_eks("a", "1"), in_eks("b", "1"), [in_eks("a", "2")]),
    (By.CLUSTER, in_eks("a", "1"), in_eks("A", "1"), [in_eks("b", "1"), in_eks("a", "2")]),
    (By.CONNECTOR, in_eks("a", "1"), in_eks("b", "2", connector="CORP"), [
        in_eks("a", "1", connector="other"), on(f"{CONNECTORS}/corp/x".replace("/9/", "/1/")),
    ]),
    (By.PROJECT, in_gke("shop"), in_gke("SHOP"), [in_gke("books")]),
    (By.NAMESPACE, in_eks("a", "1", "shop", "jobs"), in_eks("a", "1", "jobs", "shop"), [
        in_eks("a", "1", "shop"), in_eks("a", "2", "shop", "jobs"), in_eks("b", "1", "shop", "jobs"),
        *[in_eks("a", "1", *map(str, range(MOST_NAMESPACES + 1)))] * 2,
    ]),
    (ByTag("team"), on(RESOURCE), on(f"{RESOURCE}2"), [on(ELSEWHERE)]),
    (By.OWNER, on(THEIRS), on(f"{THEIRS}2"), [on(RESOURCE)]),
]  # fmt: skip
"""What signals may be alike in: what one says, another that is alike, and some that are not."""


def test_signals_are_alike_in_what_the_policy_names(build: Build, subtests: pytest.Subtests) -> None:
    """Whatever the case it is written in; what differs there opens by itself, and so does what lacks it or could have more
    of it than is named. A name that a stranger may choose, of a machine, a group, a cluster or a namespace, stands for one
    thing only within what is theirs. What nobody owns is one group as well."""
    lacking: dict[str, Any] = {"AzureResourceId": None, "CompromisedEntity": None, "CorrelationKey": ""}
    for by, one, like, unlike in ALIKES:
        with subtests.test(str(by)):
            tickets = build(replace(a_grouping_book(Grouping((by,), HOUR)), owners=Owners(OWNERSHIPS, TAGS)))
            tickets.take(*(alert_body(str(number), **said) for number, said in enumerate((one, like, *unlike))))
            found = tickets.receive()
            assert changes(found) == ["opened"] * (1 + len(unlike))
            assert Counter(map(counts_in, found)) == {(2, 2): 1, None: len(unlike)}
            tickets.alerts("lacking", "more", **lacking)
            assert len(tickets.receive()) == (1 if by in (By.ALERT_TYPE, By.TACTICS, By.OWNER) else 2)


def test_what_may_name_more_cves_than_are_known_stands_alone() -> None:
    """A list that was cut, in the message or in the notice, could go on as any other."""
    book = a_rulebook(stream=Stream.CSPM)
    for cves, is_alike in (
        (Cves(ids=CVES), True),
        (Cves(ids=(*CVES, "CVE-2026-9999")), False),
        (Cves(ids=("CVE-2026-1",), is_whole=False), False),
        (Cves(ids=()), False),
        (None, False),
    ):
        finding = replace(a_finding(), cves=cves)
        notice = notice_for(finding, Evidence(), decide(finding, book, NOW), book, "key", 1)
        assert bool(common_values_of(notice, Grouping((By.CVE,), HOUR))) is is_alike
        assert notice.has_more_cves is (cves is not None and (not cves.is_whole or len(cves.ids) > MOST_CVES))


def test_it_is_explained_in_what_signals_are_alike_and_what_one_lacks(build: Build) -> None:
    """And what separates values in a key is no part of any, so that none can be written to look like others."""
    book = replace(a_grouping_book(Grouping((ByTag("team"), By.NAMESPACE), HOUR)), owners=Owners((), TAGS))
    spec, tickets = book.destinations["tickets"], build(book)
    tickets.take(alert_body("a"), alert_body("b", **in_eks("a", "1", "shop")))
    told = {notice_in(one).id: notice_in(one) for one in tickets.receive()}
    assert explain_grouping(told["a"], spec) == "no, it has no namespace"
    assert explain_grouping(told["b"], spec) == "no, it has no tag.team"
    both = replace(told["a"], namespaces=("shop",))
    assert explain_grouping(both, spec) == "with those of tag.team Web and namespace shop within 1h of the first"
    tickets.book = a_grouping_book(Grouping((By.ALERT_TYPE, By.ENTITY), HOUR))
    tickets.alerts("c", AlertType="A\x1fentity:b", CompromisedEntity="c")
    tickets.alerts("d", AlertType="A", CompromisedEntity="b\x1fentity:c")
    assert tickets.opened() == ["c", "d"]


def an_incident(id: str, *members: str, **fields: object) -> bytes:
    """An incident that names its alerts, on another resource and of another type than they are."""
    named = [{"$id": str(n), "Type": "security-alert", "SystemAlertIds": [one]} for n, one in enumerate(members)]
    other = {"AlertType": "Incident", "AzureResourceId": f"{RESOURCE}-2", "IsIncident": True, "Entities": named}
    return alert_body(id, **(other | fields))


def test_an_incident_and_its_alerts_are_one_page_in_whatever_order_they_come(build: Build) -> None:
    """An incident joins the page of an alert that it names, in whatever spelling, and an alert that it named joins its page.
    Only an incident speaks for others: an alert with such entities takes nobody's page away."""
    bodies = {"i": an_incident("i", " A ", "b"), "a": alert_body("a"), "b": alert_body("b", AlertType="Other")}
    evil = an_incident("evil", "victim", IsIncident=False, AlertType="evil")
    for grouping in (ALIKE, Grouping((By.INCIDENT,), HOUR)):
        # Two alerts that nothing links when they come are two pages; what links them comes too late for the second.
        for order, pages in (("iab", 1), ("aib", 1), ("abi", 2)):
            tickets, opened = build(a_grouping_book(grouping)), []
            for id in order:
                tickets.take(bodies[id])
                opened += tickets.opened()
            assert len(opened) == pages
            tickets.take(evil, alert_body("victim", AlertType="victim"))
            assert len(tickets.opened()) == 2


def test_an_incident_that_names_more_alerts_says_first_what_is_new(build: Build) -> None:
    """So that growth is never cut away; those that it names since join its page when they come."""
    tickets, many = build(), [f"a{number}" for number in range(50)]
    tickets.take(an_incident("i", *many))
    tickets.receive()
    tickets.take(an_incident("i", *many, "late"))
    (update,) = tickets.receive()
    assert (update.delivery.change, notice_in(update).alerts[0]) == ("updated", "late")
    tickets.alerts("late")
    assert changes(tickets.receive()) == ["updated"]


def test_past_the_limit_one_summary_says_what_is_held_and_is_over_with_the_last_of_it(build: Build) -> None:
    """Of ten alerts on ten resources two open, and one summary counts and names the other eight. An hour after the first
    opening there is room for one more, and not before. Rows have all of them."""
    tickets = build(a_grouping_book(limit=TWO))
    ids = [str(number) for number in range(10)]
    for id in ids:
        tickets.alerts(id, AzureResourceId=f"{RESOURCE}{id}")
    tickets.alerts("early", AzureResourceId="early", at=HOUR - INSTANT)
    claims = tickets.receive(HOUR)
    assert changes(claims).count("opened") == 3
    summary = group_in(claims[-1])
    assert (summary.limited, summary.total, [one.title for one in summary.named][:2]) == (True, 9, ["early", "9"])
    assert summary.by == (("limit", "2 openings in 1h"),)
    assert changes(tickets.receive(HOUR, "sentinel")) == ["opened"] * 11
    tickets.alerts("later", AzureResourceId="later", at=HOUR)
    assert tickets.said(HOUR) == [("opened", "later", None)]
    for id in ids[2:]:
        tickets.alerts(id, AzureResourceId=f"{RESOURCE}{id}", at=HOUR, Status="Resolved")
    assert tickets.receive(HOUR) == []
    tickets.alerts("early", AzureResourceId="early", at=HOUR, Status="Resolved")
    assert [(change, counts) for change, _, counts in tickets.said(HOUR)] == [("resolved", (9, 0))]


def test_at_a_pager_one_that_is_graver_opens_a_page_of_its_own(build: Build) -> None:
    """What joins a page calls nobody. A batch is opened by its gravest; beyond the limit there is at most one more summary for
    each step in severity: the first Critical of a storm of Mediums calls somebody."""
    pager = build(a_grouping_book(lane=Lane.PAGE))
    pager.take(*(alert_body(id, Severity=id, AlertDisplayName=id, AlertType="batch") for id in ("Medium", "High")))
    assert pager.said() == [("opened", "High", (2, 2))]
    for id, severity in (("a", "Medium"), ("b", "High"), ("c", "Medium"), ("d", "High"), ("e", None)):
        pager.alerts(id, Severity=severity)
    found = pager.said()
    assert [title for change, title, _ in found if change == "opened"] == ["a", "b", "e"]
    assert [counts for _, _, counts in found if counts] == [(3, 3)], "the Medium and the High that follow join the High"
    limited = build(a_grouping_book(None, ONE, Lane.PAGE))
    for id, severity in zip("abcdef", ("High", "Medium", "Medium", "High", "High", "Medium"), strict=True):
        limited.alerts(id, Severity=severity, AlertType="limited")
    severities = [notice_in(one).severity for one in limited.receive() if one.delivery.turn == 1]
    assert severities == ["High", "Medium", "High"]


def test_whoever_has_a_pager_of_their_own_is_called_by_it(build: Build) -> None:
    """Neither a group nor a limit lets an alert of one team end on the page of another."""
    book = a_grouping_book(Grouping((By.ALERT_TYPE,), HOUR), ONE, Lane.PAGE, otherwise=["tickets"])
    pager = build(replace(book, owners=PAGERS))
    for kind in ("One", "Other"):
        pager.alerts("a" + kind, "b" + kind, AlertType=kind)
        pager.alerts("c" + kind, "d" + kind, AlertType=kind, AzureResourceId=THEIRS)
    called = {(one.delivery.key, pager_of(one)) for one in pager.receive()}
    assert sorted(key for _, key in called) == ["A_KEY"] * 2 + ["B_KEY"] * 2
    assert len({key for key, _ in called}) == 4


def test_an_incident_takes_no_alert_of_another_pager_and_a_sample_no_real_one(build: Build) -> None:
    """It names an alert on B's resource, or a real one in a drill: that opens by itself, whichever comes first. However many
    samples came, a real alert opens by itself, not in a summary."""
    for theirs, drill, called in (({}, SAMPLE, ["A_KEY"] * 2), ({"AzureResourceId": THEIRS}, {}, ["A_KEY", "B_KEY"])):
        bodies = an_incident("i", "b", AzureResourceId=RESOURCE, **drill), alert_body("b", **theirs)
        for order in (bodies, bodies[::-1]):
            pager, found = build(replace(a_grouping_book(None, ONE, Lane.PAGE), owners=PAGERS)), []
            for body in order:
                pager.take(body)
                found += pager.receive()
            assert (changes(found), [counts_in(one) for one in found]) == (["opened"] * 2, [None] * 2)
            assert sorted(map(pager_of, found)) == called


def test_one_that_moves_to_another_pager_takes_none_along_that_waits_with_it(build: Build) -> None:
    """D and E wait for A's pager, and D turns out to be B's, where there is room or not: A's pager is called for E."""
    for is_b_free in (False, True):
        pager = build(replace(a_grouping_book(None, ONE, Lane.PAGE), owners=PAGERS))
        if not is_b_free:
            pager.alerts("1", "2", "3", AzureResourceId=THEIRS)
            pager.receive()
        pager.flap()
        pager.alerts("E", at=6 * MINUTE)
        pager.alerts("D", at=7 * MINUTE, AzureResourceId=THEIRS, Severity="Critical")
        assert [pager_of(one) for one in pager.sweep(HOUR) if (counts_in(one) or (0, 0))[1] == 2] == ["A_KEY"]


def test_what_waits_opens_as_soon_as_there_is_room_in_the_words_of_one_that_stands(build: Build) -> None:
    """The clock opens D once the first opening has left the window, and not before; no later message takes its room: E, which
    comes then, joins it."""
    tickets = build(a_grouping_book(None, ONE))
    tickets.flap()
    assert tickets.sweep(HOUR - INSTANT) == []
    tickets.alerts("E", at=HOUR)
    opened, updated = tickets.receive(HOUR)
    assert (opened.delivery.change, notice_in(opened).title, updated.delivery.change) == ("opened", "D", "updated")
    assert {one.title for one in group_in(updated).named} == {"D", "E"}
    assert tickets.sweep(2 * HOUR) == [], "it opens once"
    tickets.alerts("D", "E", at=2 * HOUR, Status="Dismissed")
    assert tickets.said(2 * HOUR)[0][0] == "resolved"


def test_a_summary_opens_never_where_nothing_stands(build: Build) -> None:
    """D waits, E joins it, D ends: it counts one, and names E. Once E is over too, nothing is opened or resolved."""
    tickets = build(a_grouping_book(None, ONE))
    tickets.flap()
    tickets.alerts("E", at=6 * MINUTE, Severity="Medium")
    tickets.alerts("D", at=7 * MINUTE, Status="Dismissed")
    limited = tickets.book
    tickets.book = a_grouping_book(None, None)
    assert opened_by(tickets.sweep(8 * MINUTE)) == [("opened", "E")], "a limit that is lifted keeps nothing waiting"
    tickets.book = limited
    tickets.alerts("E", at=8 * MINUTE, Status="Dismissed")
    assert tickets.said(8 * MINUTE)[0][0] == "resolved"
    tickets.alerts("F", at=8 * MINUTE)
    tickets.alerts("F", at=9 * MINUTE, Status="Dismissed")
    assert tickets.sweep(2 * HOUR) == []
    other = build(a_grouping_book(None, ONE))
    other.flap()
    assert opened_by(other.sweep(HOUR)) == [("opened", "D")]


def test_an_opening_in_an_impossible_future_counts_for_nothing(build: Build) -> None:
    """Nor does a window that ends there take others in; but the clocks of two workers may differ by seconds."""
    for ahead, is_alone in ((timedelta(days=365), True), (timedelta(seconds=30), False)):
        for group, limit in ((None, ONE), (ALIKE, None)):
            tickets = build(a_grouping_book(group, limit))
            tickets.alerts("a", at=ahead)
            tickets.receive(ahead)
            tickets.alerts("b")
            (one,) = tickets.receive()
            assert (counts_in(one) is None) is is_alone


def test_what_was_opened_as_a_group_or_alone_stays_so_when_the_policy_changes(build: Build) -> None:
    """What was opened as a member is resolved as one, and what was opened under its own key under that."""
    tickets = build()
    tickets.alerts("a", "b")
    (opening,) = tickets.receive()
    tickets.book = a_rulebook()
    tickets.alerts("a", "b", Status="Resolved")
    (end,) = tickets.receive()
    assert (end.delivery.change, end.delivery.key) == ("resolved", opening.delivery.key)
    tickets.alerts("alone")
    tickets.receive()
    tickets.book = a_grouping_book()
    tickets.alerts("alone", Status="InProgress")
    tickets.alerts("c")
    tickets.alerts("alone", Status="Resolved")
    found = tickets.receive()
    own = [one.delivery.change for one in found if one.delivery.key == signal_key("cwpp", "alert", "alone")]
    assert (own, len(found)) == (["updated", "resolved"], 3)
