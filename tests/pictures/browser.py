"""Chromium without a window, which draws pages as a phone or a desk shows them. It reaches no network.

It is spoken to in the DevTools protocol over two pipes, so that nothing listens anywhere and it ends with whoever started it.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.waiting import PATIENCE

PHONE = (375, 812)
"""Width and height of a phone's screen in CSS pixels."""

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu", "--hide-scrollbars",
    "--font-render-hinting=none", "--disable-lcd-text", "--disable-background-networking", "--disable-component-update",
    # What a page names on the network is not asked for.
    "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-dev-shm-usage",
)  # fmt: skip
_SHARPNESS = 2  # pixels to a CSS pixel
_FROM, _TO = 3, 4  # the descriptors that Chromium speaks at


def find_browser() -> Path | None:
    """The machine's Chromium, or None."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return Path(found) if found else None


@dataclass(frozen=True, slots=True)
class Page:
    """A page as a browser shows it.

    Attributes:
        width, height: what it takes, in CSS pixels; wider than asked where something is cut off at the side.
        text: what it shows, as text.
        problems: the errors of its scripts.
    """

    width: int
    height: int
    text: str
    problems: tuple[str, ...]


class Browser:
    """A Chromium that runs; made by `started`."""

    def __init__(self, asks: int, answers: int, folder: Path) -> None:
        self._asks, self._answers, self._folder = asks, answers, folder
        self._numbers = count(1)
        self._read = b""
        self._events: list[Mapping[str, Any]] = []

    def show(self, html: str, width: int = PHONE[0]) -> Page:
        """Shows a page on a screen of that width, and says how that looks."""
        with self._opened(html, width) as session:
            return self._measured(session)

    def draw(self, html: str, width: int = PHONE[0], *, most: int | None = None, scale: float = 1.0) -> bytes:
        """A picture of a page, as PNG: of that width, and as high as the page, but no higher than `most`."""
        with self._opened(html, width) as session:
            height = self._measured(session).height
            height = height if most is None else min(height, most)
            clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": scale}
            png = self._ask("Page.captureScreenshot", session, clip=clip, captureBeyondViewport=True)["data"]
            across, palette, pixels = self._evaluate(session, f"({_PALETTE})({json.dumps(png)})")
        return _png(across, base64.b64decode(palette), base64.b64decode(pixels))

    @contextmanager
    def _opened(self, html: str, width: int) -> Iterator[str]:
        """The session of a page, for as long as that is open."""
        file = self._folder / "page.html"
        file.write_text(html)
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._ask("Page.enable", session)
        self._ask("Runtime.enable", session)
        screen = {"width": width, "height": PHONE[1], "deviceScaleFactor": _SHARPNESS, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", session, **screen)
        self._ask("Page.navigate", session, url=file.as_uri())
        self._await_event("Page.loadEventFired", session)
        self._evaluate(session, "document.fonts.ready.then(() => null)")
        yield session
        self._ask("Target.closeTarget", targetId=target)
        self._events.clear()

    def _measured(self, session: str) -> Page:
        width, height, text = self._evaluate(session, _MEASURE)
        thrown = [
            one["params"]["exceptionDetails"] for one in self._events if one["method"] == "Runtime.exceptionThrown"
        ]
        problems = [one.get("exception", {}).get("description", one["text"]) for one in thrown]
        return Page(width, height, text, tuple(problems))

    def _evaluate(self, session: str, script: str) -> Any:
        said = self._ask("Runtime.evaluate", session, expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in said:
            raise RuntimeError(f"page: {said['exceptionDetails']}")
        return said["result"].get("value")

    def _ask(self, method: str, session: str | None = None, **params: Any) -> Any:
        number = next(self._numbers)
        asked = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        left = memoryview(json.dumps(asked).encode() + b"\0")
        while left:
            left = left[os.write(self._asks, left) :]
        while (said := self._next()).get("id") != number:
            self._events.append(said)
        if "error" in said:
            raise RuntimeError(f"Chromium: {method}: {said['error']}")
        return said["result"]

    def _await_event(self, method: str, session: str) -> None:
        while not any(one.get("method") == method and one.get("sessionId") == session for one in self._events):
            self._events.append(self._next())

    def _next(self) -> Mapping[str, Any]:
        while b"\0" not in self._read:
            ready, _, _ = select.select([self._answers], [], [], PATIENCE)
            more = os.read(self._answers, 1 << 20) if ready else b""
            if not more:
                raise RuntimeError("Chromium: says nothing" if not ready else "Chromium: ended")
            self._read += more
        one, _, self._read = self._read.partition(b"\0")
        said: Mapping[str, Any] = json.loads(one)
        return said


_MEASURE = """(() => {
  const body = document.body.getBoundingClientRect();
  const right = Math.max(...[...document.querySelectorAll("body *")].map((one) => one.getBoundingClientRect().right));
  return [Math.ceil(Math.max(right, document.documentElement.scrollWidth)), Math.ceil(body.bottom), document.body.innerText];
})()"""


# The most frequent colours of a picture, and for each pixel the one that is nearest: such a file is half as large.
_PALETTE = """async (png) => {
  const bytes = Uint8Array.from(atob(png), (sign) => sign.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes]));
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
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
  return [bitmap.width, text(parts), text(colours.map((one) => places.get(one)))];
}"""


def _png(width: int, palette: bytes, pixels: bytes) -> bytes:
    """A picture of at most 256 colours as a file."""
    rows = [b"\0" + pixels[start : start + width] for start in range(0, len(pixels), width)]
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0)),
        (b"PLTE", palette),
        (b"IDAT", zlib.compress(b"".join(rows), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


@contextmanager
def started(program: Path | None = None) -> Iterator[Browser]:
    """A Chromium for as long as it is needed; raises RuntimeError where the machine has none."""
    program = program or find_browser()
    if program is None:
        raise RuntimeError("Chromium: there is none on this machine; install it, under Debian as `chromium`")
    with TemporaryDirectory(prefix="pictures-", ignore_cleanup_errors=True) as folder:
        theirs, asks = map(_high, os.pipe())
        answers, ours = map(_high, os.pipe())
        options = [*_OPTIONS, f"--user-data-dir={folder}/profile", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        null = os.open(os.devnull, os.O_RDWR)
        process = os.posix_spawn(
            program,
            [str(program), *options],
            os.environ,
            file_actions=[
                *((os.POSIX_SPAWN_DUP2, null, one) for one in (0, 1, 2)),
                (os.POSIX_SPAWN_DUP2, theirs, _FROM),
                (os.POSIX_SPAWN_DUP2, ours, _TO),
            ],
            setpgroup=0,
        )
        for one in (null, theirs, ours):
            os.close(one)
        try:
            yield Browser(asks, answers, Path(folder))
        finally:
            os.close(asks)
            _end(process, answers)


def _end(process: int, answers: int) -> None:
    """Waits until a Chromium has ended that is asked nothing more; what hangs is ended by its group, which is its own."""
    while select.select([answers], [], [], PATIENCE)[0]:
        if not os.read(answers, 1 << 20):
            break
    else:
        os.killpg(process, signal.SIGKILL)
    os.close(answers)
    os.waitpid(process, 0)


def _high(descriptor: int) -> int:
    """The same pipe under a number that is not one of those at which Chromium speaks."""
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(descriptor)
    return moved
