"""What a file of suppression rules comes to."""

import json
from copy import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from router.domain.posture import CATEGORIES
from router.domain.suppression import Element, Field, Operator, SuppressionRule
from router.rulebook.catalogue import rows_of
from router.rulebook.lints import WrittenRule, find_written_rule
from tests.rulebook.builders import NOW, a_body, a_policy, a_scoped_body, lints, loaded, messages, rules_of, the_book

LISTED = {"value": [{"name": "one", **a_body()}, {"name": "two", **a_body()}], "nextLink": None}


def the_rule(body: object, file: str = "scanner.json") -> SuppressionRule:
    """The one rule of a directory with that file."""
    (rule,) = the_book({f"cwpp/suppressions/{file}": body}).suppressions.by_name.values()
    return rule


def said_about(body: object, **policy: Any) -> tuple[bool, list[str]]:
    """Whether a rule is in force, and the levels of what is said about it."""
    result = loaded({"cwpp/policy.yaml": a_policy(**policy), "cwpp/suppressions/rule.json": body})
    assert result.rulebook is not None
    return bool(result.rulebook.suppressions.by_name), [problem.level for problem in result.problems]


def an_element(field: str, *values: str) -> dict[str, object]:
    """An element that wants one of some values."""
    return {"field": field, "in": list(values)}


def test_a_rule_is_read_whole() -> None:
    """Every part of Defender's body is known, and the owner is the first address of the comment."""
    rule = the_rule(a_body(comment="Scanner, ticket SEC-1, owner a@example.com, backup b@example.com."))
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


def test_an_owner_is_a_whole_address() -> None:
    """Owners are mailed: the end of an address is somebody else's."""
    owners = {
        "owner=ana+soc@contoso.example": "ana+soc@contoso.example",
        "owner 'ana@contoso.example', see SEC-1": "ana@contoso.example",
        "<mailto:ana@contoso.example>.": "ana@contoso.example",
        "Pat.O'Brien@contoso.example": "Pat.O'Brien@contoso.example",
        "r&d@contoso.example": "r&d@contoso.example",
        "nobody@home": None,
    }
    assert {comment: the_rule(a_body(comment=comment)).owner for comment in owners} == owners


def test_a_rule_is_the_same_in_every_form_that_is_taken() -> None:
    """Keys in any case, Defender's own answer with its read-only keys, YAML with an unquoted time, a byte order mark."""
    rule = the_rule(a_body())
    properties: Any = {key.upper(): value for key, value in a_body(state="enabled")["properties"].items()}  # type: ignore[attr-defined]
    properties["SUPPRESSIONALERTSSCOPE"] = {"ALLOF": [{"FIELD": "ENTITIES.IP.ADDRESS", "IN": ["10.20.0.5"]}]}
    assert the_rule({"Properties": properties}) == rule
    answer = {
        "id": "/subscriptions/1/providers/Microsoft.Security/alertsSuppressionRules/x",
        "name": "x",
        "type": "Microsoft.Security/alertsSuppressionRules",
        **a_body(lastModifiedUtc="2026-07-31T19:50:47.083633Z"),
    }
    assert the_rule(answer) == rule
    assert messages({"cwpp/suppressions/scanner.json": answer}) == []
    text = """
properties:
  alertType: SQL.DB_BruteForce
  state: Enabled
  reason: Noise
  expirationDateUtc: 2027-06-01T00:00:00Z
  comment: Scanner, owner secops@example.com
  suppressionAlertsScope: {allOf: [{field: entities.ip.address, in: [10.20.0.5]}]}
"""
    assert the_rule(text, "scanner.yaml") == replace(rule, source="cwpp/suppressions/scanner.yaml")
    assert the_rule("\ufeff" + json.dumps(a_body())) == rule
    assert rules_of({"cwpp/suppressions/all.json": LISTED}) == {"one", "two"}


def test_an_expiry_is_a_time_in_utc() -> None:
    """An expiry in any zone, without one, or to seven digits is the instant it names; the key says UTC."""
    expires = datetime(2027, 6, 1, tzinfo=UTC)
    for written in ("2027-06-01T00:00:00Z", "2027-06-01T02:00:00+02:00", "2027-06-01T00:00:00", "2027-06-01"):
        assert the_rule(a_body(expirationDateUtc=written)).expires == expires, written
    digits = the_rule(a_body(expirationDateUtc="2027-06-01T00:00:00.0836331Z"))
    assert digits.expires == expires.replace(microsecond=83633)
    # A rule that is disabled or expired by its state is known, and holds nothing.
    states = {"Enabled": True, "Disabled": False, "Expired": False}
    assert {state: the_rule(a_body(state=state)).is_active(NOW) for state in states} == states
    # One that no clock can hold in UTC is refused.
    assert said_about(a_body(expirationDateUtc="9999-12-31T23:59:59-01:00")) == (False, ["problem"])


