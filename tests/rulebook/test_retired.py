"""Rules that name what Microsoft retired, deprecated or renamed are told so, with what to put in its place."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.domain.signals import Stream
from router.rulebook import Problem, load_catalogue
from router.rulebook.retired import load_retired
from tests.examples import some_of
from tests.rulebook.builders import a_body, a_policy, loaded

CATALOGUE = load_catalogue()
RETIRED = load_retired()
DEPRECATED = sorted(type for type, known in CATALOGUE.types.items() if known.deprecation)
LIVING = sorted(type for type, known in CATALOGUE.types.items() if not known.deprecation)
ID = "/subscriptions/6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110/providers/Microsoft.Security/assessments/{}"


def said_of(files: Mapping[str, object], stream: Stream) -> tuple[Problem, ...]:
    """What is said about rules with those files; all of it is a warning, and nothing is left out for it."""
    with tempfile.TemporaryDirectory() as directory:
        result = loaded(Path(directory), files, stream)
    assert result.rulebook is not None
    assert {problem.level for problem in result.problems} <= {"warning"}
    return result.problems


def said_of_rule(type: str, stream: Stream = Stream.CSPM) -> list[str]:
    """What is said about a suppression rule on a type."""
    problems = said_of({f"{stream}/suppressions/rule.json": a_body(alertType=type)}, stream)
    assert all((problem.file, problem.line) == (f"{stream}/suppressions/rule.json", 3) for problem in problems)
    return [problem.message for problem in problems]


def said_of_route(*globs: str, stream: Stream = Stream.CSPM) -> list[str]:
    """What is said about a route whose `alert_type` has those globs."""
    route = {"name": "one", "when": {"alert_type": list(globs)}, "to": ["tickets"]}
    problems = said_of({f"{stream}/policy.yaml": a_policy(stream, routes=[route])}, stream)
    assert all(problem.file == f"{stream}/policy.yaml" and problem.line for problem in problems)
    return [problem.message for problem in problems]


cased = st.sampled_from([str.lower, str.upper, str.title])


@pytest.mark.parametrize("key", RETIRED)
@pytest.mark.parametrize("stream", Stream)
@settings(deadline=None, max_examples=4)
@given(written=st.sampled_from(["{}", ID]), case=cased)
def test_every_retired_assessment_is_named(key: str, stream: Stream, written: str, case: Callable[[str], str]) -> None:
    """In rules and in routes, in either stream, alone or as an ARM id, in any case, with what took its place."""
    text, retired = case(written.format(key)), RETIRED[key]
    (rule,), (route,) = said_of_rule(text, stream), said_of_route("VM_SshBruteForceSuccess", text, stream=stream)
    assert rule.startswith(f"properties.alertType: names the assessment {key} ({retired.was})")
    assert route.startswith(f"routes[0].when.alert_type[1]: names the assessment {key} ({retired.was})")
    for said in (rule, route):
        assert f"retired on {retired.since}" in said
        assert "\n" not in said
        assert all(heir in said for heir in (retired.category, *retired.keys, retired.note) if heir)


def test_the_table_of_retired_assessments() -> None:
    """Each row names a category, keys or at least what is known; no key that takes another's place is gone itself."""
    key = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    assert Counter(retired.since for retired in RETIRED.values()) == {"2026-07-31": 43, "2026-03-29": 1}
    for retired in RETIRED.values():
        assert key.fullmatch(retired.key)
        assert retired.was
        assert retired.category or retired.keys or retired.note
        assert all(key.fullmatch(heir) and heir not in RETIRED for heir in retired.keys)
    assert {retired.category for retired in RETIRED.values()} - {None} == {
        "ApiVulnerabilities",
        "CodeVulnerabilities",
        "ExposedSecrets",
        "HostMisconfigurations",
        "IacVulnerabilities",
        "ServiceUpgrade",
        "SoftwareUpdate",
        "SystemUpdate",
    }


