"""The pictures of docs/gallery.md: `python -m tests.docs.gallery` draws anew what the golden files say now.

Each picture holds the digest of what it was drawn from, so that a test sees without a browser that one is out of date.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import orjson

from tests.destinations.goldens import exchange_of
from tests.docs.gallery_page import SCENES
from tests.docs.pages import DOCS
from tests.pictures.browser import PHONE, draw
from tests.pictures.cards import page_of_card

GALLERY = DOCS / "gallery"

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = len(_SIGNATURE) + 25
"""Where a picture's first chunk ends."""
_KEY = b"Source\0"
_MAIL_HEIGHT = 3 * PHONE[1] // 2
_MAIL_SCALE = 0.6  # A mail is long, and its picture is to stay small.


def sources() -> Mapping[str, dict[str, Any] | str]:
    """What each picture is of, by its name: a card of Teams, or the page of a mail."""
    names = [name.split("-") for scene in SCENES for name in scene.pictures]
    return {f"{kind}-{case}.png": card_of(case) if kind == "teams" else page_of_mail(case) for kind, case in names}


def card_of(case: str) -> dict[str, Any]:
    """The card that Teams is sent in a case."""
    (step,) = exchange_of("teams", case)
    card: dict[str, Any] = step["ask"]["body"]["attachments"][0]["content"]
    return card


def page_of_mail(case: str) -> str:
    """The page of HTML in the mail of a case."""
    return "\n".join(exchange_of("email", case)[0]["ask"]["page"])


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
    wanted = sources()
    for file in GALLERY.glob("*.png"):
        if file.name not in wanted:
            file.unlink()
    for name, source in wanted.items():
        file = GALLERY / name
        if not file.exists() or source_of(file.read_bytes()) != digest_of(source):
            if isinstance(source, str):
                picture = draw(source, most=_MAIL_HEIGHT, scale=_MAIL_SCALE)
            else:
                picture = draw(page_of_card(source))
            file.write_bytes(signed(picture, source))
            print(f"{file.relative_to(DOCS.parent)}: drawn")


if __name__ == "__main__":
    main()
