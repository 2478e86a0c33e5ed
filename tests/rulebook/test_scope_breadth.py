"""A text that `contains` looks for tells signals apart, or its rule is refused."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.signals import Stream
from router.rulebook import Loaded, lint
from router.rulebook.scope import find_field
from router.rulebook.scope_breadth import FEWEST, find_breadth
from tests.rulebook.builders import NOW, a_body, a_policy, loaded
from tests.samples import SAMPLES

SUBSCRIPTION = "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
RESOURCE, HOST = "entities.azureresource.resourceid", "entities.host.hostname"


def breadth_of(text: str, field: str = RESOURCE) -> str | None:
    """What is said about a text in a field."""
    found = find_field(field)
    assert found is not None
    return find_breadth(text, found)


@pytest.mark.parametrize(
    "text",
    [
        "s", "1", "rg", "rg-", " a b ", "/a1/", "/subscriptions/", "/resourceGroups/", "/PROVIDERS/", "/resourceGrou",
        "Microsoft.Compute", "microsoft", "Azure", ".Compute/", "oft.Compute/virt", "/providers/Foo.Bar/things/",
        "/virtualMachines/", "/virtualMachines/vm", SUBSCRIPTION, SUBSCRIPTION[:8], SUBSCRIPTION[7:21],
        f"/subscriptions/{SUBSCRIPTION}", f"{SUBSCRIPTION}/resourceGroups/rg", "/resourceGroups/rg-", "x/providers/", "abc",
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", Stream)
def test_a_text_that_each_resource_meets_is_refused(text: str, stream: Stream, tmp_path: Path) -> None:
    """Its rule is left out in either stream, wherever in a list it stands, and the line and what to do are said."""
    scope = {"allOf": [{"field": RESOURCE, "contains": ["/rg-build/", text]}]}
    files = {
        f"{stream}/policy.yaml": a_policy(stream),
        f"{stream}/suppressions/a.json": a_body(suppressionAlertsScope=scope),
    }
    result = loaded(tmp_path, files, stream)
    assert result.rulebook is not None
    assert not result.rulebook.suppressions.by_name
    (problem,) = [one for one in result.problems if one.level == "problem"]
    assert problem.file.endswith("a.json")
    assert problem.line is not None
    assert "write" in problem.message


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("/resourceGroups/rg-build/", RESOURCE), ("/resourceGroups/r1/", RESOURCE), ("/rg-build/", RESOURCE),
        ("/managedClusters/aks-platform-weu", RESOURCE), (f"{SUBSCRIPTION}/resourceGroups/rg-build", RESOURCE),
        ("/abc/", RESOURCE), ("/resourceGroups/prod", RESOURCE), ("web", HOST), ("abc", HOST), ("10.20.", HOST),
        ("/opt/agent/", "entities.process.commandline"), (SUBSCRIPTION, "entities.process.commandline"),
    ],
)  # fmt: skip
def test_a_text_that_tells_resources_apart_is_taken(text: str, field: str) -> None:
    """A whole group or name however short, the beginning of one, and any word where no ids are."""
    assert breadth_of(text, field) is None


def test_the_shortest_text_has_three_letters_or_digits() -> None:
    """Marks do not count."""
    assert breadth_of("a.-b", HOST)
    assert breadth_of("a.-b1", HOST) is None


TYPES = st.sampled_from(["Compute/virtualMachines", "Storage/storageAccounts", "Web/sites", "KeyVault/vaults"])


@st.composite
def pairs_of_ids(draw: st.DrawFn) -> tuple[str, str]:
    """Two resources of a subscription, whose groups and names have nothing in common."""
    head = f"/subscriptions/{draw(st.uuids().map(str) | st.just(str(UUID(int=0))))}/resourceGroups"
    names = [st.text("jkmqw-", min_size=1, max_size=8), st.text("lnxyz0_", min_size=1, max_size=8)]
    one, other = (f"{head}/{draw(name)}/providers/Microsoft.{draw(TYPES)}/{draw(name)}" for name in names)
    return one, other


@settings(deadline=None)
@given(ids=pairs_of_ids(), data=st.data())
def test_no_text_that_is_taken_is_in_every_resource_of_a_subscription(
    ids: tuple[str, str], data: st.DataObject
) -> None:
    """Whatever piece of a resource's id a rule looks for, in whatever case, another resource is left to be heard."""
    one, other = ids
    start = data.draw(st.integers(0, len(one) - FEWEST))
    text = one[start : data.draw(st.integers(start + FEWEST, len(one)))]
    text = data.draw(st.sampled_from([text, text.upper(), text.swapcase()]))
    if text.casefold() in other.casefold():
        assert breadth_of(text) is not None