def test_a_rule_may_live_exactly_the_longest_time_and_is_said_within_the_warning_time() -> None:
    """Both sides of `longest`; and of `warn` before the end, inclusive, and when it has ended: it stays in the rulebook."""
    instant = timedelta(microseconds=1)
    for left, is_in_force in ((timedelta(days=30), True), (timedelta(days=30) + instant, False)):
        body = a_body(expirationDateUtc=(NOW + left).isoformat())
        assert said_about(body, suppression={"longest": "30d"})[0] is is_in_force
    warn = timedelta(hours=36)
    for left, levels in ((warn + instant, []), (warn, ["warning"]), (instant, ["warning"]), (NOW - NOW, ["warning"])):
        body = a_body(expirationDateUtc=(NOW + left).isoformat())
        assert said_about(body, suppression={"warn": "36h"}) == (True, levels)


def test_ranges_that_lie_apart_may_not_hold_most_addresses() -> None:
    """Every second network is half of the world, though none of them is too wide; private ones are one's own."""
    for ranges, is_too_wide in (
        ([f"{first}.0.0.0/8" for first in range(0, 256, 2)], True),
        ([f"20{second:02x}::/16" for second in range(0, 256, 2)], True),
        ([f"{first}.0.0.0/8" for first in range(12, 44, 2)], False),
        (["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"], False),
    ):
        said = messages({"cwpp/suppressions/one.json": a_scoped_body(an_element("entities.ip.address", *ranges))})
        assert any("more IPv" in message for message in said) is is_too_wide


def test_a_scope_is_read_once_for_all() -> None:
    """Elements of one entity type are one group, in any order; each of the signal's own properties is one alone. Values compare
    without case, and addresses as addresses."""
    scope = (
        an_element("entities.account.name", "SVC"),
        an_element("entities.ip.address", "2001:DB8:0:0::1"),
        {"field": "resourceId", "contains": ["/rg-A/", "/rg-B/"]},
        an_element("entities.account.upnSuffix", "example.com"),
        {"field": "entities.azure-resource.resourceId", "contains": "/RG-A/"},
        an_element("extendedProperties.Client IP", "10.0.0.1"),
    )
    groups = the_rule(a_scoped_body(*scope)).groups
    assert [[(str(one.field), sorted(one.values)) for one in group] for group in groups] == [
        [("entities.account.name", ["svc"]), ("entities.account.upnsuffix", ["example.com"])],
        [("entities.ip.address", ["2001:db8:0:0::1", "2001:db8::1"])],
        [("resourceid", ["/rg-a/", "/rg-b/"])],
        [("entities.azureresource.resourceid", ["/rg-a/"])],
        [("extendedproperties.client ip", ["10.0.0.1"])],
    ]
    assert [group[0].operator for group in groups[1:4]] == [Operator.IN, Operator.CONTAINS, Operator.CONTAINS]


def test_a_name_that_defender_would_refuse_is_said() -> None:
    """A name of 2 to 50 letters, digits, - and _ moves to Defender; any other works here, with a warning."""
    levels = {"ab": [], "a" * 50: [], "a" * 51: ["warning"], "-a": ["warning"]}
    files = {name: {f"cwpp/suppressions/{name}.json": a_body()} for name in levels}
    assert {name: [one.level for one in loaded(files[name]).problems] for name in levels} == levels


def test_what_only_defender_would_refuse_is_not_said_where_rules_are_this_routers_alone() -> None:
    """The warning names the key that ends it. With it a name may have any letters, and two that differ in case alone are two;
    an owner is still asked for."""
    bodies = (
        a_scoped_body(an_element("entities.ip.address", "10.20.0.0/16")),
        a_scoped_body(an_element("extendedProperties.Client", "scanner")),
        a_scoped_body({"field": "entities.host.hostname", "contains": ["vm-a", "vm-b"]}),
        a_body(comment=f"Scanner, owner secops@example.com {'.' * 140}"),
        a_body(reason="We know this scanner"),
        a_body(expirationDateUtc="2027-06-01"),
    )
    files: dict[str, object] = {f"cwpp/suppressions/rule-{n}.json": body for n, body in enumerate(bodies)}
    problems = loaded(files).problems
    assert [(one.level, one.code) for one in problems] == [("warning", "not-portable")] * len(bodies)
    assert all("say suppression: {portable: false} in cwpp/policy.yaml" in one.message for one in problems)
    names = ("the scanner", "Scanner", "scanner")
    own = {"cwpp/policy.yaml": a_policy(suppression={"portable": False})}
    files |= own | {"cwpp/suppressions/all.json": {"value": [{"name": name, **a_body()} for name in names]}}
    assert messages(files) == []
    assert rules_of(files) == {*names, *(f"rule-{n}" for n in range(len(bodies)))}
    twice = [{"name": "scanner", **a_body(comment="Nobody's")}, {"name": "scanner", **a_body()}]
    problems = loaded(own | {"cwpp/suppressions/all.json": {"value": twice}}).problems
    assert sorted(str(problem.code) for problem in problems) == ["duplicate-name", "duplicate-name", "no-owner"]


