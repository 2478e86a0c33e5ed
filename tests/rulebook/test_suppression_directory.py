"""What a file of suppression rules comes to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.decide import decide
from router.domain.posture import CATEGORIES, Cves, Package
from router.domain.signals import Stream
from router.domain.suppression import Element, Field, Operator, SuppressionRule
from router.rulebook import Problem, lint, load
from router.rulebook.catalogue import rows_of
from tests.builders import a_finding
from tests.rulebook.builders import NOW, a_body, a_policy, a_sound_rulebook, loaded, rules_in
from tests.rulebook.kinds import KINDS


def the_rule(directory: Path, body: object, file: str = "scanner.json") -> SuppressionRule:
    """The one rule of a directory with that file."""
    (rule,) = a_sound_rulebook(directory, {f"cwpp/suppressions/{file}": body}).suppressions.by_name.values()
    return rule


def said_about(directory: Path, body: object, **policy: Any) -> tuple[bool, list[str]]:
    """Whether a rule is in force, and the levels of what is said about it."""
    files = {"cwpp/policy.yaml": a_policy(**policy), "cwpp/suppressions/rule.json": body}
    result = loaded(directory, files)
    assert result.rulebook is not None
    return bool(result.rulebook.suppressions.by_name), [problem.level for problem in result.problems]


def an_element(field: str, *values: str) -> dict[str, object]:
    """An element that wants one of some values."""
    return {"field": field, "in": list(values)}


def a_scope(*elements: object) -> dict[str, object]:
    """A scope of some elements."""
    return {"allOf": list(elements)}


def test_a_rule_is_read_whole(tmp_path: Path) -> None:
    """Every part of Defender's body is known, and the owner is the first address of the comment."""
    rule = the_rule(tmp_path, a_body(comment="Scanner, ticket SEC-1, owner a@example.com, backup b@example.com."))
    assert rule == SuppressionRule(
        name="scanner",
        alert_type="sql.db_bruteforce",
        expires=datetime(2027, 6, 1, tzinfo=UTC),
        enabled=True,
        groups=((Element(Field("ip", "address"), Operator.IN, frozenset({"10.20.0.5"})),),),
        reason="Noise",
        comment="Scanner, ticket SEC-1, owner a@example.com, backup b@example.com.",
        owner="a@example.com",
        source="cwpp/suppressions/scanner.json",
    )


@pytest.mark.parametrize(
    ("comment", "owner"),
    [
        ("owner=ana+soc@contoso.example", "ana+soc@contoso.example"),
        ("owner 'ana@contoso.example', see SEC-1", "ana@contoso.example"),
        ("<mailto:ana@contoso.example>.", "ana@contoso.example"),
        ("Pat.O'Brien@contoso.example", "Pat.O'Brien@contoso.example"),
        ("r&d@contoso.example", "r&d@contoso.example"),
        ("nobody@home", None),
    ],
)
def test_an_owner_is_a_whole_address(comment: str, owner: str | None, tmp_path: Path) -> None:
    """Owners are mailed: the end of an address is somebody else's."""
    assert the_rule(tmp_path, a_body(comment=comment)).owner == owner


def test_keys_are_read_whatever_their_case(tmp_path: Path) -> None:
    """A body as PUT examples in the wild spell it is the same rule."""
    shouted = json.loads(json.dumps(a_body()).replace("Enabled", "enabled"))
    properties = {key.upper(): value for key, value in shouted["properties"].items()}
    properties["SUPPRESSIONALERTSSCOPE"] = {"ALLOF": [{"FIELD": "ENTITIES.IP.ADDRESS", "IN": ["10.20.0.5"]}]}
    assert the_rule(tmp_path / "a", {"Properties": properties}) == the_rule(tmp_path / "b", a_body())


def test_a_rule_moves_here_from_defender_unchanged(tmp_path: Path) -> None:
    """Defender's own answer, with its read-only keys, is a rule without any remark; its name is the file's."""
    answer = {
        "id": "/subscriptions/1/providers/Microsoft.Security/alertsSuppressionRules/x",
        "name": "x",
        "type": "Microsoft.Security/alertsSuppressionRules",
        **a_body(lastModifiedUtc="2026-07-31T19:50:47.083633Z"),
    }
    assert the_rule(tmp_path, answer).name == "scanner"
    assert loaded(tmp_path, {"cwpp/suppressions/scanner.json": answer}).problems == ()


