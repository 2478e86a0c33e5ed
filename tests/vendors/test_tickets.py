"""Jira, ServiceNow and its Event Management over real sockets: what comes of a signal's life where people work, too."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from alert_router_demo.soc.accounts import new_account
from alert_router_demo.soc.faults import Hang, LoseAnswer, Status
from alert_router_demo.soc.jira import JiraDouble
from alert_router_demo.soc.servicenow import ServiceNowDouble
from alert_router_demo.soc.servicenow_events import EventManagementDouble
from router.domain.conversation import DestinationKind
from router.domain.deliveries import DeliveryState, Receipt
from router.domain.errors import Unavailable
from tests.destinations.builders import NOW, a_destination, a_notice
from tests.vendors.room import LONG, Room, huge, opened, play, resolved, types_of, updated

USER, TOKEN = "alert-router@contoso.example", "ATATT-token-1234"
ACCOUNT = new_account("cwpp")
AUTH = {"user": ACCOUNT.servicenow_user, "password": {"secret": "PASSWORD"}}
SECRETS = {"PASSWORD": ACCOUNT.servicenow_password}
KEY = a_notice().key
DRAFT, CLOSED, CANCELLED = "10", "3", "7"


def jira_at(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
    """The destination at a site, with its own example's fields left out."""
    return a_destination("jira", url=url, fields={}, labels=["{plan}"]), {"JIRA_TOKEN": TOKEN}


def a_site() -> JiraDouble:
    """A site that knows the account, and whose index lags until it catches up."""
    site = JiraDouble({USER: TOKEN}, client=("us", "client-secret-1234"))
    site.is_lagging = True
    return site


def test_an_issue_lives_as_its_signal() -> None:
    """Opened, commented while it stands, taken to done when it is over: at the site and through the gateway."""
    for path in ("", "/ex/jira/11223344"):
        site = a_site()

        async def act(room: Room, site: JiraDouble = site) -> None:
            await room.deliver(opened())
            (issue,) = site.open
            assert issue.fields["labels"] == [f"dfc-{KEY}", "VirtualMachines"]
            await room.deliver(updated(status="Active"))
            assert "Status: New to Active." in issue.comments[0]
            await room.deliver(resolved())
            assert (site.open, len(site.issues)) == ([], 1)

        play(site, jira_at, act, path)


def test_a_site_takes_the_longest_issue() -> None:
    """What was cut is within every limit that the vendor checks."""
    site = a_site()

    async def act(room: Room) -> None:
        (opening,) = await room.send(huge())
        words = {name: getattr(huge().content, name) for name in LONG}
        assert types_of([opening, *await room.send(updated(**words), opening=opening)]) == [Receipt] * 2

    play(site, jira_at, act)
    assert len(site.open[0].comments) == 1


def test_two_deliveries_at_once_or_a_lag_beyond_the_wait_make_two_issues() -> None:
    """Jira has no key of ours, and a search lags, so that a copy is not told apart there: that is counted, not hidden."""
    for is_at_once in (True, False):
        site = a_site()

        async def act(room: Room, is_at_once: bool = is_at_once) -> None:
            if is_at_once:
                await room.send_at_once(opened(), opened())
            else:
                await room.send(opened())
                await room.send(opened(), number=2)

        play(site, jira_at, act)
        assert len(site.issues) == 2


def test_a_resolution_whose_opening_died_finishes_what_it_left() -> None:
    """Without a receipt the label is enough, and without an issue the delivery is done as well."""
    site = a_site()

    async def act(room: Room) -> None:
        results = [await room.send(resolved(2), number=number) for number in (1, 2, 3)]
        assert list(map(types_of, results)) == [[Unavailable], [Unavailable], [Receipt]]
        await room.send(opened())
        site.catch_up()
        assert types_of(await room.send(resolved(2))) == [Receipt]

    play(site, jira_at, act)
    assert [issue.is_open for issue in site.issues] == [False]


