"""The report as a file: what the console's page says, and nothing that leads or asks anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from router.console.report import report_file
from tests.builders import NOW
from tests.console.sites import HtmlReader, Site, text_of

MAIN = re.compile(r"<main.*</main>", re.DOTALL)
TOOLS = re.compile(r'<p class="tools">.*?</p>', re.DOTALL)


@pytest.mark.parametrize("name", ["busy", "empty", "hostile"])
def test_a_file_says_what_the_page_says_and_needs_nothing_else(name: str, site_of: Callable[[str], Site]) -> None:
    """Word for word; it has no script, no link, and its style in its head, without which all words are there."""
    site = site_of(name)
    page = site.get("/report?since=24h")
    file = report_file(site.document("/report?since=24h"), NOW)
    (shown,), (written,) = MAIN.findall(page.text), MAIN.findall(file)
    assert text_of(TOOLS.sub("", shown)) == text_of(written)
    tags = HtmlReader(file).tags
    assert {tag for tag, _ in tags} & {"script", "link", "a", "img", "form", "iframe", "object", "base"} == set()
    assert {key for _, attributes in tags for key in attributes} & {"src", "href", "style", "action"} == set()
    assert re.findall(r"url\(|@import|https?://", file.partition("</style>")[0]) == []
    assert file.count("<style>") == 1


def test_a_time_that_there_is_not_is_refused(site: Site) -> None:
    """In one line that names those that there are."""
    answer = site.get("/report.json?since=1y")
    assert (answer.status_code, answer.json()) == (400, {"error": "since: '1y' is none; write one of 24h, 7d, 30d."})
