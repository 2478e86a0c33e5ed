"""What a mail says, as a text and as a page that a phone shows as well: no picture, no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from router.destinations.wording.account import account_of, facts_of, headline, link_of, story_of
from router.domain.deliveries import Delivery
from router.domain.notices import Notice


def text_of(notice: Notice, delivery: Delivery, limit: int) -> str:
    """A notice as plain text."""
    return "\n\n".join([headline(notice, limit), account_of(notice, limit), _foot_of(notice, delivery)]) + "\n"


def page_of(notice: Notice, delivery: Delivery, limit: int) -> str:
    """A notice as a page of HTML, in which every text of an alert is escaped."""
    return "\n".join(_lines_of(notice, delivery, limit)) + "\n"


def _lines_of(notice: Notice, delivery: Delivery, limit: int) -> Iterator[str]:
    yield '<!DOCTYPE html><html lang="en"><body>'
    yield f"<h1>{escape(headline(notice, limit))}</h1>"
    yield "<table>"
    for name, value in facts_of(notice).items():
        yield f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
    yield "</table>"
    yield f"<pre>{escape(story_of(notice, limit))}</pre>"
    if link := link_of(notice):
        yield f'<p><a href="{escape(link)}">Open in the Azure portal</a></p>'
    yield f"<p>{escape(_foot_of(notice, delivery))}</p></body></html>"


def _foot_of(notice: Notice, delivery: Delivery) -> str:
    return f"{notice.key}, turn {notice.turn}, told to {delivery.destination}"
