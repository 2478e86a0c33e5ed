"""Whatever ships to be copied leads to nobody: each address ends in `.example`, is this machine, or is the vendor's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from router.coverage.expected.form import CoverageForm
from router.destinations import discover
from router.domain.urls import is_example
from router.rulebook import schemas
from tests.builders import RULES
from tests.docs.pages import DOCS, ROOT, page

VENDORS = {
    # Where every customer of a vendor goes; who one is, is said by a secret.
    "events.pagerduty.com", "events.eu.pagerduty.com", "api.atlassian.com", "auth.atlassian.com", "id.atlassian.com",
    "api.opsgenie.com", "api.eu.opsgenie.com", "hooks.slack.com", "api.slack.com",
    # Azure's own, GitHub's, and what only names a form.
    "management.azure.com", "management.usgovcloudapi.net", "portal.azure.com", "monitor.azure.com",
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
_BARE = re.compile(
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
}


def hosts_in(text: str) -> Iterator[str]:
    """Every host that a text names: in addresses, behind an @, and bare where it looks like a vendor's customer."""
    for pattern in (_URL, _MAIL):
        yield from (host.rstrip(".") for host in pattern.findall(text))
    yield from (host for host in _BARE.findall(text) if not host.endswith(_FILES))


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


SHIPPED = [path for path in sorted(RULES.rglob("*")) if path.suffix in (".yaml", ".json")]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.relative_to(RULES).as_posix())
def test_no_address_in_the_rules_is_anybodys(path: Path) -> None:
    """Destinations, comments and examples."""
    assert sorted({host for host in hosts_in(path.read_text()) if not is_nobodys(host)}) == []


PAPERS = ["README.md", *(path.relative_to(ROOT).as_posix() for path in sorted(DOCS.rglob("*.md")))]


@pytest.mark.parametrize("name", PAPERS)
def test_no_address_in_the_papers_that_is_to_be_copied_is_anybodys(name: str) -> None:
    """Snippets, and what stands as code in tables and sentences; links are for who reads."""
    text = _LINK.sub("]", page(name).text)
    strangers = {host for host in hosts_in(text) if not is_nobodys(host)}
    assert sorted(strangers - NAMED_IN_PROSE.keys()) == []


def test_no_address_that_an_editor_fills_in_is_anybodys() -> None:
    """The schemas' examples."""
    text = repr(schemas(discover(), CoverageForm))
    strangers = {host for host in hosts_in(text) if not is_nobodys(host)}
    assert sorted(strangers - NAMED_IN_PROSE.keys()) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("url: https://example.service-now.com", "example.service-now.com"),
        ("owner secops@example.com", "example.com"),
        ("at soc-example.westeurope-1.ingest.monitor.azure.com", "soc-example.westeurope-1.ingest.monitor.azure.com"),
        ("url: https://soc.example.com:8088/x", "soc.example.com"),
    ],
)
def test_what_may_be_somebodys_is_found(text: str, found: str) -> None:
    """As it stood in what shipped before."""
    assert found in [host for host in hosts_in(text) if not is_nobodys(host)]
