"""docs/gallery.md, and its pictures, which `python -m tests.docs.gallery` draws anew from the golden files."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from router.coverage.expected.manifest import HEARD_WITHIN
from router.decide import decide, notice_for, with_coverage_level
from router.destinations import discover
from router.domain.catalogue import Catalogue
from router.domain.conversation import ReadableKind
from router.domain.coverage_sources import CoverageSource, CoverageSourceKind
from router.domain.deliveries import Attempt
from router.domain.evidence import Evidence
from router.domain.signals import Finding, Stream
from router.domain.silent_sources import SourceState, SourceTurn
from router.ingest.source_messages import message_of
from router.parse import read_signals
from router.rulebook import load_all
from router.rulebook.starter import STARTER
from tests.destinations.builders import NOW, an_attempt, secret_names_in
from tests.destinations.goldens import CASES, attempt_for, exchange_of
from tests.docs.pages import DOCS
from tests.pictures.browser import PHONE, draw
from tests.pictures.cards import page_of_card

PAGE = DOCS / "gallery.md"
IS_WRITING = os.environ.get("GALLERY") == "write"

_LONGEST = 180
"""Characters of a line that the page shows."""

_FEW = 3
"""Lines that are shown again though another kind has them."""


class Scene(NamedTuple):
    """A case of the golden files as the page shows it.

    Attributes:
        case: its name.
        title: the heading.
        intro: what it is about.
        kinds: the kinds whose texts it shows, the one with the whole text first.
        pictures: the names of its pictures.
        most: the lines of a text that it shows; the first text of a case that opens is shown whole.
    """

    case: str
    title: str
    intro: str
    kinds: Sequence[str]
    pictures: Sequence[str]
    most: int = 8


SCENES = (
    Scene(
        "workload",
        "A container is attacked",
        "An alert of a Kubernetes workload opens. Its message has many lists of evidence, five properties that the router has\n"
        "no list for, and two links; its type has a runbook. One of its commands has a password, which nobody is told.",
        kinds=("servicenow", "pagerduty", "slack", "teams"),
        pictures=("teams-workload", "email-workload"),
        most=12,
    ),
    Scene(
        "package",
        "One package on five hundred machines",
        "A policy groups recommendations by category, package and owner, so that 512 machines are one ticket.",
        kinds=("servicenow",),
        pictures=("teams-package",),
        most=35,
    ),
    Scene(
        "updated",
        "It changes",
        "Tickets and pages that have the rest already say what changed.",
        kinds=("servicenow", "jsm_ops"),
        pictures=("teams-updated",),
    ),
    Scene(
        "joined",
        "Others join it",
        "Two more sign-ins to the same machine join the group of the first.",
        kinds=("servicenow", "jsm_ops"),
        pictures=("teams-joined",),
    ),
    Scene(
        "resolved",
        "It is over",
        "A resolution says how it ended, and how long it stood.",
        kinds=("servicenow", "jira", "jsm_ops", "pagerduty"),
        pictures=("teams-resolved", "email-resolved"),
    ),
    Scene(
        "released",
        "What a rule had held is told",
        "A suppression rule ended: the notice says whose it was, since when it held, and how many messages came meanwhile.",
        kinds=("servicenow",),
        pictures=("teams-released",),
    ),
)

_SUBSCRIPTION = "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"

_WHOLE = frozenset({"workload"})
"""The cases whose first text is shown whole."""

_HEAD = """# A gallery

