"""docs/gallery.md and its pictures show what the golden files say, and Teams' cards fit a phone."""

import re
from typing import Any

import orjson
import pytest
from markdown_it import MarkdownIt

from router.domain.conversation import HttpRequest
from router.domain.deliveries import Background, Counterpart
from router.domain.notices import Link
from router.domain.rulebook import Lane
from tests.destinations.builders import a_destination, a_group, a_huge_notice, a_notice, an_attempt
from tests.destinations.conversations import converse, replied
from tests.destinations.goldens import CASES
from tests.docs.gallery import GALLERY, IS_WRITING, PAGE, card_of, digest_of, page, source_of, sources
from tests.docs.pages import ROOT
from tests.pictures.browser import PHONE, find_browser, show
from tests.pictures.cards import page_of_card

LARGEST = 60_000  # bytes of a picture


def test_the_page_shows_what_kinds_tell_now() -> None:
    """It is what the previews say; `GALLERY=write pytest tests/docs/test_gallery.py` writes it, to be read."""
    if IS_WRITING:
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page()


def test_each_picture_is_of_what_is_sent_now() -> None:
    """There is one for each that the page shows and no other, small enough; `python -m tests.docs.gallery` draws them."""
    pictures = {file.name: file.read_bytes() for file in GALLERY.glob("*.png")}
    assert {name: source_of(picture) for name, picture in pictures.items()} == {
        name: digest_of(source) for name, source in sources().items()
    }
    assert all(len(picture) < LARGEST for picture in pictures.values())


def test_the_readme_begins_with_two_of_them() -> None:
    """Before its first heading, side by side, each with a text for those who see no pictures."""
    start = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## ")[0]
    shown = re.findall(r"!\[([^\]]+)\]\(docs/gallery/([\w-]+)\.png\)", start)
    assert len(shown) == 2 and all(len(text.split()) > 20 for text, _ in shown)
    assert {name for _, name in shown} <= {name.removesuffix(".png") for name in sources()}


@pytest.mark.skipif(find_browser() is None, reason="needs Chromium, which draws the cards")
def test_a_card_fits_a_phone() -> None:
    """Microsoft's renderer draws each without a complaint, every line is there, none is too wide or too high."""
    cards = [*(card_of(case.name) for case in CASES), *full_cards()]
    for card, seen in zip(cards, show(*map(page_of_card, cards)), strict=True):
        assert (seen.problems, seen.width) == ([], PHONE[0])
        assert seen.height <= PHONE[1]
        shown = "".join(seen.text.split())
        for block in card["body"]:
            assert "".join(words_of(block["text"]).split()) in shown


def words_of(text: str) -> str:
    """What a reader of Markdown sees."""
    tokens = (one for token in MarkdownIt("commonmark").parse(text) for one in token.children or ())
    return "".join(one.content for one in tokens)


def full_cards() -> list[Any]:
    """Cards of which every line is taken: words that no line can break in, four buttons, a group."""
    links = tuple(Link(text="A page with a long name, somewhere", url="https://a.example/") for _ in range(3))
    elsewhere = Counterpart(destination="snow", lane=Lane.TICKET, reference="INC0012345", link="https://snow.example/1")
    more: dict[str, Any] = {
        "links": links,
        "runbooks": ("https://runbooks.example/1",),
        "respond_by": "2026-11-25T16:00:00Z",
        "remediation": ("What to do first, in many words. " * 50,),
    }
    notices = (a_huge_notice(title="M" * 200, **more), a_notice(group=a_group(total=40, standing=30), **more))
    background = Background(elsewhere=(elsewhere,))
    attempts = [an_attempt(one, secrets=["TEAMS_WEBHOOK_URL"], background=background) for one in notices]
    told = (converse(a_destination("teams"), [one], lambda ask: replied(202))[0][0] for one in attempts)
    return [orjson.loads(ask.body)["attachments"][0]["content"] for ask in told if isinstance(ask, HttpRequest)]