def test_a_file_may_hold_defenders_list(tmp_path: Path) -> None:
    """A list answer gives each of its rules, by name."""
    listed = {"value": [{"name": "one", **a_body()}, {"name": "two", **a_body()}], "nextLink": None}
    book = a_sound_rulebook(tmp_path, {"cwpp/suppressions/all.json": listed})
    assert set(book.suppressions.by_name) == {"one", "two"}


def test_a_rule_may_be_written_in_yaml(tmp_path: Path) -> None:
    """The same body in YAML is the same rule, with its time unquoted."""
    text = """
properties:
  alertType: SQL.DB_BruteForce
  state: Enabled
  reason: Noise
  expirationDateUtc: 2027-06-01T00:00:00Z
  comment: Scanner, owner secops@example.com
  suppressionAlertsScope: {allOf: [{field: entities.ip.address, in: [10.20.0.5]}]}
"""
    rule = the_rule(tmp_path / "yaml", text, "scanner.yaml")
    assert rule.expires == datetime(2027, 6, 1, tzinfo=UTC)
    assert rule.groups == the_rule(tmp_path / "json", a_body()).groups


def test_a_byte_order_mark_is_no_part_of_a_rule(tmp_path: Path) -> None:
    """A file as Windows tools save it is read."""
    assert the_rule(tmp_path, "\ufeff" + json.dumps(a_body())).reason == "Noise"


@pytest.mark.parametrize(
    ("written", "expires"),
    [
        ("2027-06-01T00:00:00Z", datetime(2027, 6, 1, tzinfo=UTC)),
        ("2027-06-01T02:00:00+02:00", datetime(2027, 6, 1, tzinfo=UTC)),
        ("2027-06-01T00:00:00", datetime(2027, 6, 1, tzinfo=UTC)),
        ("2027-06-01", datetime(2027, 6, 1, tzinfo=UTC)),
        ("2027-06-01T00:00:00.0836331Z", datetime(2027, 6, 1, microsecond=83633, tzinfo=UTC)),
    ],
)
def test_an_expiry_is_a_time_in_utc(written: str, expires: datetime, tmp_path: Path) -> None:
    """An expiry in any zone, without one, or to seven digits is the instant it names; the key says UTC."""
    assert the_rule(tmp_path, a_body(expirationDateUtc=written)).expires == expires


@pytest.mark.parametrize(("late", "in_force"), [(timedelta(0), True), (timedelta(microseconds=1), False)])
def test_a_rule_may_live_exactly_the_longest_time(late: timedelta, in_force: bool, tmp_path: Path) -> None:
    """An expiry exactly `longest` from now is accepted; one microsecond later the rule is left out."""
    expires = (NOW + timedelta(days=30) + late).isoformat()
    assert said_about(tmp_path, a_body(expirationDateUtc=expires), suppression={"longest": "30d"})[0] is in_force


@pytest.mark.parametrize(
    ("left", "levels"),
    [
        (timedelta(hours=36, microseconds=1), []),
        (timedelta(hours=36), ["warning"]),
        (timedelta(microseconds=1), ["warning"]),
        (timedelta(0), ["warning"]),
    ],
)
def test_an_expiry_within_the_warning_time_is_said(left: timedelta, levels: list[str], tmp_path: Path) -> None:
    """A rule is warned about from `warn` before its end, inclusive, and when it has ended; it stays in the rulebook."""
    expires = (NOW + left).isoformat()
    assert said_about(tmp_path, a_body(expirationDateUtc=expires), suppression={"warn": "36h"}) == (True, levels)


def test_a_far_or_early_year_is_a_problem_and_not_a_crash(tmp_path: Path) -> None:
    """An expiry that no clock can hold in UTC is refused."""
    assert said_about(tmp_path, a_body(expirationDateUtc="9999-12-31T23:59:59-01:00")) == (False, ["problem"])