def test_a_client_is_known_by_its_tokens() -> None:
    """OAuth client credentials: a token that was taken back is replaced once."""
    site = a_site()

    def as_client(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
        auth = {"client_id": "us", "client_secret": {"secret": "JIRA_CLIENT"}, "token_url": f"{url}/oauth/token"}
        return a_destination("jira", url=url, auth=auth, fields={}), {"JIRA_CLIENT": "client-secret-1234"}

    async def act(room: Room) -> None:
        assert types_of(await room.send(opened())) == [Receipt]
        site.catch_up()
        site.tokens.clear()
        assert types_of(await room.send(opened(), number=2)) == [Receipt]

    play(site, as_client, act)
    assert (len(site.tokens), len(site.issues)) == (1, 1)


def test_what_was_paged_and_ended_untold_is_one_finished_issue_whichever_answer_is_lost() -> None:
    """Its description says that it opened and is over; a comment would say it again."""
    for method, nth in (("POST", 1), ("POST", 2), ("POST", 3), ("GET", 1), ("GET", 2)):
        site = a_site()
        for _ in range(nth - 1):
            site.faults.add(Hang(0.001), method=method)
        site.faults.add(LoseAnswer(), method=method)

        async def act(room: Room, site: JiraDouble = site) -> None:
            await room.deliver_all(opened(paged=True), resolved(2, paged=True), later=site.catch_up)

        play(site, jira_at, act)
        (issue,) = site.issues
        assert (issue.status.category, issue.comments) == ("done", []), (method, nth)
        assert "before this could be told" in orjson.dumps(issue.fields["description"]).decode()


def security_incidents_at(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
    """The destination that opens security incidents."""
    return a_destination("servicenow", url=url, auth=AUTH, table="sn_si_incident", fields={"state": DRAFT}), SECRETS


def an_instance() -> ServiceNowDouble:
    """An instance with Security Incident Response."""
    instance = ServiceNowDouble([ACCOUNT])
    instance.inactive_states = frozenset({CLOSED, CANCELLED})
    return instance


def columns_of(instance: ServiceNowDouble, *columns: str) -> list[tuple[str, ...]]:
    """Those columns of every ticket, in the order in which they were made."""
    return [tuple(ticket.fields[column] for column in columns) for ticket in instance.tickets]


def test_a_security_incident_lives_until_its_signal_is_over() -> None:
    """It is opened once though an answer is lost, gets a note, and is closed with a code and notes."""
    instance = an_instance()

    async def act(room: Room) -> None:
        instance.faults.add(LoseAnswer(), method="POST")
        await room.deliver_all(opened())
        await room.deliver(updated())
        assert columns_of(instance, "state", "active", "priority") == [(DRAFT, "true", "2")]
        await room.deliver(resolved())
        assert columns_of(instance, "state", "active", "close_code") == [(CLOSED, "false", "Threat mitigated")]
        assert await room.states() == {DeliveryState.SENT: 3}

    play(instance, security_incidents_at, act)


def test_what_people_ended_stays_ended() -> None:
    """A ticket that was closed or cancelled is not touched by a resolution, and an update makes a new one."""
    for state in (CLOSED, CANCELLED):
        instance = an_instance()

        async def act(room: Room, instance: ServiceNowDouble = instance, state: str = state) -> None:
            await room.deliver(opened())
            (ticket,) = instance.tickets
            instance.tickets.update(ticket, {"state": state, "close_code": "False positive"}, "analyst", NOW)
            await room.deliver(resolved(turn=2))
            assert columns_of(instance, "state", "close_code") == [(state, "False positive")]
            await room.deliver(opened(turn=3))
            assert columns_of(instance, "state", "active") == [(state, "false"), (DRAFT, "true")]

        play(instance, security_incidents_at, act)


def test_what_was_paged_and_ended_untold_is_one_closed_ticket_whichever_answer_is_lost() -> None:
    """It says that it opened and is over; a closed ticket of an earlier life is not taken for it."""
    for lost, has_past in ((lost, has_past) for lost in ("POST", "PATCH", "GET") for has_past in (False, True)):
        instance = an_instance()

        async def act(
            room: Room, instance: ServiceNowDouble = instance, lost: str = lost, has_past: bool = has_past
        ) -> None:
            if has_past:
                await room.deliver(opened(1))
                await room.deliver(resolved(2))
                next(iter(instance.tickets)).fields["sys_created_on"] = "2026-11-24 11:54:00"
            instance.faults.add(LoseAnswer(), method=lost)
            await room.deliver_all(opened(3, paged=True), resolved(4, 3, paged=True))

        play(instance, security_incidents_at, act)
        *past, (state, active, description) = columns_of(instance, "state", "active", "description")
        assert (len(past), state, active) == (has_past, CLOSED, "false"), (lost, has_past)
        assert "Somebody signed in from an address that was never seen before." in description
        assert "before this could be told" in description


def events_at(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
    """The destination that sends events."""
    return a_destination("servicenow_events", url=url, auth=AUTH), SECRETS


def test_a_signal_is_one_alert_from_its_opening_to_its_end() -> None:
    """It is opened, also where it is sent at once and again, updated in place, and closed by a Clear under the same key."""
    instance = EventManagementDouble([ACCOUNT], clock=lambda: 0.0)

    async def act(room: Room) -> None:
        assert types_of([*await room.send_at_once(opened(), opened()), *await room.send(opened())]) == [Receipt] * 3
        await room.deliver(opened())
        await room.deliver(updated(severity="Critical"))
        assert [(alert.severity, alert.state) for alert in instance.open_alerts(KEY)] == [("1", "Open")]
        await room.deliver(resolved())
        assert [(alert.state, len(alert.events)) for alert in instance.alerts] == [("Closed", 6)]
        assert await room.states() == {DeliveryState.SENT: 3}

    play(instance, events_at, act)


def test_a_clear_leaves_nothing_open_though_its_opening_died_or_the_job_runs_late() -> None:
    """A Clear that finds no alert makes none; a success means only that the event was taken."""
    instance = EventManagementDouble([ACCOUNT], clock=lambda: 0.0)

    async def act(room: Room) -> None:
        instance.faults.add(Status(400))
        await room.deliver(opened())
        assert len(await room.dead()) == 1
        await room.deliver_all(resolved(turn=2))
        assert instance.alerts == []
        instance.is_prompt = False
        await room.deliver(opened(3))
        await room.deliver(resolved(4, 3))
        assert instance.alerts == []
        instance.run_job()
        assert instance.open_alerts(KEY) == []

    play(instance, events_at, act)


def test_nothing_is_cut_behind_our_back() -> None:
    """A huge alert fits every column, and its additional information is still JSON of texts."""
    instance = EventManagementDouble([ACCOUNT], clock=lambda: 0.0)

    async def act(room: Room) -> None:
        words = {name: getattr(huge().content, name) for name in LONG}
        await room.deliver(opened(type="T" * 500, **words))
        assert not instance.cut
        assert "additional_content" not in orjson.loads(instance.events[0]["additional_info"])

    play(instance, events_at, act)
