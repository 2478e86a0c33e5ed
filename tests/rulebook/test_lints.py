"""What `rules check` finds by comparing rules with one another, with known types, and with where things stand."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.cli import main
from router.cli.rules import find_unheard_plans
from router.decide.suppression import covers
from router.domain.owners import NO_OWNERS
from router.domain.signals import Stream
from router.domain.suppression import Element, Operator, SuppressionRule
from router.rulebook import load
from router.rulebook.lints import KnownTypes, lint
from router.rulebook.lints.scopes import covers_scope, find_wider_rules
from tests.builders import NOW as THEN
from tests.builders import a_rule, an_alert, an_element, an_ip
from tests.examples import some_of
from tests.rulebook.builders import KINDS, NOW, a_body, a_policy, a_scoped_body, lints, loaded, rules_in, rules_of
from tests.rulebook.test_owners import ENTRIES, SIGNALS, group_of, owners_of


def scopes(**scopes: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Rules of one type by their names, with the elements of their scopes."""
    return {f"cwpp/suppressions/{name}.json": a_scoped_body(*elements) for name, elements in scopes.items()}


def files_of(found: Sequence[str]) -> list[str]:
    """The rules that something is said of."""
    return [line.partition(":")[0].removeprefix("cwpp/suppressions/").removesuffix(".json") for line in found]


type Elements = list[Mapping[str, object]]
IP, HOST, COMMAND = "entities.ip.address", "entities.host.hostname", "entities.process.commandline"
BUILD: Mapping[str, object] = {"field": HOST, "contains": "build-"}


def ip(*addresses: str) -> Mapping[str, object]:
    """An element on addresses."""
    return {"field": IP, "in": list(addresses)}


COVERED: list[tuple[Elements, Elements]] = [
    ([ip("10.20.0.5", "10.20.0.6")], [ip("10.20.0.6")]),
    ([ip("::1")], [ip("0:0::1"), BUILD]),
    ([ip("10.16.0.0/12")], [ip("10.20.0.0/16", "::ffff:10.17.2.3")]),
    ([{"field": IP, "contains": "10.20.0."}], [ip("10.20.0.5", "10.20.0.6")]),
    ([BUILD], [{"field": HOST, "contains": ["build-7", "rebuild-8"]}]),
    (
        [{"field": COMMAND, "contains": "/opt/run"}],
        [{"field": COMMAND, "contains": "sh /opt/run-now"}, ip("10.20.0.5")],
    ),
    ([{"field": HOST, "contains": ["web", "build"]}], [BUILD]),
]


def test_a_scope_that_another_one_covers_is_said_and_one_that_only_overlaps_is_not() -> None:
    """The narrow rule is warned about, whichever is read first, and names the other one and where it stands."""
    for wide, narrow in COVERED:
        for one, other in (("a", "b"), ("b", "a")):
            (found,) = lints(scopes(**{one: wide, other: narrow}))
            assert found.startswith(f"cwpp/suppressions/{other}.json:"), (wide, narrow)
            assert f"held by rule '{one}' (cwpp/suppressions/{one}.json:" in found
    some, others = [ip("10.20.0.5", "10.20.0.6")], [ip("10.20.0.6", "10.20.0.7")]
    assert lints(scopes(one=some, other=others)) == []


def test_a_rule_that_is_off_or_ends_earlier_or_of_another_type_covers_nothing() -> None:
    """What the other rule holds after that is held by nothing else."""
    for name, value in (
        ("state", "Disabled"),
        ("expirationDateUtc", "2026-11-24T11:00:00Z"),
        ("expirationDateUtc", "2027-05-31T23:59:59Z"),
        ("alertType", "SQL.VM_BruteForce"),
    ):
        wide = a_scoped_body(ip("10.20.0.5", "10.20.0.6"), **{name: value})
        assert lints({"cwpp/suppressions/wide.json": wide, "cwpp/suppressions/narrow.json": a_body()}) == [], value