What people get, as `explain --notice` shows it. A test writes this page from the cases of the [golden
files](../CONTRIBUTING.md#golden-files), and keeps it and its pictures true; every name is made up. In brackets stands how many
lines this page leaves out; a line of more than 180 characters ends with `…` here. The pictures are of Teams, whose lines Slack
shows as well, and of the first screens of a mail, as wide as a phone. What each kind says, and where it is cut, stands in [the
kinds](destinations.md#the-kinds).
"""


def page() -> str:
    """The page as it should be."""
    return "\n".join([_HEAD, *(line for scene in SCENES for line in _scene(scene)), *_silence(), *_rows()])


def _scene(scene: Scene) -> Iterator[str]:
    yield f"## {scene.title}\n"
    yield f"{scene.intro}\n"
    words = {"teams": "A card of Teams", "email": "A mail"}
    pictures = (name.partition("-") for name in scene.pictures)
    yield " ".join(f"![{words[kind]}: {case}](gallery/{kind}-{case}.png)" for kind, _, case in pictures) + "\n"
    kinds_of: dict[str, list[str]] = {}
    for kind in scene.kinds:
        kinds_of.setdefault(text_of(kind, scene.case), []).append(f"`{kind}`")
    known: set[str] = set()
    for text, kinds in kinds_of.items():
        lines = text.splitlines()
        most = len(lines) if scene.case in _WHOLE and not known else scene.most
        yield f"{' and '.join(filter(None, (', '.join(kinds[:-1]), kinds[-1])))}:\n"
        yield "```text"
        yield from _shown(lines, known, most)
        yield "```\n"
        known = known or {line for line in lines if line}


def _shown(lines: Sequence[str], known: set[str], most: int) -> Iterator[str]:
    """The first lines, with a count in place of those that the reader knows, where they are more than a few."""
    shown: list[str] = []
    for is_known, run in groupby(lines, key=lambda line: not line or line in known):
        found = list(run)
        if is_known and len(found) > _FEW:
            found = [f"[{sum(map(bool, found))} lines as above]"]
        shown += found
    more = sum(map(bool, shown[most:]))
    if more > _FEW:
        shown = [*shown[:most], f"[{more} more lines]"]
    yield from (line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…" for line in shown)


def _silence() -> Iterator[str]:
    yield "## A subscription falls silent\n"
    yield "The router's own finding, by the starter's policy: no recommendation came of a subscription that"
    yield "[coverage.yaml](coverage.md#silent-sources) expects.\n"
    yield "`servicenow`:\n"
    yield "```text"
    yield from text_of_silence("servicenow").partition("\n\nCOLUMNS")[0].splitlines()
    yield "```\n"


def _rows() -> Iterator[str]:
    (step,) = exchange_of("file", "opened")
    yield "## A row\n"
    yield "What `file` writes for an alert that opens; a webhook's `data` has the same keys.\n"
    yield "```json"
    yield orjson.dumps(step["ask"]["lines"][0]).decode()
    yield "```\n"


def text_of(kind: str, name: str) -> str:
    """What people read of a case there."""
    (case,) = [case for case in CASES if case.name == name]
    return _text(kind, lambda secrets: attempt_for(kind, case, secrets))


def text_of_silence(kind: str) -> str:
    """What people read there of a subscription that is silent, as the starter's policy has it."""
    turn = SourceTurn(
        source=CoverageSource(CoverageSourceKind.SUBSCRIPTION, _SUBSCRIPTION),
        number=1,
        state=SourceState.SILENT,
        at=NOW,
        last=NOW - timedelta(days=9),
        since=NOW - timedelta(days=9),
        within=HEARD_WITHIN,
        entry=1,
        name=_SUBSCRIPTION,
        subscription=_SUBSCRIPTION,
    )
    (finding,) = read_signals(message_of(turn).body, Catalogue())
    assert isinstance(finding, Finding)
    book = load_all(STARTER, discover(), NOW)[Stream.CSPM].rulebook
    assert book is not None
    seen = with_coverage_level(finding, book)
    notice = notice_for(seen, Evidence(), decide(seen, book, NOW), book, "silent", 1)
    return _text(kind, lambda secrets: an_attempt(notice, secrets=secrets, destination="soc-coverage"))


def _text(kind: str, attempt: Callable[[list[str]], Attempt]) -> str:
    found = discover()[kind]
    example = found.Config.model_json_schema()["examples"][0]
    destination: ReadableKind = found(found.Config.model_validate(example))
    return destination.preview(attempt(list(secret_names_in(example)))).strip()


GALLERY = DOCS / "gallery"

_MAIL: dict[str, Any] = {"most": 3 * PHONE[1] // 2, "scale": 0.6}
"""A mail is long, and its picture is to stay small."""


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


def source_of(picture: bytes) -> str:
    """The digest of what a picture was drawn from; empty where it holds none."""
    found = re.search(rb"tEXtSource\0([0-9a-f]{64})", picture)
    return found[1].decode() if found else ""


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
        file, digest = GALLERY / name, digest_of(source)
        if not file.exists() or source_of(file.read_bytes()) != digest:
            file.write_bytes(
                draw(source, digest, **_MAIL) if isinstance(source, str) else draw(page_of_card(source), digest)
            )
            print(f"{file.relative_to(DOCS.parent)}: drawn")


if __name__ == "__main__":
    main()
