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
from router.domain.deliveries import Receipt
from router.domain.errors import Unavailable
from tests.destinations.builders import a_destination, a_notice
from tests.vendors.room import Room, opened, play, resolved, types_of

USER, TOKEN = "alert-router@contoso.example", "ATATT-token-1234"
ACCOUNT = new_account("cwpp")
AUTH = {"user": ACCOUNT.servicenow_user, "password": {"secret": "PASSWORD"}}
SECRETS = {"PASSWORD": ACCOUNT.servicenow_password}
KEY = a_notice().key


def jira_at(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
    """The destination at a site, with its own example's fields left out."""
    return a_destination("jira", url=url, fields={}, labels=["{plan}"]), {"JIRA_TOKEN": TOKEN}


def a_site() -> JiraDouble:
    """A site that knows the account, and whose index lags until it catches up."""
    site = JiraDouble({USER: TOKEN})
    site.is_lagging = True
    return site


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
    return a_destination("servicenow", url=url, auth=AUTH, table="sn_si_incident"), SECRETS


def an_instance() -> ServiceNowDouble:
    """An instance with Security Incident Response."""
    instance = ServiceNowDouble([ACCOUNT])
    instance.inactive_states = frozenset({"3", "7"})
    return instance


def columns_of(instance: ServiceNowDouble, *columns: str) -> list[tuple[str, ...]]:
    """Those columns of every ticket, in the order in which they were made."""
    return [tuple(ticket.fields[column] for column in columns) for ticket in instance.tickets]


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
        assert (len(past), state, active) == (has_past, "3", "false"), (lost, has_past)
        assert "Somebody signed in from an address that was never seen before." in description
        assert "before this could be told" in description


def events_at(url: str) -> tuple[DestinationKind, Mapping[str, str]]:
    """The destination that sends events."""
    return a_destination("servicenow_events", url=url, auth=AUTH), SECRETS


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
