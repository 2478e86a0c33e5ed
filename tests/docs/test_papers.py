"""What the papers point at is there."""

from __future__ import annotations

import re
import shlex

import pytest

from router.cli.parser import new_parser
from tests.docs.command_line import commands
from tests.docs.pages import DOCS, ROOT, page, papers, spans

PAPERS = papers()
_OURS = re.compile(r"(\.venv/bin/)?alert-router( |$)")
_AN_ID = "d87e1b60-4a2c-4f93-b1d7-05c3e8a2f330"


def test_what_a_paper_points_at_is_there(subtests: pytest.Subtests) -> None:
    """A link names a file that is there, and a heading that it has; a path that is written as code exists, or the paper itself
    shows the file: rules are the reader's to write. `make x` is in the Makefile. No path of a machine stands in a paper."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    anchors = {paper.path: paper.anchors for paper in PAPERS}
    for paper in PAPERS:
        with subtests.test(paper.path.name):
            for link in paper.links:
                if not re.match(r"[a-z]+:", link):
                    file, _, anchor = link.partition("#")
                    target = (paper.path.parent / file).resolve() if file else paper.path
                    assert target.exists(), link
                    assert not anchor or anchor in anchors.get(target, ()), link
            shown = {fence.label for fence in paper.fences}
            paths = {
                span
                for span in spans(paper.prose)
                if re.fullmatch(r"(router|tests|docs|infra|benchmarks)/[\w./-]*", span)
            }
            assert [path for path in sorted(paths - shown) if not (ROOT / path).exists()] == []
            assert set(re.findall(r"`make ([a-z]+)`", paper.text)) <= targets
            assert not re.search(r"/(home|root|work|Users)/|\.\./shared", paper.text)


def test_every_command_that_is_shown_is_one(subtests: pytest.Subtests) -> None:
    """A command is one that there is; where it is written out, the parser understands it."""
    known, parser = commands(), new_parser()
    known_words = {*known, *(name.split()[0] for name in known), "...", ""}
    for paper in PAPERS:
        shell = "".join(fence.text for fence in paper.fences if fence.language in ("sh", "bash"))
        for line in dict.fromkeys([*spans(paper.prose), *shell.splitlines()]):
            if _OURS.match(line):
                given = line.partition(" > ")[0].replace("[DIR]", "DIR").replace("FILE...", "FILE")
                words = shlex.split(given.replace("$SUBSCRIPTION", _AN_ID), comments=True)[1:]
                if " ".join(words) not in known_words:
                    with subtests.test(paper.path.name, line=line):
                        parser.parse_args(words)


def test_no_text_installs_the_program_by_its_bare_name() -> None:
    """On a public index any stranger may own that name: a text says where to install from, and an extra is named with it."""
    places = [
        path
        for place in ("router", "alert_router_demo", "infra", "docs", ".github", ".ci")
        for path in (ROOT / place).rglob("*")
    ]
    for file in [*places, *ROOT.glob("*")]:
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
    reached = {(paper.path.parent / link.partition("#")[0]).resolve() for paper in PAPERS for link in paper.links}
    assert {paper.path for paper in PAPERS if DOCS in paper.path.parents} <= reached