@pytest.mark.parametrize(("state", "enabled"), [("Enabled", True), ("Disabled", False), ("Expired", False)])
def test_only_an_enabled_rule_holds(state: str, enabled: bool, tmp_path: Path) -> None:
    """A rule that is disabled or expired by its state is known, and holds nothing."""
    assert the_rule(tmp_path, a_body(state=state)).is_active(NOW) is enabled


@pytest.mark.parametrize(
    ("ranges", "is_too_wide"),
    [
        ([f"{first}.0.0.0/8" for first in range(0, 256, 2)], True),
        ([f"20{second:02x}::/16" for second in range(0, 256, 2)], True),
        ([f"{first}.0.0.0/8" for first in range(12, 44, 2)], False),
        (["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"], False),
    ],
)
def test_ranges_that_lie_apart_may_not_hold_most_addresses(
    ranges: list[str], *, is_too_wide: bool, tmp_path: Path
) -> None:
    """Every second network is half of the world, though none of them is too wide; private ones are one's own."""
    scope = a_scope({"field": "entities.ip.address", "in": ranges})
    found = loaded(tmp_path, {"cwpp/suppressions/one.json": a_body(suppressionAlertsScope=scope)})
    assert any("more IPv" in problem.message for problem in found.problems) is is_too_wide


def test_elements_on_one_entity_type_belong_together(tmp_path: Path) -> None:
    """Elements of one entity type are one group, in any order; each of the signal's own properties is one alone."""
    scope = a_scope(
        an_element("entities.account.name", "svc"),
        an_element("resourceId", "/subscriptions/1"),
        an_element("entities.ip.address", "10.0.0.1"),
        an_element("entities.account.upnSuffix", "example.com"),
        an_element("extendedProperties.Client IP", "10.0.0.1"),
    )
    groups = the_rule(tmp_path, a_body(suppressionAlertsScope=scope)).groups
    assert [[str(element.field) for element in group] for group in groups] == [
        ["entities.account.name", "entities.account.upnsuffix"],
        ["resourceid"],
        ["entities.ip.address"],
        ["extendedproperties.client ip"],
    ]


def test_values_compare_without_case_and_addresses_as_addresses(tmp_path: Path) -> None:
    """What a rule looks for is folded once, when it is read."""
    scope = a_scope(
        an_element("entities.ip.address", "2001:DB8:0:0::1"),
        {"field": "entities.process.commandline", "contains": "POWERSHELL.EXE"},
        {"field": "entities.azure-resource.resourceId", "contains": ["/rg-A/", "/rg-B/"]},
    )
    ((address,), (command,), (resource,)) = the_rule(tmp_path, a_body(suppressionAlertsScope=scope)).groups
    assert address.values == {"2001:db8:0:0::1", "2001:db8::1"}
    assert command == Element(command.field, Operator.CONTAINS, frozenset({"powershell.exe"}))
    assert resource.field == Field("azureresource", "resourceid")
    assert resource.values == {"/rg-a/", "/rg-b/"}


@pytest.mark.parametrize(("name", "levels"), [("ab", []), ("a" * 50, []), ("a" * 51, ["warning"]), ("-a", ["warning"])])
def test_a_name_that_defender_would_refuse_is_said(name: str, levels: list[str], tmp_path: Path) -> None:
    """A name of 2 to 50 letters, digits, - and _ moves to Defender; any other works here, with a warning."""
    result = loaded(tmp_path, {f"cwpp/suppressions/{name}.json": a_body()})
    assert [problem.level for problem in result.problems] == levels


def test_of_two_rules_with_one_name_neither_is_in_force(tmp_path: Path) -> None:
    """Which of two files is read first decides nothing: both are left out, and both are named."""
    files = {
        "cwpp/suppressions/scanner.json": a_body(),
        "cwpp/suppressions/Scanner.yaml": a_body(),
        "cwpp/suppressions/other.json": a_body(),
    }
    result = loaded(tmp_path, files)
    assert result.rulebook is not None
    assert set(result.rulebook.suppressions.by_name) == {"other"}
    assert {problem.file for problem in result.problems} == files.keys() - {"cwpp/suppressions/other.json"}


