"""What to do, as lines."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.markup import MOST_LINES, lines_of, links_in
from router.domain.signals import Link

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


@pytest.mark.parametrize(
    ("step", "lines"),
    [
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
    ],
)
def test_a_link_as_json_is_its_words_and_its_address(step: str, lines: tuple[str, ...]) -> None:
    """One into the portal has words only, and JSON that is no link stays what it is."""
    assert lines_of([step]) == lines


@pytest.mark.parametrize("step", ["N/A", " n/a. ", "None", "-", "", "<p></p>", "null", "Not applicable"])
def test_what_says_nothing_is_left_out(step: str) -> None:
    """Nobody reads that there is nothing to read."""
    assert lines_of([step, "Close it."]) == ("Close it.",)


@pytest.mark.parametrize(
    ("step", "lines"),
    [
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
    ],
)
def test_prose_becomes_lines(step: str, lines: tuple[str, ...]) -> None:
    """Line by line, numbered steps each on a line of its own, without signs of Markdown."""
    assert lines_of([step]) == lines


def test_all_of_many_lines_is_kept() -> None:
    """In as many texts as may be."""
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


@pytest.mark.parametrize(
    "piece", ["[", '{"a":', "**", "[x](https://", "# ", "1. x ", "\n", "<li>", '[{"displayValue":"x"},']
)
def test_a_long_text_is_read_as_fast_as_any(piece: str) -> None:
    """However deep it nests; what is quadratic would take this test minutes."""
    text = piece * (200_000 // len(piece))
    assert sum(map(len, lines_of([text]))) <= 3 * len(text)
