"""What stands for something else in texts."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.decide.prose import LONGEST, MOST, filled, key_of

KNOWN = {"processpath": "c:\\x.exe", "compromisedhost": "web-01", "home": "/root", "a": "%{Process Path}", "no": " "}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It ran %{Process Path}.", "It ran c:\\x.exe."),
        ("It ran %{process path} and {Process-Path}.", "It ran c:\\x.exe and c:\\x.exe."),
        ("{Compromised Host} was reached", "web-01 was reached"),
        ("%{Attacker IP} reached {Nobody}", "[Attacker IP] reached {Nobody}"),
        ("%{No} and {No}", "[No] and {No}"),
        ("%{A}", "%{Process Path}"),
    ],
)
def test_placeholders_are_filled(text: str, words: str) -> None:
    """Names are compared by letters and digits; what is not known stays readable, and what is filled in is final."""
    assert filled(text, KNOWN.get) == words


@pytest.mark.parametrize(
    "text",
    [
        "echo ${HOME} {} {1} { home }",
        'POST {"home": "x"} {"a": {"b": 1}}',
        "curl -w '%{http_code}' {{home}}",
        "gc x | %{ iex $_ }",
        "cp x{home,away} %{",
        "%{} {",
    ],
)
def test_braces_of_a_command_line_stay(text: str) -> None:
    """JSON, variables of a shell and formats of programs are no placeholders."""
    assert filled(text, KNOWN.get) == text


def test_what_is_filled_in_is_bounded() -> None:
    """In length, on one line, and in how often."""
    assert filled("{a}", {"a": "x" * 1_000}.get) == "x" * (LONGEST - 1) + "…"
    assert filled("{a}", {"a": "one\r\n two"}.get) == "one two"
    assert filled("{a}" * 1_000, {"a": "xy"}.get) == "xy" * MOST + "{a}" * (1_000 - MOST)


@given(st.text(alphabet='%{}a $\\"\n'), st.dictionaries(st.text(alphabet="a", min_size=1), st.text()))
def test_any_text_is_filled(text: str, known: Mapping[str, str]) -> None:
    """Nothing raises, and no more is added than may be filled in."""
    assert len(filled(text, known.get)) <= len(text) + MOST * LONGEST


@pytest.mark.parametrize("piece", ["%{", "{", "{a", "{a}", "%{a b", "}"])
def test_a_long_text_is_read_as_fast_as_any(piece: str) -> None:
    """What is quadratic would take this test minutes."""
    text = piece * (200_000 // len(piece))
    assert len(filled(text, {"a": "x" * 1_000}.get)) <= len(text) + MOST * LONGEST


def test_names_are_compared_by_letters_and_digits() -> None:
    """Case, blanks and punctuation count for nothing."""
    assert key_of("Client IP-Address (v4)") == key_of("client_ip address V4") == "clientipaddressv4"
