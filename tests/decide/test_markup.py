"""Texts without their HTML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.markup import plain_text

_PIECES = st.sampled_from(
    ["<", ">", "</", "<a href=", "<a href='https://a/'>", "</a>", "<ol>", "</ol>", "<li>", "<br/>", "<p>", "&lt;", "&#x202e;",
     "&#xd800;", '"', "'", " ", "\n", "words", "<b>", "</b>", "<script>", "&", "href="]
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("one<br>two<BR/>three<br />four", "one\ntwo\nthree\nfour"),
        ("<P>One.</P><p class='x'>Two.</p>", "One.\nTwo."),
        ("Fix:<ol><li>Open.</li><li>Close.</li></ol>Then <ul><li>rest</ul>", "Fix:\n1. Open.\n2. Close.\nThen\n- rest"),
        ('See <A HREF="https://a.example/?x=1&amp;y=2">the page</A>.', "See the page (https://a.example/?x=1&y=2)."),
        ("See <a target=_blank href=https://a.example/>the page</a>", "See the page (https://a.example/)"),
        ('<a href="https://a.example/">https://a.example/</a>', "https://a.example/"),
        ('<a href="https://a.example/"></a>', "https://a.example/"),
        ('<a href="https://a.example/">one<a href="https://b.example/">two</a>', "one (https://a.example/)two (https://b.example/)"),
        ('<a href="javascript:alert(1)">words</a>', "words"),
        ('<a href="https://a.example/ and more">words</a>', "words"),
        ("Select <b>Save</b> &amp; <strong>close</strong>&nbsp;it.<br>", "Select Save & close it."),
        ("a &lt;b&gt; stays<br>", "a <b> stays"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
    ],
)  # fmt: skip
def test_html_becomes_lines(text: str, plain: str) -> None:
    """Blocks end lines, lists have their bullets, and a link is its words with its whole address."""
    assert plain_text(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        "It ran 'sort < in > out' on web-01.",
        "It ran 'cmd /c copy <a> <b>' there.",
        "mshta about:<script>run()</script>",
        "a && b & c; d &amp e &copy=1",
        "two  blanks\n\nand a line",
        "<https://a.example/>",
        "1 <2",
        "",
    ],
)
def test_what_is_no_html_stays(text: str) -> None:
    """A command line that a text quotes may have angle brackets, and words in them."""
    assert plain_text(text) == text


def test_characters_by_name_are_read_in_plain_text_too() -> None:
    """Only those few that are often written so: a word behind an ampersand may be an argument."""
    assert plain_text("don&#39;t &quot;x&quot; &amp; &sum;") == 'don\'t "x" & &sum;'


@given(st.lists(_PIECES).map("".join))
def test_any_text_becomes_one_that_can_be_kept(text: str) -> None:
    """Nothing raises, and what comes out is not much longer and can be written in UTF-8."""
    plain = plain_text(text)
    assert len(plain.encode()) <= 3 * len(text.encode()) + 10


@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", "<a href='", "<a href=https://a/>", "<ol>", "<ol><li>", "<p>", "</ol>", "&", "&#", "<b>", "<b></b>", "<!--",
     "<a href=' href=\"", "href ", "<br", "<br >"],
)  # fmt: skip
def test_a_long_text_is_read_as_fast_as_any(piece: str) -> None:
    """However deep it nests; what is quadratic would take this test minutes."""
    text = piece * (200_000 // len(piece))
    assert len(plain_text(text)) <= 3 * len(text)