def test_of_equal_scopes_all_but_one_are_said() -> None:
    """The one that ends last stays, then the first by name. One address in two spellings is one scope."""
    elements = [BUILD, ip("10.20.0.5", "10.20.0.6")]
    files = scopes(third=elements, second=elements, first=elements[::-1])
    found = lints(files)
    assert files_of(found) == ["second", "third"]
    assert all("is the scope of rule 'first' (cwpp/suppressions/first.json:1) too" in line for line in found)
    files["cwpp/suppressions/third.json"] = a_scoped_body(*elements, expirationDateUtc="2027-06-02T00:00:00Z")
    assert files_of(lints(files)) == ["first", "second"]
    assert files_of(lints(scopes(b=[ip("::1")], a=[ip("0:0::1", "::1"), ip("::1")]))) == ["b"]


TEXTS = st.text("ab/-. ", min_size=1, max_size=6)
SOME_TEXTS = st.lists(TEXTS, min_size=1, max_size=2)
ADDRESSES = ["10.0.0.1", "::ffff:10.0.0.1", "::1", "0::1", "10.0.0.0/8", "10.0.0.0/30", "::/127"]
ELEMENTS = st.one_of(
    SOME_TEXTS.map(lambda texts: an_element(COMMAND, *texts)),
    SOME_TEXTS.map(lambda texts: an_element(COMMAND, *texts, operator=Operator.CONTAINS)),
    st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=3).map(lambda values: an_element(IP, *values)),
    st.sampled_from(["10.", "ffff", "::"]).map(lambda text: an_element(IP, text, operator=Operator.CONTAINS)),
)


@st.composite
def live_rules(draw: st.DrawFn) -> list[SuppressionRule]:
    """Rules with small scopes, those that end last first, as they are compared."""
    rules = []
    for number in range(draw(st.integers(2, 7))):
        groups: dict[object, list[Element]] = {}
        for element in draw(st.lists(ELEMENTS, min_size=1, max_size=3)):
            groups.setdefault(element.field.entity, []).append(element)
        expires = THEN + timedelta(days=draw(st.integers(1, 2)))
        rules.append(a_rule(f"rule-{number}", expires=expires, groups=list(groups.values())))
    return sorted(rules, key=lambda rule: (-rule.expires.timestamp(), rule.name))


@given(live_rules())
def test_the_index_finds_what_comparing_each_with_each_finds(rules: list[SuppressionRule]) -> None:
    """The first rule that covers another one is found; of two that cover each other the second is covered."""
    found = {rule.name: wider for rule, wider in find_wider_rules(rules)}
    for place, rule in enumerate(rules):
        earlier = [other for other in rules[:place] if covers_scope(other, rule)]
        later = [other for other in rules[place + 1 :] if covers_scope(other, rule) and not covers_scope(rule, other)]
        wider = earlier + [other for other in later if other.expires >= rule.expires]
        assert found.get(rule.name) is (wider[0] if wider else None)


@given(
    live_rules(), st.lists(TEXTS, max_size=3), st.lists(st.sampled_from(["10.0.0.1", "::FFFF:a00:1", "::1", "0:0::1"]))
)
def test_a_scope_that_covers_another_one_holds_whatever_that_one_holds(
    rules: list[SuppressionRule], commands: list[str], addresses: list[str]
) -> None:
    """The warning is never wrong: what the covered rule holds, the other one holds."""
    processes = [{"$id": f"p{n}", "Type": "process", "CommandLine": command} for n, command in enumerate(commands)]
    alert = an_alert(Entities=[*processes, *map(an_ip, addresses)])
    held = [rule for rule in rules if covers(rule, alert, NO_OWNERS)]
    for rule in held:
        assert all(wider in held for wider in rules if covers_scope(wider, rule))


def test_types_that_the_policy_declares_are_known() -> None:
    """Whole or by a glob, in whatever case, and with the prefix of a sample; they are offered for misspelled ones. What
    the router itself raises, such as about changed files, passes without `types`."""
    types = ["Contoso.DiskFull", "AzureMonitor.*", "SIMULATED_Own"]
    names = [
        "contoso.diskfull",
        "AzureMonitor.Heartbeat",
        "SIMULATED_Contoso.DiskFull",
        "SIMULATED_Own",
        "File-Integrity",
    ]
    files = {f"cwpp/suppressions/{name}.json": a_body(alertType=name) for name in (*names, "VM_X", "Contoso.DiskFul")}
    found = lints({**files, "cwpp/policy.yaml": a_policy(types=types)})
    assert files_of(found) == ["Contoso.DiskFul", "VM_X"]
    assert "did you mean Contoso.DiskFull?" in found[0]