@pytest.mark.parametrize(
    "properties",
    [
        {"suppressionAlertsScope": a_scope(an_element("entities.ip.address", "10.20.0.0/16"))},
        {"suppressionAlertsScope": a_scope(an_element("extendedProperties.Client", "scanner"))},
        {"suppressionAlertsScope": a_scope({"field": "entities.host.hostname", "contains": ["vm-a", "vm-b"]})},
        {"comment": f"Scanner, owner secops@example.com {'.' * 140}"},
        {"reason": "We know this scanner"},
        {"expirationDateUtc": "2027-06-01"},
    ],
    ids=str,
)
def test_what_only_defender_would_refuse_is_said_unless_rules_are_this_routers_alone(
    properties: dict[str, object], tmp_path: Path
) -> None:
    """The warning names the key that ends it, and with the key the rule passes `rules check --strict`."""
    files = {"cwpp/suppressions/rule.json": a_body(**properties)}
    (warning,) = loaded(tmp_path, files).problems
    assert (warning.level, warning.code) == ("warning", "not-portable")
    assert "say suppression: {portable: false} in cwpp/policy.yaml" in warning.message
    own = a_policy(suppression={"portable": False})
    alone = loaded(tmp_path, files | {"cwpp/policy.yaml": own})
    assert alone.problems == ()
    assert alone.rulebook is not None
    assert set(alone.rulebook.suppressions.by_name) == {"rule"}


def test_names_that_only_defender_would_refuse_are_fine_where_rules_are_this_routers_alone(tmp_path: Path) -> None:
    """There a name may have any letters, and two that differ in case alone are two; an owner is still asked for."""
    listed = {"value": [{"name": name, **a_body()} for name in ("the scanner", "Scanner", "scanner")]}
    policy = a_policy(suppression={"portable": False})
    result = loaded(tmp_path, {"cwpp/policy.yaml": policy, "cwpp/suppressions/all.json": listed})
    assert result.problems == ()
    assert result.rulebook is not None
    assert set(result.rulebook.suppressions.by_name) == {"the scanner", "Scanner", "scanner"}
    twice = {"value": [{"name": "scanner", **a_body(comment="Nobody's")}, {"name": "scanner", **a_body()}]}
    result = loaded(tmp_path, {"cwpp/policy.yaml": policy, "cwpp/suppressions/all.json": twice})
    assert sorted(problem.code for problem in result.problems) == ["duplicate-name", "duplicate-name", "no-owner"]


def test_a_shadow_rule_is_read_as_a_rule_and_holds_nothing(tmp_path: Path) -> None:
    """It stands in a directory of its own, in any form that a rule may have, and changes the hash as any rule does."""
    bare = a_sound_rulebook(tmp_path / "bare")
    listed = {"value": [{"name": "one", **a_body()}, {"name": "two", **a_body()}]}
    files = {"cwpp/suppressions/shadow/try.json": a_body(), "cwpp/suppressions/shadow/some.yaml": listed}
    book = a_sound_rulebook(tmp_path / "shadows", files)
    assert (set(book.shadows.by_name), book.suppressions.by_name) == ({"try", "one", "two"}, {})
    assert book.hash != bare.hash
    live = a_sound_rulebook(tmp_path / "live", {"cwpp/suppressions/try.json": a_body()})
    shadow, rule = book.shadows.by_name["try"], live.suppressions.by_name["try"]
    assert shadow == replace(rule, source="cwpp/suppressions/shadow/try.json")


def test_a_name_is_that_of_a_rule_or_of_a_shadow_rule(tmp_path: Path) -> None:
    """Moving the file makes one of the other; where both are there nobody says which was meant, and neither is used."""
    files = {"cwpp/suppressions/scanner.json": a_body(), "cwpp/suppressions/shadow/Scanner.json": a_body()}
    result = loaded(tmp_path, files)
    assert [problem.code for problem in result.problems] == ["duplicate-name", "duplicate-name"]
    assert result.rulebook is not None
    assert (result.rulebook.suppressions.by_name, result.rulebook.shadows.by_name) == ({}, {})


