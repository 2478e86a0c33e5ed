"""What an answer means, and what is said of it. The answers of each vendor are in `answers.ndjson`, beside what they mean."""

from __future__ import annotations

import html
import json
import math
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.destinations.requests import EXCERPT, error_for, excerpt_of
from router.domain.conversation import HttpAnswer, MailStep, retry_after_in
from router.domain.deliveries import Receipt
from router.domain.errors import Unavailable
from tests.destinations import goldens
from tests.destinations.builders import NOW, a_destination, a_secret, an_attempt, examples_of, secret_names_in
from tests.destinations.conversations import Answer, converse, in_turn, mail_answered

WAITS = {
    "0": 0.0, "120": 120.0, "1.5": 1.5, "Tue, 24 Nov 2026 12:01:30 GMT": 60.0, "Tue, 24 Nov 2026 11:00:00 GMT": 0.0,
    "Tue, 24 Nov 2026 05:01:30 -0700": 60.0, "999999999": 999_999_999.0, "9" * 400: None, "-5": None,
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT": None, "Tue, 24 Nov 2026 12:01:30 +99999999999999": None,
    "soon": None, "": None,
}  # fmt: skip


@given(st.text(max_size=60))
def test_retry_after_is_seconds_from_now(written: str) -> None:
    """Both forms of Retry-After are understood, bounded, and nonsense is no wish; none whatever makes trouble."""
    waits = {
        one: retry_after_in(HttpAnswer(status=503, headers={"retry-after": one}), NOW) for one in (written, *WAITS)
    }
    seconds = waits.pop(written) if written not in WAITS else None
    assert waits == WAITS
    assert seconds is None or 0 <= seconds < math.inf
    assert seconds is None or NOW + timedelta(seconds=seconds) >= NOW


@given(st.integers(100, 599), st.binary(max_size=400))
def test_an_error_is_one_bounded_line(status: int, body: bytes) -> None:
    """Whatever a vendor answers, the error is one line that starts with the kind."""
    error = error_for(HttpAnswer(status=status, body=body), "webhook", an_attempt())
    if 200 <= status < 300:
        assert error is None
    else:
        assert str(error).startswith(f"webhook: answered {status}")
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < EXCERPT + 150


SAID = {
    b'{"message": "Slow down"}': " (Slow down)", b'{"error": {"code": "X", "message": "Too big"}}': " (Too big)",
    b'{"errors": ["one", "two"]}': " (one; two)", b"plain\n words": " (plain words)", b"<html>people only</html>": "",
    b'{"error": ' * 900 + b"1" + b"}" * 900: "", b"{}": "", b"": "",
    b'"see /hook?token=abc&x=1 please"': " (see /hook please)",
    b'"Authorization: Bearer abc.def refused"': " (Authorization: Bearer *** refused)",
    # Errors stand in lists and logs, and a vendor may say back what it was sent of a notice.
    b'"bad field: ran tool --password hUnter2Canary -v"': " (bad field: ran tool --password [masked] -v)",
}  # fmt: skip


def test_the_vendors_own_words_are_told() -> None:
    """The message inside an error is told, without pages for people, URL queries and credentials; 5xx waits as it wishes."""
    for body, said in SAID.items():
        error = error_for(HttpAnswer(status=503, body=body, headers={"retry-after": "7"}), "webhook", an_attempt())
        assert str(error) == f"webhook: answered 503{said}"
        assert isinstance(error, Unavailable) and error.retry_after == 7


def test_a_secret_is_not_told_in_pieces() -> None:
    """A secret at the edge of the excerpt is gone before the excerpt is cut."""
    body = ("x" * (EXCERPT - 20) + a_secret("SECRET")).encode()
    text = str(error_for(HttpAnswer(status=500, body=body), "webhook", an_attempt()))
    assert a_secret("SECRET")[:12] not in text


PASSWORD = "pa55/word & <more>?"
SHOWN = [
    quote(PASSWORD, safe=""),
    quote(PASSWORD, safe="").lower(),
    quote(quote(PASSWORD, safe=""), safe=""),
    quote_plus(PASSWORD),
    html.escape(PASSWORD),
    html.escape(html.escape(PASSWORD)),
    "".join(f"&#{ord(one)};" for one in PASSWORD),
    "".join(f"&#x{ord(one):02X};" for one in PASSWORD),
    PASSWORD.replace("/", r"\/").replace("&", r"\u0026"),
    json.dumps(json.dumps(PASSWORD.replace("/", r"\/"))),
    "".join(rf"\u{ord(one):04X}" for one in PASSWORD),
    "".join(rf"\\u{ord(one):04x}" for one in PASSWORD),
    "".join(rf"\x{ord(one):02x}" for one in PASSWORD),
    "".join(rf"%u{ord(one):04X}" for one in PASSWORD),
    "".join(rf"\{ord(one):03o}" for one in PASSWORD),
    PASSWORD.encode().hex(),
    PASSWORD.encode().hex(":").upper(),
    ", ".join(f"0x{one:02X}" for one in PASSWORD.encode()),
    PASSWORD.upper(),
    quote(b64encode(PASSWORD.encode()).decode(), safe=""),
    *(b64encode(f"{user}:{PASSWORD}".encode()).decode() for user in ("", "a", "ab", "abc")),
    urlsafe_b64encode(f"ab:{PASSWORD}".encode()).decode(),
]


