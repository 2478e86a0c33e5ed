"""What the papers point at is there, and whatever ships to be copied leads to nobody."""

import re
import shlex
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from router.cli.parser import new_parser
from router.coverage.expected.form import CoverageForm
from router.destinations import discover
from router.domain.urls import is_example
from router.rulebook.schemas import schemas
from tests.builders import RULES
from tests.docs.pages import DOCS, ROOT, commands, page, papers, spans

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


VENDORS = {
    # Where every customer of a vendor goes; who one is, is said by a secret.
    "events.pagerduty.com", "events.eu.pagerduty.com", "api.atlassian.com", "auth.atlassian.com", "id.atlassian.com",
    "api.opsgenie.com", "api.eu.opsgenie.com", "hooks.slack.com", "api.slack.com",
    # Azure's own, GitHub's, and what only names a form.
    "management.azure.com", "management.usgovcloudapi.net", "portal.azure.com", "monitor.azure.com",
    "login.microsoftonline.com", "graph.microsoft.com",
    "token.actions.githubusercontent.com", "adaptivecards.io", "json-schema.org",
    "schema.ocsf.io", "raw.githubusercontent.com",
    # The metadata service of Azure, in an attacker's command line.
    "169.254.169.254",
}  # fmt: skip
"""Hosts that are nobody's in particular."""

DOCUMENTATION = tuple(map(ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")))
"""Addresses that no host has: https://www.rfc-editor.org/rfc/rfc5737"""

_URL = re.compile(r"(?:https?|sb|amqps|smtp)://(\w[^\s/?#\"'`<>)\]},:]*)")
_MAIL = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")
_CUSTOMERS = re.compile(
    r"\b[\w-]*example[\w-]*(?:\.[\w-]+)+|"
    r"(?:[\w-]+\.)+(?:service-now\.com|atlassian\.net|splunkcloud\.com|powerplatform\.com|ingest\.monitor\.azure\.com)"
)
_FILES = (".md", ".py", ".yaml", ".json", ".ndjson", ".html", ".kql")
_LINK = re.compile(r"\]\([^)\s]*\)|<https?://[^>]*>|\[\w[^\]]*\]:\s\S+")
"""Where a page sends its reader, who knows."""

NAMED_IN_PROSE = {
    "default0123.45.environment.api.powerplatform.com": "the form of an address that Teams gives out",
    "default0.1.environment.api.powerplatform.com": "the same",
    "http-inputs-STACK.splunkcloud.com": "the form of a collector's address",
    "github.com": "whose workflows have names that begin so, for cosign",
}


def hosts_in(text: str) -> Iterator[str]:
    """Every host that a text names: in addresses, behind an @, and bare where it looks like a vendor's customer."""
    for pattern in (_URL, _MAIL):
        yield from (host.rstrip(".") for host in pattern.findall(text))
    yield from (host for host in _CUSTOMERS.findall(text) if not host.endswith(_FILES))


def is_nobodys(host: str) -> bool:
    """Whether nobody in particular is reached there."""
    host = host.rpartition("@")[2]
    if host.endswith("…"):
        return True  # cut, it leads nowhere
    if is_example(host) or host in VENDORS or host == "localhost" or host.isupper():
        return True
    try:
        address = ip_address(host)
        return address.is_loopback or any(address in network for network in DOCUMENTATION)
    except ValueError:
        return False


def test_no_address_that_is_to_be_copied_is_anybodys(subtests: pytest.Subtests) -> None:
    """Rules with their comments and examples; papers with their snippets, and what stands as code in tables and sentences,
    while links are for who reads; and what an editor fills in by the schemas' examples."""
    theirs = {"soc.example.com", "example.com", "example.service-now.com", "soc.westeurope-1.ingest.monitor.azure.com"}
    text = "https://soc.example.com:8088/x secops@example.com example.service-now.com soc.westeurope-1.ingest.monitor.azure.com"
    assert {host for host in hosts_in(text) if not is_nobodys(host)} == theirs
    rules = [path for path in sorted(RULES.rglob("*")) if path.suffix in (".yaml", ".json")]
    texts = {str(path.relative_to(RULES)): path.read_text() for path in rules}
    papers = ["README.md", *(path.relative_to(ROOT).as_posix() for path in sorted(DOCS.rglob("*.md")))]
    texts |= {name: _LINK.sub("]", page(name).text) for name in papers}
    for name, text in {**texts, "schemas": repr(schemas(discover(), CoverageForm))}.items():
        with subtests.test(name):
            strangers = {host for host in hosts_in(text) if not is_nobodys(host)}
            assert sorted(strangers - NAMED_IN_PROSE.keys()) == []