@pytest.mark.parametrize("operator", ["in", "contains"])
def test_a_scope_that_names_a_retired_assessment_is_told_so(operator: str) -> None:
    """Where a rule looks for a key among a finding's properties, the element is named."""
    key = "82e20e14-edc5-4373-bfc4-f13121257c37"
    value = ["x", key.upper()] if operator == "in" else f"/assessments/{key}"
    scope = {"allOf": [{"field": "entities.azureresource.resourceid", operator: value}]}
    told = said_of({"cspm/suppressions/rule.json": a_body(suppressionAlertsScope=scope)}, Stream.CSPM)
    (said,) = (one for one in told if one.code == "retired")
    assert said.message.startswith(f"properties.suppressionAlertsScope.allOf[0].{operator}: names the assessment {key}")


@settings(deadline=None, max_examples=some_of(60))
@given(type=st.sampled_from(DEPRECATED), case=cased, prefix=st.sampled_from(["", "SIMULATED_"]))
def test_every_deprecated_type_is_named(type: str, case: Callable[[str], str], prefix: str) -> None:
    """In rules and in routes, whole or with a glob in it that fits nothing else, in any case, as a sample alert's too."""
    text = case(prefix + type)
    fault = f"{text!r} is deprecated"
    (rule,), (route,) = said_of_rule(text, Stream.CWPP), said_of_route(text, stream=Stream.CWPP)
    assert rule.startswith(f"properties.alertType: {fault}")
    assert route.startswith(f"routes[0].when.alert_type[0]: {fault}")
    assert rule.endswith(("no successor is known", " in its place"))
    (route,) = said_of_route(f"{text[:-1]}?", stream=Stream.CWPP)
    assert route.startswith(f"routes[0].when.alert_type[0]: '{text[:-1]}?' fits only alert types that are deprecated")


@settings(deadline=None, max_examples=some_of(60))
@given(type=st.sampled_from(LIVING), prefix=st.sampled_from(["", "SIMULATED_"]))
def test_nothing_is_said_of_what_is_not_gone(type: str, prefix: str) -> None:
    """A living type is not doubted, nor a glob that fits it, whatever else the glob fits."""
    assert said_of_rule(prefix + type, Stream.CWPP) == []
    assert said_of_route(prefix + type, f"{prefix}{type[:4]}*", f"*{type[-4:]}", stream=Stream.CWPP) == []


@pytest.mark.parametrize(
    ("globs", "named"),
    [
        (["1195afff-*"], ["1195afff-c881-495e-9bc5-1486211ae03f"]),
        (["*-9bc5-1486211ae03?"], ["1195afff-c881-495e-9bc5-1486211ae03f"]),
        (["*/1195AFFF-C881-495E-9BC5-1486211AE03F"], ["1195afff-c881-495e-9bc5-1486211ae03f"]),
        (["1*", "*", "????????-*", "1195aff*"], []),
        (["d44de051-*", "51fd8bb1-0db4-bbf1-7e2b-cfcba7eb66a6", "VA1059", "CVE-*"], []),
    ],
)
def test_a_glob_names_an_assessment_if_it_spells_it_out(globs: list[str], named: list[str]) -> None:
    """Nobody has a list of the keys that are not gone, so a glob must hold enough of one to be about it."""
    said = said_of_route(*globs)
    assert [re.findall(r"names the assessment (\S+)", one) for one in said] == [[key] for key in named]


def test_a_renamed_type_leads_to_the_end_of_its_line() -> None:
    """What is named in place of a type is not deprecated itself; a line that ends nowhere has no successor."""
    (said,) = said_of_rule("AI.Azure_PhishingContentInUserPrompt", Stream.CWPP)
    assert said.endswith("is deprecated since 2025-09; put AI.Azure_MaliciousUrl.UserPrompt in its place")
    (said,) = said_of_rule("AI.Azure_DataLeakInModelResponse.Sensitive", Stream.CWPP)
    assert said.endswith("is deprecated since 2025-04-20; no successor is known")
