"""What a mail may be sent to."""

from __future__ import annotations

import pytest

from router.domain.urls import is_mail_address


@pytest.mark.parametrize("text", ["ana@contoso.example", "a.b+c@x", "o'neil@contoso.example"])
def test_an_address_is_one(text: str) -> None:
    """As rules and authors write it."""
    assert is_mail_address(text)


@pytest.mark.parametrize(
    "text",
    ["", "ana", "@x", "a@", "a..b@x", ".a@x", "a@b@c", "a b@x", "Ana <a@x>", "a@x\n", "a@x,b@x", "ä@x", "a@x\r\nB: c"],
)
def test_whatever_else_is_none(text: str) -> None:
    """A name beside it, a second one, or anything of which a header could be made."""
    assert not is_mail_address(text)