def test_the_catalogue_is_known_in_any_case_and_for_samples() -> None:
    """Each type of the catalogue is known, fits its own glob, and is what its title stands for."""
    known = KnownTypes.of([])
    for type, written in known.spellings.items():
        assert known.has(type) and known.has(f"SIMULATED_{written}") and known.is_fitted_by(written), written
    titled = known.entitled("digital currency mining activity.")
    assert known.entitled("(Preview) Digital currency mining activity") == titled
    assert len(titled) > 1
    assert known.is_fitted_by("simulated_sql.db_brute*") and not known.has("")


def test_a_rule_that_may_be_about_a_category_is_covered_by_none_that_may_not() -> None:
    """Only a narrow rule holds findings of a category, so that a wider one which is not narrow does not hold them."""
    account = {"field": "subscriptionId", "in": ["11111111-1111-1111-1111-111111111111"]}
    one = {"field": "resourceId", "contains": "/resourceGroups/rg-build/"}
    for type, count in (("ContosoCategory", 0), ("fde1c0c9-0fd2-4ecc-87b5-98956cbc1095", 1)):
        wide, narrow = a_scoped_body(account, alertType=type), a_scoped_body(account, one, alertType=type)
        files = {"cspm/suppressions/wide.json": wide, "cspm/suppressions/narrow.json": narrow}
        assert len([line for line in lints(files, Stream.CSPM) if "holds nothing" in line]) == count


def test_findings_have_too_many_types_to_list() -> None:
    """In cspm nothing is said of a type that is not known, or that a policy of cwpp declares."""
    for type in ("no-such-key", "SQL.DB_BruteForc", "Contoso.DiskFull", "Data"):
        files = {"cspm/suppressions/a.json": a_body(alertType=type), "cwpp/policy.yaml": a_policy(types=["Contoso.*"])}
        assert lints(files, Stream.CSPM) == []
    # A rule about an alert holds nothing there, however its type is written, also where the rule is refused.
    body = a_body(alertType="SIMULATED_SQL.DB_BruteForce", state="enabled?")
    (said,) = lints({"cspm/suppressions/one.json": body}, Stream.CSPM)
    assert "is an alert type, which no finding has; move the rule into cwpp/suppressions/" in said


def test_a_start_does_not_compare_rules_and_a_broken_policy_hides_no_lint() -> None:
    """`rules check` says both at once, though the stream would not start."""
    misspelled = {"cwpp/suppressions/a.json": a_body(alertType="SQL.DB_BruteForc")}
    assert [problem.code for problem in loaded(misspelled).problems] == ["not-portable"]
    for policy in (a_policy(), a_policy(routes=7)):
        (said,) = lints({**misspelled, "cwpp/policy.yaml": policy})
        assert "SQL.DB_BruteForce?" in said


def test_rules_with_one_name_say_where_the_other_one_stands() -> None:
    """In two files, or in one file and a list, and whatever the case; all of them are left out."""
    rule_list = {"value": [{"name": "other", **a_body()}, {"name": "SCANNER", **a_body()}]}
    named = {"Scanner.json": a_body(), "scanner.yaml": a_body(), "list.json": rule_list}
    files: dict[str, object] = {f"cwpp/suppressions/{name}": content for name, content in named.items()}
    assert rules_of(files) == {"other"}
    twice = [problem for problem in loaded(files).problems if problem.code == "duplicate-name"]
    (line,) = (problem.line for problem in twice if "list" in problem.file)
    assert [problem.message.partition(", so")[0] for problem in twice] == [
        f"'Scanner' and 'SCANNER' are one name in Defender, at cwpp/suppressions/list.json:{line}",
        "value[1]: 'SCANNER' and 'Scanner' are one name in Defender, at cwpp/suppressions/Scanner.json:1",
        "'scanner' and 'Scanner' are one name in Defender, at cwpp/suppressions/Scanner.json:1",
    ]