def test_a_shadow_rule_is_read_as_a_rule_and_holds_nothing() -> None:
    """It stands in a directory of its own, in any form that a rule may have, and changes the hash as any rule does. None covers
    a rule, nor another one: each is on record by itself. Of a rule and a shadow rule with one name neither is in force."""
    book = the_book({"cwpp/suppressions/shadow/try.json": a_body(), "cwpp/suppressions/shadow/some.yaml": LISTED})
    assert (set(book.shadows.by_name), book.suppressions.by_name) == ({"try", "one", "two"}, {})
    assert book.hash != the_book().hash
    live = the_rule(a_body(), "try.json")
    assert book.shadows.by_name["try"] == replace(live, source="cwpp/suppressions/shadow/try.json")
    assert lints({f"cwpp/suppressions/{name}.json": a_body() for name in ("live", "shadow/same", "shadow/other")}) == []
    result = loaded({f"cwpp/suppressions/{name}.json": a_body() for name in ("other", "scanner", "shadow/Scanner")})
    assert result.rulebook is not None
    assert (set(result.rulebook.suppressions.by_name), result.rulebook.shadows.by_name) == ({"other"}, {})
    named = ["cwpp/suppressions/scanner.json", "cwpp/suppressions/shadow/Scanner.json"]
    assert [(one.file, one.code) for one in result.problems] == [(file, "duplicate-name") for file in named]


def test_what_stands_beside_the_rules_of_a_stream_is_none() -> None:
    """A README, a hidden file, the other stream's; a directory that is nearly called shadow is said not to be read."""
    files = {"cwpp/suppressions/README.md": "# rules", "cwpp/suppressions/.gitkeep": ""}
    assert messages(files) == []
    assert rules_of({**files, "cspm/suppressions/exemption.json": a_body()}) == set()
    (warning,) = loaded({"cwpp/suppressions/Shadows/try.json": a_body()}).problems
    assert warning.file == "cwpp/suppressions/Shadows"
    assert warning.message.endswith("files here; did you mean cwpp/suppressions/shadow/?")


def test_a_problem_is_told_with_its_line_as_far_as_it_can_be_told() -> None:
    """Tabs, escapes, Windows line ends and a key of 2,000 letters, with which JSON is no YAML, do not keep it from its line."""
    for text in (
        '{"a":\t"\\/\\ud83d\\ude00",\n\t"properties":\n\t{"Colour": 1}}',
        '{\r\n"x": 1,\r\n"properties":{"Colour": 1}}',
    ):
        problems = loaded({"cwpp/suppressions/ab.json": text}).problems
        assert [problem.line for problem in problems if problem.message.startswith("properties.Colour")] == [3]
    problems = loaded({"cwpp/suppressions/ab.json": json.dumps({"k" * 2_000: 1, **a_body(state=None)})}).problems
    assert [(problem.line, problem.level) for problem in problems] == [(1, "problem")]


def test_every_category_that_took_the_place_of_a_retired_assessment_is_known_as_one() -> None:
    """So that no rule covers the whole of what `rules check` itself advises to name."""
    advised = {row[3] for row in rows_of("retired.tsv") if row[3]}
    assert advised <= set(CATEGORIES)
    assert list(CATEGORIES) == sorted(CATEGORIES)


def test_a_rule_is_found_again_as_it_is_written(tmp_path: Path) -> None:
    """One file's whole text, or the rule's part of a list, moved to the left; nothing where that cannot be read by now."""
    body = {"name": "two", **a_body(comment="größer, owner a@example.com")}
    whole, written = json.dumps(a_body(), indent=1), json.dumps(body, indent=2, ensure_ascii=False)
    indented = written.replace("\n", "\n    ")
    texts = {
        "one.json": (whole, 1, whole),
        "list.json": (f'{{"value": [\n    {{"name": "é"}},\n    {indented}\n]}}', 3, written),
        "list.yaml": ("value:\n  - name: é\n  - name: two\n    properties:\n      state: Enabled\n", 3, None),
    }
    for file, (text, line, found) in texts.items():
        (tmp_path / file).write_text(text)
        rule = replace(the_rule(a_body()), name="two", source=file)
        assert find_written_rule(tmp_path, rule) == WrittenRule(
            f"{file}:{line}", found or "name: two\nproperties:\n  state: Enabled\n"
        )
        for bad in ("{", None):
            (tmp_path / file).write_text(bad) if bad else (tmp_path / file).unlink()
            assert find_written_rule(tmp_path, rule) is None