def said_of(shown: str, secret: str) -> str:
    """What is told of an answer that shows something, to who knows a secret."""
    attempt = replace(an_attempt(), secrets={"SECRET": secret})
    return str(error_for(HttpAnswer(status=500, body=f"saw {shown} here".encode()), "webhook", attempt))


def test_a_secret_is_not_told_in_other_letters() -> None:
    """A vendor may quote what it was sent as it came over the wire; at most the ends that it shares with others are left.

    A path or a signature out of a secret address is not told either.
    """
    for shown in SHOWN:
        text = said_of(shown, PASSWORD)
        assert "***" in text, shown
        told = text.split("saw ", 1)[1].replace("***", " ")
        assert all(shown[start : start + 10] not in told for start in range(len(shown) - 10))
    path = "/workflows/0/paths/invoke?api-version=1&sig=ab%2BcdEFGHijklMNOPqrst"
    for shown in (
        f"POST {path}",
        path,
        "wrong signature ab%2BcdEFGHijklMNOPqrst",
        "wrong signature ab+cdEFGHijklMNOPqrst",
    ):
        assert "EFGH" not in said_of(shown, f"https://example.com:443{path}")


_SIGNS = st.text("ab\\/%&=+ ;u0025\u20ac\U0001f600\ud800", min_size=6)
_ENCODERS: tuple[Callable[[str], str], ...] = (
    lambda text: quote(text, safe="", errors="replace"),
    lambda text: quote_plus(text, errors="replace"),
    html.escape,
    lambda text: json.dumps(text)[1:-1],
    lambda text: "".join(rf"\u{ord(one):04x}" if ord(one) < 1 << 16 else one for one in text),
)


@given(
    (_SIGNS | st.text(min_size=1, max_size=30)).map(lambda text: f"s{text}s"),
    st.lists(st.sampled_from(_ENCODERS), max_size=2),
)
def test_any_secret_is_found_in_any_letters(secret: str, encoders: list[Callable[[str], str]]) -> None:
    """Whatever an app setting holds, and however often a vendor escapes it."""
    shown = secret
    for encode in encoders:
        shown = encode(shown)
    attempt = replace(an_attempt(), secrets={"S": secret})
    assert excerpt_of(f"<{shown}>", attempt) == "<***>"


def test_words_of_any_length_are_looked_through_in_no_time() -> None:
    """Whoever answers decides what stands there, and every lane of the process waits meanwhile."""
    began = time.thread_time()
    error_for(HttpAnswer(status=500, body=b"?" * 65_000), "webhook", an_attempt())
    error_for(HttpAnswer(status=500, body=b"?a" * 32_000), "webhook", an_attempt())
    assert time.thread_time() - began < 2


ANSWERS: dict[str, list[dict[str, Any]]] = {}
for _line in Path(__file__).with_name("answers.ndjson").read_text(encoding="utf-8").splitlines():
    ANSWERS.setdefault(json.loads(_line)["kind"], []).append(json.loads(_line))


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_is_about_us_or_about_this_delivery(kind: str) -> None:
    """What no delivery would get past pauses the destination, for somebody to mend it; what is wrong with this one is dead.

    A vendor's own trouble, and what is no answer of its, is tried again later; under a success an error is none.
    """
    secrets = list(secret_names_in(examples_of(kind)[0]))
    for one in ANSWERS[kind]:
        body = orjson.dumps(one["body"]) if "body" in one else one["text"].encode()
        if "step" in one:
            answer: Answer = mail_answered(MailStep(one["step"]), one["code"], one["text"])
            beginning = f"{kind}: answered {one['code']} to the {one['step']}"
        else:
            answer, beginning = HttpAnswer(status=one["status"], body=body), f"{kind}: answered {one['status']}"
        before = goldens.answers_of(kind, "opened")[: one.get("ask", 0)]
        _, (result,) = converse(a_destination(kind), [an_attempt(secrets=secrets)], in_turn(*before, *[answer] * 3))
        assert type(result).__name__ == one["means"], (one, result)
        assert isinstance(result, Receipt) or str(result).startswith(beginning)
        assert one.get("says", "") in str(result)