EVERY = "otherwise: no High alert of any plan reaches a person"
UNHEARD: list[tuple[Mapping[str, object], str | None]] = [
    ({"at_least": "High"}, None),
    ({}, None),
    ({"severity": ["High", "unknown"], "status": ["new"], "sample": False, "incident": False}, None),
    ({"tag": {"stage": "prod"}, "resource_group": "rg-pay*", "owner": "nobody", "account": "123456789012"}, None),
    ({"at_least": "Critical"}, EVERY),
    ({"status": "InProgress"}, EVERY),
    ({"sample": True}, EVERY),
    ({"alert_type": "VMX_*"}, EVERY),
    ({"alert_type": "KV_*", "plan": "StorageAccounts"}, EVERY),
    ({"plan": ["VirtualMachines", "Containers"]}, "otherwise: no High alert of AI or Api or AppServices or Arm or Co"),
]


def test_a_policy_that_calls_nobody_is_warned_about() -> None:
    """Whatever it says, it is judged by what comes of alerts; where something is may hold of a resource nobody made up."""
    pager, rows = {"kind": "pager", "key": {"secret": "KEY"}}, {"kind": "rows", "table": "Alerts_CL"}
    destinations = {"oncall": pager, "rows": rows}
    owners = {"owners": [{"resource_group": "rg-pay*", "group": "payments"}]}
    for when, says in UNHEARD:
        routes = [{"name": "page", "when": when, "to": ["oncall"]}]
        policy = a_policy(destinations=destinations, routes=routes, otherwise=["rows"])
        found = list(find_unheard_plans(loaded({"cwpp/policy.yaml": policy, "owners.yaml": owners}), NOW))
        assert [(one.code, one.level) for one in found] == ([("calls-nobody", "warning")] if says else []), when
        assert all(one.message.startswith(says or "") for one in found), when


