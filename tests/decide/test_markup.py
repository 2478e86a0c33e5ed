"""Texts for people: without their HTML, with their placeholders filled, and as lines of what to do."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from router.decide.markup import MOST_LINES, lines_of, links_in, plain_text
from router.decide.prose import LONGEST, MOST, filled, key_of
from router.domain.signals import Link

_PIECES = st.sampled_from(
    ["<", ">", "</", "<a href=", "<a href='https://a/'>", "</a>", "<ol>", "</ol>", "<li>", "<br/>", "<p>", "&lt;", "&#x202e;",
     "&#xd800;", '"', "'", " ", "\n", "words", "<b>", "</b>", "<script>", "&", "href="]
)  # fmt: skip

HTML = [
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
]  # fmt: skip


def test_html_becomes_lines() -> None:
    """Blocks end lines, lists have their bullets, and a link is its words with its whole address."""
    assert [(text, plain_text(text)) for text, _ in HTML] == HTML


def test_what_is_no_html_stays() -> None:
    """A command line that a text quotes may have angle brackets, and words in them. Of characters by name only those few are
    read in plain text that are often written so: a word behind an ampersand may be an argument."""
    for text in (
        "It ran 'sort < in > out' on web-01.",
        "It ran 'cmd /c copy <a> <b>' there.",
        "mshta about:<script>run()</script>",
        "a && b & c; d &amp e &copy=1",
        "two  blanks\n\nand a line",
        "<https://a.example/>",
        "1 <2",
        "",
    ):
        assert plain_text(text) == text
    assert plain_text("don&#39;t &quot;x&quot; &amp; &sum;") == 'don\'t "x" & &sum;'


@given(st.lists(_PIECES).map("".join))
def test_any_text_becomes_one_that_can_be_kept(text: str) -> None:
    """Nothing raises, and what comes out is not much longer and can be written in UTF-8."""
    plain = plain_text(text)
    assert len(plain.encode()) <= 3 * len(text.encode()) + 10


KNOWN = {"processpath": "c:\\x.exe", "compromisedhost": "web-01", "home": "/root", "a": "%{Process Path}", "no": " "}
FILLED = [
    ("It ran %{Process Path}.", "It ran c:\\x.exe."),
    ("It ran %{process path} and {Process-Path}.", "It ran c:\\x.exe and c:\\x.exe."),
    ("{Compromised Host} was reached", "web-01 was reached"),
    ("%{Attacker IP} reached {Nobody}", "[Attacker IP] reached {Nobody}"),
    ("%{No} and {No}", "[No] and {No}"),
    ("%{A}", "%{Process Path}"),
]


def test_placeholders_are_filled() -> None:
    """Names are compared by letters and digits; what is not known stays readable, and what is filled in is final. JSON,
    variables of a shell and formats of programs are no placeholders."""
    assert [(text, filled(text, KNOWN.get)) for text, _ in FILLED] == FILLED
    for text in (
        "echo ${HOME} {} {1} { home }",
        'POST {"home": "x"} {"a": {"b": 1}}',
        "curl -w '%{http_code}' {{home}}",
        "gc x | %{ iex $_ }",
        "cp x{home,away} %{",
        "%{} {",
    ):
        assert filled(text, KNOWN.get) == text
    assert key_of("Client IP-Address (v4)") == key_of("client_ip address V4") == "clientipaddressv4"


def test_what_is_filled_in_is_bounded() -> None:
    """In length, on one line, and in how often."""
    assert filled("{a}", {"a": "x" * 1_000}.get) == "x" * (LONGEST - 1) + "…"
    assert filled("{a}", {"a": "one\r\n two"}.get) == "one two"
    assert filled("{a}" * 1_000, {"a": "xy"}.get) == "xy" * MOST + "{a}" * (1_000 - MOST)


@given(st.text(alphabet='%{}a $\\"\n'), st.dictionaries(st.text(alphabet="a", min_size=1), st.text()))
def test_any_text_is_filled(text: str, known: Mapping[str, str]) -> None:
    """Nothing raises, and no more is added than may be filled in."""
    assert len(filled(text, known.get)) <= len(text) + MOST * LONGEST


BLADE = {
    "kind": "openBlade",
    "displayValue": "Enforce rule",
    "extension": "Microsoft_Azure_Security_R3",
    "detailBlade": "AdaptiveNetworkControlsResourceBlade",
    "detailBladeInputs": "protectedResourceId=/subscriptions/0/resourcegroups/rg",
}
"""As Defender writes a link into its portal."""

REPORTS = {
    "Kind": "MultiLink",
    "DisplayValueToUrlDictionary": {"Report: GOLD": "https://a.example/gold.pdf", "None": 7},
}

STEPS: list[tuple[str, tuple[str, ...]]] = [
    (json.dumps(BLADE), ("Enforce rule",)),
    (json.dumps(BLADE | {"displayValue": " "}), ()),
    ('{"kind": "OpenBlade"}', ()),
    (
        '{"displayValue": "Read on", "kind": "link", "value": "https://a.example/"}',
        ("Read on (https://a.example/)",),
    ),
    ('{"DisplayValue": "", "Kind": "link", "Url": "https://a.example/"}', ("https://a.example/",)),
    ('{"displayValue": "Read on", "kind": "link", "value": "javascript:x"}', ("Read on",)),
    (json.dumps([BLADE, "Then <b>rest</b>."]), ("Enforce rule", "Then rest.")),
    (json.dumps(REPORTS), ("Report: GOLD (https://a.example/gold.pdf)",)),
    ('{"a": [1,  2]}', ('{"a": [1, 2]}',)),
    ("{}", ()),
    ("[]", ()),
    ('{"displayValue": ', ('{"displayValue":',)),
    ('{"kind": "openBlade", "displayValue": "\\ud800x"}', ("?x",)),
    ("ask the user\r\nscan the machine", ("ask the user", "scan the machine")),
    (
        "To close it: 1. Open it. 2. At the 'Networking' blade, choose 22 3. Save",
        ("To close it:", "1. Open it.", "2. At the 'Networking' blade, choose 22", "3. Save"),
    ),
    ("1. Open it", ("1. Open it",)),
    ("Update to 1. 3. or later", ("Update to 1. 3. or later",)),
    (
        "## Do this\n**Now**: see [the page](https://a.example/x).",
        ("Do this", "Now: see the page (https://a.example/x)."),
    ),
    (
        'Install it: 1.  <a href="https://docs.example/faq#how">Follow the instructions</a>',
        ("Install it: 1. Follow the instructions (https://docs.example/faq#how)",),
    ),
]


def test_what_to_do_becomes_lines() -> None:
    """Line by line, numbered steps each on a line of its own, without signs of Markdown. A link as JSON is its words and its
    address; one into the portal has words only, and JSON that is no link stays what it is."""
    assert [(step, lines_of([step])) for step, _ in STEPS] == STEPS
    for step in ("N/A", " n/a. ", "None", "-", "", "<p></p>", "null", "Not applicable"):
        assert lines_of([step, "Close it."]) == ("Close it.",), step
    lines = lines_of(["\n".join(f"step {number}" for number in range(1_000))])
    assert (len(lines), lines[-1].count("\n")) == (MOST_LINES, 1_000 - MOST_LINES)


def test_links_are_those_that_have_an_address() -> None:
    """A text that is no JSON holds none."""
    assert links_in(json.dumps(REPORTS)) == [Link(text="Report: GOLD", url="https://a.example/gold.pdf")]
    assert links_in(json.dumps(BLADE)) == links_in("https://a.example/") == links_in("[1]") == []


_JSON = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(st.lists(st.text() | _JSON.map(json.dumps)))
def test_any_steps_become_lines(steps: list[str]) -> None:
    """None is blank, and all can be kept."""
    assert all(line.strip() and line.encode() for line in lines_of(steps))


def test_a_long_text_is_read_as_fast_as_any() -> None:
    """However deep it nests; what is quadratic would take this test minutes."""
    for piece in (
        "<", "<a ", "<a href='", "<a href=https://a/>", "<ol>", "<ol><li>", "<p>", "</ol>", "&", "&#", "<b>", "<b></b>",
        "<!--", "<a href=' href=\"", "href ", "<br", "<br >",
    ):  # fmt: skip
        text = piece * (200_000 // len(piece))
        assert len(plain_text(text)) <= 3 * len(text), piece
    for piece in ("%{", "{", "{a", "{a}", "%{a b", "}"):
        text = piece * (200_000 // len(piece))
        assert len(filled(text, {"a": "x" * 1_000}.get)) <= len(text) + MOST * LONGEST, piece
    for piece in ("[", '{"a":', "**", "[x](https://", "# ", "1. x ", "\n", "<li>", '[{"displayValue":"x"},'):
        text = piece * (200_000 // len(piece))
        assert sum(map(len, lines_of([text]))) <= 3 * len(text), piece