COMMAND, DIRECTORY, IP, SUFFIX = (
    "entities.process.commandline", "entities.file.directory", "entities.ip.address", "entities.account.upnsuffix",
)  # fmt: skip


def is_broad(directory: Path, *scope: tuple[str, str, object], stream: Stream = Stream.CWPP) -> bool:
    """Whether `rules check` says that a rule holds a whole type, by its elements: each a field, an operator and a value."""
    body = a_body(suppressionAlertsScope={"allOf": [{"field": field, how: what} for field, how, what in scope]})
    files = {f"{stream}/suppressions/one.json": body, f"{stream}/suppressions/shadow/other.json": body}
    result: Loaded = loaded(directory, files, stream)
    assert [one for one in result.problems if one.level == "problem"] == []
    codes = [one.code for one in lint(directory, stream, result, NOW) if one.code == "holds-most"]
    assert len(codes) in (0, 2)
    return bool(codes)


@pytest.mark.parametrize(
    "scope",
    [
        [(SUFFIX, "contains", "com")],
        [(SUFFIX, "contains", [".net", ".org"])],
        [("entities.host.dnsdomain", "contains", "onmicrosoft")],
        [(COMMAND, "contains", "exe")],
        [(COMMAND, "contains", "/bin/")],
        [(DIRECTORY, "contains", "usr")],
        [(DIRECTORY, "contains", "System32"), ("entities.file.name", "contains", ".exe")],
        [("extendedProperties.Suspicious Process", "contains", "exe")],
        [("compromisedEntity", "contains", "vmss")],
        [(IP, "contains", "192.168")],
        [(IP, "in", ["10.0.0.0/8"])],
        [(IP, "in", ["10.0.0.0/9", "172.16.0.0/12"])],
        [(IP, "in", ["fd00::/8"])],
        [(IP, "in", ["10.0.0.0/8"]), (SUFFIX, "contains", "com")],
    ],
)
def test_a_scope_that_most_of_a_type_meets_is_warned_about(
    scope: list[tuple[str, str, object]], tmp_path: Path
) -> None:
    """It says a whole type by what all programs, domains or addresses of one sort have; so does a shadow rule."""
    assert is_broad(tmp_path, *scope)


@pytest.mark.parametrize(
    "scope",
    [
        [(HOST, "in", ["web-lin-01"])],
        [(RESOURCE, "contains", "/resourceGroups/rg-shop/")],
        [(IP, "in", ["10.0.0.5"])],
        [(IP, "in", ["10.20.0.0/16"])],
        [(IP, "in", ["192.168.1.0/24", "203.0.113.0/24"])],
        [(IP, "in", ["10.0.0.0/8"]), (RESOURCE, "contains", "/resourceGroups/rg-shop/")],
        [(COMMAND, "contains", "exe"), (HOST, "in", ["web-lin-01"])],
        [(COMMAND, "contains", "/opt/agent/")],
        [(DIRECTORY, "in", ["/usr/bin"]), ("entities.file.name", "in", ["curl"])],
        [(SUFFIX, "in", ["contoso.com"])],
    ],
)
def test_a_scope_that_names_something_is_not_warned_about(scope: list[tuple[str, str, object]], tmp_path: Path) -> None:
    """One host, one group, one address, one program: what else an element says does not make the rule broad."""
    assert not is_broad(tmp_path, *scope)


def test_an_exemption_of_most_findings_is_warned_about(tmp_path: Path) -> None:
    """In cspm a rule is asked about findings, which have addresses and packages as alerts have hosts."""
    assert not is_broad(tmp_path, ("package", "in", ["openssl"]), stream=Stream.CSPM)
    assert is_broad(tmp_path, ("extendedProperties.path", "contains", "usr"), stream=Stream.CSPM)


@pytest.mark.shared
def test_no_rule_that_was_seen_in_the_field_is_called_broad(tmp_path: Path) -> None:
    """The rules that Microsoft publishes or that a client listed name something, or are refused for another reason."""
    for number, file in enumerate(sorted((SAMPLES / "rules").glob("defender_rule*.json"))):
        text = file.read_text(encoding="utf-8")
        directory = tmp_path / str(number)
        result = loaded(directory, {"cwpp/suppressions/seen.json": text})
        assert "holds-most" not in {one.code for one in lint(directory, Stream.CWPP, result, NOW)}