def test_what_is_told_to_programs_alone_calls_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A webhook is read by a program, so `rules check --strict` fails; a ticket, a chat or mail beside it is enough."""
    hook = {"kind": "webhook", "url": "https://hook.example", "secret": {"secret": "HOOK_SECRET"}}
    chat = {"kind": "slack", "url": {"secret": "SLACK_URL"}}
    for used, code in (({"hook": hook}, 1), ({"hook": hook, "chat": chat}, 0)):
        rules_in(tmp_path, {"cwpp/policy.yaml": a_policy(destinations=used, otherwise=list(used))})
        assert main(["rules", "check", "--strict", str(tmp_path)]) == code, capsys.readouterr().out
    assert "no High alert of any plan reaches a person" not in capsys.readouterr().out.splitlines()[-1]


def said_of(*entries: Mapping[str, object], code: str = "unreachable-owner", **names: object) -> list[str]:
    """What lints say of some entries of owners.yaml."""
    files = {"owners.yaml": {"owners": [dict(entry) for entry in entries], **names}}
    return [line.removeprefix("owners.yaml: ") for line in lints(files, code=code)]


REACHED: list[tuple[bool, list[dict[str, object]]]] = [
    (False, [{"group": "all"}, {"resource_group": "rg-web", "group": "web"}]),
    (False, [{"resource_group": "rg-*", "group": "a"}, {"resource_group": "RG-W*", "subscription": "a", "group": "b"}]),
    (False, [{"tag": {"team": "*"}, "group": "a"}, {"tag": {"Team": "web"}, "group": "b"}]),
    (False, [{"resource": "*/rg-?/*", "group": "a"}, {"resource": "*/rg-?/vm-*", "group": "b"}]),
    (False, [{"group": "all"}, {"cluster": "c", "resource_group": "rg-aks", "group": "b"}]),
    (False, [{"environment": "prod"}, {"subscription": "aaaa", "environment": "test"}]),
    (False, [{"group": "all", "environment": "prod"}, {"subscription": "aaaa", "group": "a", "environment": "test"}]),
    (True, [{"group": "all"}, {"connector": "corp", "group": "b"}]),
    (True, [{"group": "all"}, {"subscription": "aaaa", "group": "b", "environment": "test"}]),
    (True, [{"tag": {"team": "*"}, "group": "{tag.team}"}, {"tag": {"team": "web"}, "group": "b"}]),
]


def test_an_entry_that_one_above_covers_is_said_and_none_that_something_reaches() -> None:
    """With its place, and that of the one that covers it. What a connector brings asks first for what names more than a
    subscription, wherever it stands."""
    words = "owners[1]: is never reached: owners[0] above matches all that it matches; move it up, or remove it"
    for is_reached, entries in REACHED:
        assert said_of(*entries) == ([] if is_reached else [words]), entries


def test_what_is_judged_is_what_was_loaded(tmp_path: Path) -> None:
    """A file that somebody mends meanwhile is judged by the next check, and this one says one thing of it throughout."""
    rules = rules_in(tmp_path, {"owners.yaml": {"owners": [{"group": "all"}, {"group": "all"}]}})
    loaded = load(rules, Stream.CWPP, KINDS, NOW)
    (rules / "owners.yaml").write_text("owners: [{group: all}]")
    assert "unreachable-owner" in {one.code for one in lint(rules, Stream.CWPP, loaded, NOW)}


GUID = "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
OF_RESOURCE = "fits no resource's id from its beginning to its end; write a glob such as"
OF_ACCOUNT = "fits no AWS account's id, which has 12 digits"
NAMES = {"subscriptions": {GUID: {"name": "Contoso Production"}}, "accounts": {"123456789012": {"name": "Retail"}}}
IN_VAIN = [
    ("subscription", "prod", "fits no subscription's id, which is a GUID; write an id, or a glob of ids"),
    ("subscription", "contoso production", f"fits no subscription's id, which is a GUID; that of {{}} is {GUID}"),
    ("account", "1234", f"{OF_ACCOUNT}; write an id, or a glob of ids"),
    ("account", "Retail", f"{OF_ACCOUNT}; that of {{}} is 123456789012"),
    ("resource", "vm", f"{OF_RESOURCE} */vm or */vm/*"),
    ("resource", "/resourceGroups/rg-pay/*", f"{OF_RESOURCE} */resourceGroups/rg-pay or */resourceGroups/rg-pay/*"),
]
MAY_MATCH = {
    "subscription": ["*", GUID.upper(), "6f0a*", "????????-*"],
    "account": ["123456789012", "1234*", "*", "aws", "????????????"],
    "resource": [
        f"/subscriptions/{GUID}/resourceGroups/rg-pay", "*/rg-pay/*", "/sub*", "?subscriptions/*", "*",
        "/providers/Microsoft.Management/managementGroups/corp", "arn:aws:s3:::logs", "ARN:*", "a*", "storage*",
        "//storage.googleapis.com/projects/_/buckets/logs", "storage.googleapis.com/projects/_/buckets/logs",
        "projects/contoso/zones/z/instances/vm", "/projects/contoso/*", "proj*",
    ],
}  # fmt: skip


def test_an_entry_that_matches_nothing_is_said_and_none_that_may_match_something() -> None:
    """At the glob that is at fault, with what to write in its place. An ARM id, an ARN, a name of Google's may match."""
    for key, glob, words in IN_VAIN:
        said = said_of({key: glob, "group": "pay"}, {"group": "all"}, code="dead-owner", **NAMES)
        assert said == [f"owners[0].{key}: {words.format(repr(glob))}; so the entry matches nothing"]
    for key, globs in MAY_MATCH.items():
        assert said_of(*({key: glob, "group": "pay"} for glob in globs), code="dead-owner", **NAMES) == []


@settings(max_examples=some_of(40))
@given(st.lists(ENTRIES, min_size=2, max_size=5))
def test_nothing_belongs_to_an_entry_that_is_said(entries: list[dict[str, Any]]) -> None:
    """Whatever the entries are."""
    numbered = [{**entry, "group": str(at)} for at, entry in enumerate(entries)]
    said, owners = said_of(*numbered), owners_of(*numbered)
    for signal in SIGNALS:
        place = f"owners[{group_of(signal, owners)}]: is never reached"
        assert not any(words.startswith(place) for words in said)


UNREAD = "is a directory in which nothing is read"
ELSEWHERE = "here are read attack.yaml, owners.yaml, coverage.yaml, cwpp/ and cspm/"
SUPPRESSIONS_AND_EXAMPLES = "here are read suppressions/, suppressions/shadow/, examples/ and policy.yaml"


