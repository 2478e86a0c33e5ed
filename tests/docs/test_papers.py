"""What the papers point at is there."""

from __future__ import annotations

import re
import shlex

import pytest

from router.cli.parser import new_parser
from tests.docs.command_line import commands
from tests.docs.pages import DOCS, ROOT, Page, page, papers, spans

each_paper = pytest.mark.parametrize("paper", papers(), ids=lambda paper: paper.path.name)


@each_paper
def test_every_link_inside_the_repository_leads_somewhere(paper: Page) -> None:
    """A link names a file that is there, and a heading that it has."""
    for link in paper.links:
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (paper.path.parent / file).resolve() if file else paper.path
        assert target.exists(), link
        if anchor:
            assert anchor in Page(target, target.read_text(encoding="utf-8")).anchors, link


@each_paper
def test_every_path_that_is_named_is_there(paper: Page) -> None:
    """A path that is written as code exists, or the paper itself shows the file; rules are the reader's to write."""
    shown = {fence.label for fence in paper.fences}
    for span in spans(paper.prose):
        if re.fullmatch(r"(router|tests|docs|infra|benchmarks)/[\w./-]*", span) and span not in shown:
            assert (ROOT / span).exists(), span


@each_paper
def test_every_command_that_is_shown_is_one(paper: Page) -> None:
    """A command is one that there is; where it is written out, the parser understands it."""
    known = commands()
    for line in [*spans(paper.prose), *_shell_lines(paper)]:
        if _OURS.match(line):
            given = (
                line.partition(" > ")[0]
                .replace("[DIR]", "DIR")
                .replace("FILE...", "FILE")
                .replace("$SUBSCRIPTION", _AN_ID)
            )
            words = shlex.split(given, comments=True)[1:]
            if words and " ".join(words) not in {*known, *(name.split()[0] for name in known), "..."}:
                new_parser().parse_args(words)


_OURS = re.compile(r"(\.venv/bin/)?alert-router( |$)")
_AN_ID = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"


def _shell_lines(paper: Page) -> list[str]:
    return [line for fence in paper.fences if fence.language in ("sh", "bash") for line in fence.text.splitlines()]


@each_paper
def test_every_make_target_that_is_named_is_one(paper: Page) -> None:
    """`make x` is in the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", paper.text)) <= targets


@each_paper
def test_a_paper_names_no_machine(paper: Page) -> None:
    """No path of somebody's machine stands in a paper."""
    assert not re.search(r"/(home|root|work|Users)/", paper.text)
    assert "../shared" not in paper.text


@pytest.mark.parametrize("place", ["router", "alert_router_demo", "infra", "docs", ".github", ".", ".ci"])
def test_no_text_installs_the_program_by_its_bare_name(place: str) -> None:
    """On a public index any stranger may own that name: a text says where to install from, and an extra is named with it."""
    files = (ROOT / place).glob("*") if place == "." else (ROOT / place).rglob("*")
    for file in files:
        if (
            file.is_file()
            and file.suffix in {".py", ".md", ".yml", ".yaml", ".sh", ".toml", ""}
            and file.stat().st_size
        ):
            found = _BARE.search(file.read_text(encoding="utf-8", errors="replace"))
            assert found is None, f"{file.relative_to(ROOT)}: {found[0] if found else ''}"


_BARE = re.compile(
    r"alert-router\[[\w, ]*\](?! ?@ ?)|(install|uvx|--from|pipx run)( -[-\w]+)*\s+[\"'`]?alert-router(?!\[|[\"'`]? @)\b"
)


def test_the_changelog_is_kept_in_its_form() -> None:
    """Unreleased stands first, releases have dates, and changes stand under the six headings."""
    text = page("CHANGELOG.md").text
    releases = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert releases[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", release) for release in releases[1:])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= kinds


def test_every_page_of_docs_is_reached_from_another() -> None:
    """No page stands alone."""
    reached = {(paper.path.parent / link.partition("#")[0]).resolve() for paper in papers() for link in paper.links}
    assert {paper.path for paper in papers() if DOCS in paper.path.parents} <= reached
