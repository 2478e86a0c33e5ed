"""Whatever ships to be copied leads to nobody: each address ends in `.example`, is this machine, or is the vendor's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

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


def test_no_address_that_is_to_be_copied_is_anybodys(subtests: pytest.Subtests) -> None:
    """Rules with their comments and examples; papers with their snippets, and what stands as code in tables and sentences,
    while links are for who reads; and what an editor fills in by the schemas' examples."""
    rules = [path for path in sorted(RULES.rglob("*")) if path.suffix in (".yaml", ".json")]
    texts = {str(path.relative_to(RULES)): path.read_text() for path in rules}
    papers = ["README.md", *(path.relative_to(ROOT).as_posix() for path in sorted(DOCS.rglob("*.md")))]
    texts |= {name: _LINK.sub("]", page(name).text) for name in papers}
    for name, text in {**texts, "schemas": repr(schemas(discover(), CoverageForm))}.items():
        with subtests.test(name):
            strangers = {host for host in hosts_in(text) if not is_nobodys(host)}
            assert sorted(strangers - NAMED_IN_PROSE.keys()) == []


def test_what_may_be_somebodys_is_found() -> None:
    """As it stood in what shipped before."""
    ingestion = "soc-example.westeurope-1.ingest.monitor.azure.com"
    for text, found in (
        ("url: https://example.service-now.com", "example.service-now.com"),
        ("owner secops@example.com", "example.com"),
        (f"at {ingestion}", ingestion),
        ("url: https://soc.example.com:8088/x", "soc.example.com"),
    ):
        assert found in [host for host in hosts_in(text) if not is_nobodys(host)]