def strays_with(files: Mapping[str, object]) -> list[str]:
    """What is said of files that are not read."""
    return lints(files, code="stray-file")


STRAYS = {
    "cwpp/suppression/one.json": f"cwpp/suppression: {UNREAD}; did you mean cwpp/suppressions?",
    "cwpp/Suppressions/one.json": f"cwpp/Suppressions: {UNREAD}; did you mean cwpp/suppressions?",
    "cwpp/exemptions/a/one.json": f"cwpp/exemptions: {UNREAD}; did you mean cwpp/suppressions?",
    "cwpp/shadow/one.json": f"cwpp/shadow: {UNREAD}; did you mean cwpp/suppressions/shadow?",
    "shadows/one.json": f"shadows: {UNREAD}; did you mean cwpp/suppressions/shadow or cspm/suppressions/shadow?",
    "cwpp/teams/one.json": f"cwpp/teams: {UNREAD}; {SUPPRESSIONS_AND_EXAMPLES}",
    "cwpp/one.json": f"cwpp/one.json: is not read; {SUPPRESSIONS_AND_EXAMPLES}",
    "cwpp/policy.yml": "cwpp/policy.yml: is not read; did you mean cwpp/policy.yaml?",
    "cwpp/owners.yaml": "cwpp/owners.yaml: is not read; did you mean owners.yaml?",
    "policy.yaml": "policy.yaml: is not read; did you mean cwpp/policy.yaml or cspm/policy.yaml?",
    "owners.yml": "owners.yml: is not read; did you mean owners.yaml?",
    "owner.yaml": "owner.yaml: is not read; did you mean owners.yaml?",
    "one.json": f"one.json: is not read; {ELSEWHERE}",
    "suppressions/one.json": f"suppressions: {UNREAD}; did you mean cwpp/suppressions or cspm/suppressions?",
    "production/policy.yaml": f"production: {UNREAD}; {ELSEWHERE}",
}


def test_what_looks_like_a_rule_where_nothing_reads_it_is_said() -> None:
    """It is named, with where it was probably meant to be."""
    said = {file: [words] for file, words in STRAYS.items()}
    assert {file: strays_with({file: a_body()}) for file in STRAYS} == said


def test_what_is_read_and_what_is_no_rule_is_no_stray() -> None:
    """The known places, hidden files, Markdown, other sorts of files, and tags that owners.yaml names. Where rules are
    a repository of their own, other files of YAML stand beside them: only what is called like a rule is said."""
    files = {
        "owners.yaml": {"owners": [], "tags": ["tags/all.json"]}, "coverage.yaml": "", "tags/all.json": "[]",
        "cwpp/suppressions/one.json": a_body(), "cwpp/suppressions/shadow/two.json": a_body(),
        "cwpp/examples/one.yaml": "[]", "cspm/anything.yaml": "",
        ".schemas/policy.schema.json": "{}", "README.md": "", "cwpp/notes.txt": "", "pictures/a.png": "", "cwpp/.keep": "",
    }  # fmt: skip
    assert strays_with(files) == []
    files = {".git/HEAD": "", "mkdocs.yml": "", "infra/main.json": "{}", "owner.yaml": "", "cwpp/one.json": "{}"}
    assert strays_with(files) == [STRAYS["cwpp/one.json"], STRAYS["owner.yaml"]]


def test_where_owners_cannot_be_read_only_what_is_called_like_a_rule_is_said() -> None:
    """What may be the files of tags that owners.yaml names is none of its own mistakes; a misspelled directory is one."""
    beside = {"tags/all.json": "[]", "cwpp/tags.json": "[]", "cwpp/suppression/one.json": a_body()}
    for owners in (
        "owners: []\ntags:\n\t- tags/all.json\n",
        "owners: []\nowners: []\ntags: [tags/all.json]\n",
        "owners: []\ntagz: [tags/all.json]\n",
        "- owners\n",
        "",
    ):
        assert strays_with({"owners.yaml": owners, **beside}) == [STRAYS["cwpp/suppression/one.json"]], owners
