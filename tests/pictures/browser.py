"""Chromium without a window, which draws pages as a phone or a desk shows them. It reaches no network."""

import base64
import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from html import escape, unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tests.waiting import PATIENCE

PHONE = (375, 812)
"""Width and height of a phone's screen in CSS pixels."""

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS = (
    "--headless=new", "--no-first-run", "--disable-gpu", "--hide-scrollbars", "--font-render-hinting=none",
    "--disable-lcd-text", "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    # What a page names on the network is not asked for.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    # It is done when scripts and letters are, not when the page is loaded.
    "--virtual-time-budget=60000",
)  # fmt: skip
_SHARPNESS = 2  # pixels to a CSS pixel
_BESIDE = 200
"""CSS pixels by which the window is larger than what is drawn: a part of its height is no page, and 500 are its least width."""


class Page(NamedTuple):
    """A page as a browser shows it.

    Attributes:
        width, height: what it takes, in CSS pixels; wider than asked where something is cut off at the side.
        text: what it shows, as text.
        problems: the errors of its scripts.
    """

    width: int
    height: int
    text: str
    problems: list[str]


def find_browser() -> str | None:
    """The machine's Chromium, or None."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


def show(*pages: str, width: int = PHONE[0]) -> list[Page]:
    """How pages look on a screen of that width; raises RuntimeError where the machine has no Chromium."""
    return [Page(*one) for one in _said("".join(_framed(page, width, PHONE[1]) for page in pages), _MEASURE)]


def draw(page: str, source: str, *, most: int | None = None, scale: float = 1.0, width: int = PHONE[0]) -> bytes:
    """A picture of a page, as PNG that holds `source`: of that width, and as high as the page, but no higher than `most`."""
    (shown,) = show(page, width=width)
    height = shown.height if most is None else min(shown.height, most)
    window = f"--window-size={width + _BESIDE},{height + _BESIDE}"
    with TemporaryDirectory(prefix="pictures-") as folder:
        picture = Path(folder, "page.png")
        sharp = f"--force-device-scale-factor={_SHARPNESS * scale}"
        _run(_framed(page, width, shown.height), f"--screenshot={picture}", sharp, window)
        png = base64.b64encode(picture.read_bytes()).decode()
    across, down = (round(_SHARPNESS * scale * one) for one in (width, height))
    palette, pixels = map(
        base64.b64decode, _said(f'<img id=png src="data:image/png;base64,{png}">', f"({_PALETTE})({across}, {down})")
    )
    return _png(across, palette, pixels, source)


def _framed(page: str, width: int, height: int) -> str:
    listening = "<script>problems = []; onerror = (said) => { problems.push(String(said)); };</script>"
    size = f"display: block; border: 0; width: {width}px; height: {height}px"
    return f'<iframe style="{size}" srcdoc="{escape(listening + page)}"></iframe>'


def _said(body: str, script: str) -> Any:
    """What a script answers, as JSON, once the page around it is loaded."""
    done = f"onload = async () => {{ said.textContent = JSON.stringify(await {script}); }}"
    found = re.search(
        r'<pre id="said">(.+?)</pre>', _run(f"{body}<pre id=said></pre><script>{done}</script>", "--dump-dom")
    )
    if found is None:
        raise RuntimeError("Chromium: says nothing of the page")
    return json.loads(unescape(found[1]))


def _run(body: str, *options: str) -> str:
    program = find_browser()
    if program is None:
        raise RuntimeError("Chromium: there is none on this machine; install it, under Debian as `chromium`")
    with TemporaryDirectory(prefix="pictures-", ignore_cleanup_errors=True) as folder:
        (page := Path(folder, "page.html")).write_text(
            f'<!doctype html><meta charset="utf-8"><style>body {{ margin: 0; }}</style>{body}'
        )
        own = [f"--user-data-dir={folder}/profile", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        command = [program, *_OPTIONS, *own, *options, page.as_uri()]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=2 * PATIENCE).stdout


_MEASURE = """Promise.all([...document.querySelectorAll("iframe")].map(async (frame) => {
  const page = frame.contentDocument;
  await page.fonts.ready;
  const right = Math.max(...[...page.querySelectorAll("body *")].map((one) => one.getBoundingClientRect().right));
  const width = Math.max(right, page.documentElement.scrollWidth);
  const height = page.body.getBoundingClientRect().bottom;
  return [Math.ceil(width), Math.ceil(height), page.body.innerText, frame.contentWindow.problems];
}))"""


# The most frequent colours of a picture, and for each pixel the one that is nearest: such a file is half as large.
_PALETTE = """(width, height) => {
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(png, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const [red, green, blue] = [0, 1, 2].map((part) => (at) => data[4 * at + part]);
  const colours = Array.from({ length: data.length / 4 }, (_, at) => (red(at) << 16) | (green(at) << 8) | blue(at));
  const counts = new Map();
  for (const one of colours) counts.set(one, (counts.get(one) ?? 0) + 1);
  const palette = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, 64).map(([one]) => one);
  const distance = (a, b) => [16, 8, 0].reduce((sum, bits) => sum + (((a >> bits) & 255) - ((b >> bits) & 255)) ** 2, 0);
  const places = new Map();
  for (const one of counts.keys()) {
    const distances = palette.map((other) => distance(one, other));
    places.set(one, distances.indexOf(Math.min(...distances)));
  }
  const text = (list) => { let all = ""; for (const one of list) all += String.fromCharCode(one); return btoa(all); };
  const parts = palette.flatMap((one) => [one >> 16, (one >> 8) & 255, one & 255]);
  return [text(parts), text(colours.map((one) => places.get(one)))];
}"""


def _png(width: int, palette: bytes, pixels: bytes, source: str) -> bytes:
    """A picture of at most 256 colours as a file."""
    rows = [b"\0" + pixels[start : start + width] for start in range(0, len(pixels), width)]
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0)),
        (b"tEXt", f"Source\0{source}".encode()),
        (b"PLTE", palette),
        (b"IDAT", zlib.compress(b"".join(rows), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
