"""The pictures of docs/gallery/: `python -m tests.docs.gallery` draws anew what the golden files say now.

Each picture holds the digest of what it was drawn from, so that a test sees without a browser that one is out of date.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from tests.destinations.goldens import CASES, exchange_of
from tests.docs.pages import DOCS
from tests.pictures.browser import PHONE, started
from tests.pictures.cards import page_of_card

GALLERY = DOCS / "gallery"

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = len(_SIGNATURE) + 25
"""Where a picture's first chunk ends."""
_KEY = b"Source\0"


def teams_cards() -> Mapping[str, dict[str, Any]]:
    """The cards of the golden files, by the names of their pictures."""
    return {f"teams-{case.name}.png": card_of(case.name) for case in CASES}


def card_of(case: str) -> dict[str, Any]:
    """The card that Teams is sent in a case."""
    (step,) = exchange_of("teams", case)
    card: dict[str, Any] = step["ask"]["body"]["attachments"][0]["content"]
    return card


def picture_of_card(card: Mapping[str, Any]) -> bytes:
    """An Adaptive Card as PNG, as wide as a phone; starts a browser of its own."""
    return picture_of_html(page_of_card(card))


def picture_of_html(html: str, width: int = PHONE[0]) -> bytes:
    """A page as PNG, of that width in CSS pixels and as high as it is; starts a browser of its own."""
    with started() as browser:
        return browser.draw(html, width)


def signed(picture: bytes, source: object) -> bytes:
    """A picture that holds the digest of what it was drawn from."""
    data = _KEY + digest_of(source).encode()
    chunk = struct.pack(">I", len(data)) + b"tEXt" + data + struct.pack(">I", zlib.crc32(b"tEXt" + data))
    return picture[:_HEAD] + chunk + picture[_HEAD:]


def source_of(picture: bytes) -> str:
    """The digest of what a picture was drawn from; empty where it holds none."""
    chunk = picture[_HEAD + 8 : _HEAD + 8 + len(_KEY) + 64]
    return chunk.removeprefix(_KEY).decode() if chunk.startswith(_KEY) else ""


def digest_of(source: object) -> str:
    """The digest of what a picture is drawn from: a card, or the text of a page."""
    return hashlib.sha256(orjson.dumps(source, option=orjson.OPT_SORT_KEYS)).hexdigest()


def main() -> None:
    """Draws every picture that is not of what the golden files say, and removes what is of none."""
    GALLERY.mkdir(exist_ok=True)
    cards = teams_cards()
    for file in GALLERY.glob("teams-*.png"):
        if file.name not in cards:
            file.unlink()
    with started() as browser:
        for name, card in cards.items():
            file = GALLERY / name
            if not file.exists() or source_of(file.read_bytes()) != digest_of(card):
                file.write_bytes(signed(browser.draw(page_of_card(card)), card))
                print(f"{file.relative_to(DOCS.parent)}: drawn")


if __name__ == "__main__":
    main()
