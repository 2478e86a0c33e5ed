"""One page and one ticket of the demo, whole, as the SOC got them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alert_router_demo.soc.pagerduty import Page
from alert_router_demo.soc.tickets import TicketRecord
from router.destinations.wording.fitting import lines_of


def summaries_of(pages: Sequence[Page]) -> list[str]:
    """Return the summary of each page, in the order in which they were opened."""
    return [page.event["payload"]["summary"] for page in pages if page.event is not None and page.event.get("payload")]


def lines_of_page(pages: Sequence[Page]) -> Iterator[str]:
    """The page that says most: its summary, and its details by name; nothing where there is no page."""
    events = [payload for page in pages if page.event is not None and (payload := page.event.get("payload"))]
    if not events:
        return
    payload = max(events, key=lambda one: len(one["custom_details"]))
    yield payload["summary"]
    yield ""
    yield from lines_of(payload["custom_details"])


def lines_of_ticket(tickets: Sequence[TicketRecord]) -> Iterator[str]:
    """The ticket that says most, and the first note in it; nothing where there is no ticket."""
    if not tickets:
        return
    ticket = max(tickets, key=lambda one: (bool(one.journal), len(one.fields["description"])))
    yield f"{ticket.fields['number']}: {ticket.fields['short_description']}"
    yield ""
    yield from ticket.fields["description"].split("\n")
    for entry in ticket.journal[:1]:
        yield ""
        yield "WORK NOTE"
        yield from entry["value"].split("\n")