def test_no_shadow_rule_covers_a_rule(tmp_path: Path) -> None:
    """Nor another one: each is on record by itself. A rule that is tried out wider is no reason to remove the live one."""
    files = {f"cwpp/suppressions/{name}.json": a_body() for name in ("live", "shadow/same", "shadow/other")}
    rules = rules_in(tmp_path, files)
    assert lint(rules, Stream.CWPP, load(rules, Stream.CWPP, KINDS, NOW), NOW) == ()


def test_a_directory_that_is_nearly_called_shadow_is_said_not_to_be_read(tmp_path: Path) -> None:
    """What stands in it would neither hold anything nor be recorded."""
    (warning,) = loaded(tmp_path, {"cwpp/suppressions/Shadows/try.json": a_body()}).problems
    assert warning.file == "cwpp/suppressions/Shadows"
    assert warning.message.endswith("files here; did you mean cwpp/suppressions/shadow/?")


def test_rules_of_the_other_stream_do_not_count(tmp_path: Path) -> None:
    """Suppression rules belong to the stream they stand in."""
    book = a_sound_rulebook(tmp_path, {"cspm/suppressions/exemption.json": a_body()})
    assert book.suppressions.by_name == {}


def test_hidden_files_and_notes_are_not_rules(tmp_path: Path) -> None:
    """A README and a hidden file beside the rules are passed over in silence."""
    files = {"cwpp/suppressions/README.md": "# rules", "cwpp/suppressions/.gitkeep": ""}
    assert loaded(tmp_path, files).problems == ()


@pytest.mark.parametrize(
    "text",
    [
        '{"a":\t"\\/\\ud83d\\ude00",\n\t"properties":\n\t{"Colour": 1}}',
        '{\r\n"x": 1,\r\n"properties":{"Colour": 1}}',
    ],
)
def test_json_that_yaml_would_refuse_still_has_lines(text: str, tmp_path: Path) -> None:
    """Tabs, escapes and Windows line ends do not keep a problem from its line."""
    problems = loaded(tmp_path, {"cwpp/suppressions/ab.json": text}).problems
    assert [problem.line for problem in problems if problem.message.startswith("properties.Colour")] == [3]


def test_a_place_whose_line_cannot_be_told_is_still_reported(tmp_path: Path) -> None:
    """A problem without a line names the file alone."""
    body = json.dumps({"k" * 2_000: 1, **a_body(state=None)})
    problems: tuple[Problem, ...] = loaded(tmp_path, {"cwpp/suppressions/ab.json": body}).problems
    assert [(problem.line, problem.level) for problem in problems] == [(None, "problem")]


def test_every_category_that_took_the_place_of_a_retired_assessment_is_known_as_one() -> None:
    """So that no rule covers the whole of what `rules check` itself advises to name."""
    advised = {row[3] for row in rows_of("retired.tsv") if row[3]}
    assert advised <= set(CATEGORIES)
    assert list(CATEGORIES) == sorted(CATEGORIES)


@pytest.mark.parametrize(
    ("element", "is_held"),
    [
        (an_element("CVE", "cve-2026-1", "CVE-2026-2"), True),
        (an_element("cve", "CVE-2026-1"), False),
        (an_element("Package", "Lodash"), True),
        ({"field": "package", "contains": ["odas", "curl"]}, True),
        (an_element("owner", "Web Shop"), True),
        (an_element("owner", "payments"), False),
    ],
)
def test_an_exemption_of_a_category_holds_what_its_file_says(
    element: dict[str, object], is_held: bool, tmp_path: Path
) -> None:
    """From the file to the decision, with the owners of owners.yaml."""
    files = {
        "owners.yaml": {"owners": [{"resource_group": "rg-web", "group": "web", "service": "Web shop"}]},
        "cspm/suppressions/accepted.json": a_body(alertType="softwareUpdate", suppressionAlertsScope=a_scope(element)),
    }
    book = a_sound_rulebook(tmp_path, files, Stream.CSPM)
    finding = replace(
        a_finding(),
        category="SoftwareUpdate",
        package=Package(name="lodash"),
        cves=Cves(ids=("CVE-2026-1", "CVE-2026-2")),
    )
    assert decide(finding, book, NOW).suppressed_by == ("accepted" if is_held else None)
    assert decide(replace(finding, category="ExposedSecrets"), book, NOW).suppressed_by is None
