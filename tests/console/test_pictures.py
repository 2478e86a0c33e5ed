"""docs/console.md shows the console as it is: `PICTURES=write pytest tests/console/test_pictures.py` takes its pictures."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from typing import NamedTuple

import pytest

from tests.console.browsing import Windows
from tests.console.sites import Site
from tests.docs.pages import DOCS, page
from tests.pictures.browser import draw
from tests.store.acts import awaited

PICTURES = DOCS / "console"
IS_WRITING = os.environ.get("PICTURES") == "write"
LARGEST = 150_000  # bytes of a picture
DESK, POCKET = (1024, 720), (390, 720)


class Shot(NamedTuple):
    """A page on a screen, in the light and in the dark.

    Attributes:
        presses: the button that is pressed there first; None for the page as it is.
    """

    path: str
    size: tuple[int, int] = DESK
    presses: str | None = None


SHOTS = {
    "alerts": Shot("/alerts"),
    "why": Shot("/signals/{key}"),
    "silence": Shot(
        "/silences/new?host=web-lin-01&for=2h&reason=patching,+CHG-1234", presses="Show what it would hold"
    ),
    "pocket": Shot("/alerts", POCKET),
}

_BESIDE = '<body style="margin: 0; display: flex; gap: 16px; background: #808080">%s</body>'
_IMAGE = '<img src="data:image/png;base64,%s">'


@pytest.mark.skipif(not IS_WRITING, reason="PICTURES=write takes the pictures of docs/console.md")
@awaited
async def test_pictures_are_taken(site: Site, windows: Windows) -> None:
    """Of each page in the light and in the dark, side by side."""
    PICTURES.mkdir(exist_ok=True)
    held = site.document("/alerts?outcome=held")["signals"][0]["key"]
    for name, shot in SHOTS.items():
        window = await windows.open(site)
        await window.resize(shot.size)
        await window.goto(shot.path.replace("{key}", held))
        if shot.presses is not None:
            await window.page.get_by_role("button", name=shot.presses).click()
            await window.page.wait_for_load_state()
        images = list[str]()
        for scheme in ("light", "dark"):
            await window.page.emulate_media(color_scheme=scheme)
            images.append(_IMAGE % b64encode(await window.page.screenshot()).decode())
        picture = draw(_BESIDE % "".join(images), shot.path, scale=0.5, width=2 * shot.size[0] + 16)
        (PICTURES / f"{name}.png").write_bytes(picture)


def test_the_pages_show_each_picture() -> None:
    """Each that there is, small enough, with a text for those who see none; two of them stand in the README as well."""
    shown = {name: re.findall(r"!\[([^\]]+)\]\((?:docs/)?console/([\w-]+)\.png\)", page(name).text) for name in _PAGES}
    assert all(len(text.split()) > 10 for pictures in shown.values() for text, _ in pictures)
    files = {file.stem: file for file in PICTURES.glob("*.png")}
    assert {name for _, name in shown["docs/console.md"]} == files.keys() == SHOTS.keys()
    assert len(shown["README.md"]) == 2
    assert all(file.stat().st_size < LARGEST for file in files.values())


_PAGES = ("README.md", "docs/console.md")
