"""The tables beside the policy: ATT&CK, examples, properties; and the catalogue of alert types, of which nothing is lost."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from router.domain.catalogue import Deprecation
from router.domain.errors import BadFile
from router.domain.evidence import BOILERPLATE, Evidence, property_key
from router.domain.severity import Severity
from router.domain.signals import Stream
from router.rulebook import load_attack, load_catalogue, load_examples
from router.rulebook.catalogue import rows_of
from tests.rulebook.builders import rules_in

ATTACK = """
version: "19.0"
tactics: {TA0005: Stealth, TA0006: Credential Access, TA0043: Reconnaissance}
intents: {PreAttack: [TA0043], CredentialAccess: [TA0006], Unknown: [], Both: [TA0005, TA0006]}
names: {Defense Evasion: TA0005}
successors: {T1001: T1002, T1002: T1003, T1008: T1009, T1009: T1008}
"""


def test_every_spelling_of_a_tactic_leads_to_its_ids_and_a_revoked_technique_to_the_end_of_its_line(
    tmp_path: Path,
) -> None:
    """An unknown word leads nowhere. Successors are followed to the last one, and a ring of them ends."""
    (tmp_path / "attack.yaml").write_text(ATTACK, encoding="utf-8")
    table = load_attack(tmp_path / "attack.yaml")
    tactics = {
        "Pre-attack": ("TA0043",),
        "ta0006": ("TA0006",),
        "credential access": ("TA0006",),
        "DefenseEvasion": ("TA0005",),
        "Both": ("TA0005", "TA0006"),
        "Unknown": (),
        "Impact": (),
    }
    assert {word: table.tactics_for(word) for word in tactics} == tactics
    current = {"T1001": "T1003", "T1002": "T1003", "T1003": "T1003", "T1008": "T1009"}
    assert {old: table.technique_for(old) for old in current} == current


def test_an_attack_table_with_problems_says_them_all(tmp_path: Path) -> None:
    """A bad table raises one error with every problem in it."""
    path = tmp_path / "attack.yaml"
    path.write_text("tactics: {}\nintents: {Impact: [TA0040]}\nnames: 1\n", encoding="utf-8")
    with pytest.raises(BadFile) as raised:
        load_attack(path)
    assert len(str(raised.value).splitlines()) == 2


EXAMPLES = """
- name: one message
  now: 2026-11-24T13:00:00+01:00
  message: {AlertType: A, TimeGenerated: 2026-11-24T12:00:00Z}
  expect: {outcome: routed, routes: [b, a], suppressed_by: null, reason: otherwise}

- name: two messages
  now: 2026-11-24T12:00:00Z
  messages: [{AlertType: B}, "not json"]
  expect: {severity: High}
"""


def test_examples_are_read_as_they_are_written(tmp_path: Path) -> None:
    """A message keeps its times as text, and a text stands for itself; `expect` holds what is written and no more."""
    rules = rules_in(tmp_path, {"cwpp/examples/a.yaml": EXAMPLES})
    (one, two), problems = load_examples(rules, Stream.CWPP)
    assert problems == ()
    assert one.bodies == (b'{"AlertType": "A", "TimeGenerated": "2026-11-24T12:00:00Z"}',)
    assert one.expect == {"outcome": "routed", "routes": ["b", "a"], "suppressed_by": None, "reason": "otherwise"}
    assert (one.now.isoformat(), one.file, one.line) == ("2026-11-24T12:00:00+00:00", "cwpp/examples/a.yaml", 2)
    assert two.bodies == (b'{"AlertType": "B"}', b"not json")
    # Lists compare in any order, a code stands for any reason with it, and every difference is told.
    decision = {
        "outcome": "routed",
        "routes": ["a", "b"],
        "suppressed_by": None,
        "reason": "otherwise",
        "severity": "Low",
    }
    assert one.unmet_by(decision) == one.unmet_by(decision | {"reason": "otherwise: because"}) == {}
    assert two.unmet_by(decision) == {"severity": 'severity: expected "High", got "Low"'}
    assert len(one.unmet_by(decision | {"reason": "routes: x", "suppressed_by": "y", "routes": ["a"]})) == 3


def test_each_known_property_belongs_to_a_list_or_is_boilerplate_for_a_reason() -> None:
    """The table names lists that exist, each name once and sorted; what is left out says why."""
    rows = [[*row, ""][:4] for row in rows_of("properties.tsv")]
    names = [name for name, *_ in rows]
    keys = [property_key(name) for name in names]
    assert keys == sorted(keys)
    assert len(names) == len(set(names))
    assert {listed for _, listed, *_ in rows} <= {*Evidence.__dataclass_fields__, BOILERPLATE}
    assert all(source for _, _, source, _ in rows)
    assert [name for name, listed, _, reason in rows if (listed == BOILERPLATE) != bool(reason)] == []


def test_one_key_means_two_things_only_where_its_spelling_tells() -> None:
    """A cluster's alerts say `Resource type` of an object, and every alert says `resourceType` of the resource."""
    table = load_catalogue().properties
    keys = Counter(property_key(name) for name, *_ in rows_of("properties.tsv"))
    assert [key for key, count in keys.items() if count > 1] == ["resourcetype"]
    assert table.find_list("resourceType", "Virtual Machine") == table.find_list("Resource Type", "x") == BOILERPLATE
    assert table.find_list("Resource type", "pods") == "kubernetes_objects"


CATALOGUE = load_catalogue()
EVER = Path(__file__).with_name("catalogue_ever.tsv")
"""Every alert type that was ever in the catalogue, with its plan, tactics and severity. Rows are added, never taken away."""

AGENTIC = ("AI.Azure_Agentic_Jailbreak", "Azure_Agentic_BlockedJailbreak", "AI.Azure_Agentic_BlockedJailbreak")


def every_type() -> list[dict[str, str]]:
    """The rows of all alert types that the catalogue ever had."""
    with EVER.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_no_alert_type_is_ever_lost() -> None:
    """Microsoft takes types off its pages that still arrive: what was known once is known for good, and no row comes twice."""
    rows = every_type()
    ever = [row["alert_type"].lower() for row in rows]
    assert len(rows) >= 492
    assert [type for type in ever if type not in CATALOGUE.types] == []
    assert sorted(CATALOGUE.types.keys() - set(ever)) == [], f"add what is new to {EVER.name}, so that it is not lost"
    assert len(ever) == len(set(ever))


def test_what_is_deprecated_is_read_as_ever() -> None:
    """Deprecated or not, an alert type keeps the plan, the tactics and the severity that it had."""
    rows = every_type()
    assert {row["alert_type"] for row in rows if CATALOGUE.types[row["alert_type"].lower()].deprecation} >= set(AGENTIC)
    for row in rows:
        known = CATALOGUE.types[row["alert_type"].lower()]
        said = (known.plan, known.tactics, known.severity)
        assert said == (row["plan"] or None, tuple(row["tactics"].split()), row["severity"] or None), row


def test_the_columns_hold_what_their_readers_know() -> None:
    """Plans are plans, severities are severities, and the plan is the one that the type's prefix names."""
    plans, severities = set(CATALOGUE.plan_names.values()), {severity.label for severity in Severity}
    for type, known in CATALOGUE.types.items():
        assert known.plan in plans, type
        assert known.severity is None or known.severity in severities, type
        assert CATALOGUE.find_plan(None, f"{type}_never_seen") == known.plan, type
    assert set(CATALOGUE.resource_plans.values()) <= plans


def test_types_that_no_page_lists_are_marked() -> None:
    """What was seen in the field only says so; everything else is from Microsoft's pages."""
    assert {type for type, known in CATALOGUE.types.items() if known.field_only} == {
        "k8s.node_driftdetection",
        "k8s.node_driftblocked",
        "k8s.node_malwareblocked",
        "ai.azure_agentic_blockedjailbreak",
    }


def test_an_entry_says_since_when_it_is_deprecated() -> None:
    """With the day where Microsoft gives one, and what replaces it where anything does."""
    for type, since, replaced_by in (
        ("AI.Azure_PhishingContentInModelResponse", "2025-09", "AI.Azure_MaliciousUrl.ModelResponse"),
        ("AI.Azure_DataLeakInModelResponse.Sensitive", "2025-04-20", "AI.Azure_SensitiveDataAnomaly"),
        ("AI.Azure_SensitiveDataAnomaly", "2026-05-13", None),
        *((type, "2026-07-01", None) for type in AGENTIC),
        ("SIMULATED_AppServices_WpThemeInjection", "2025-12-11", None),
        ("VM_TimerServiceDisabled", None, None),
    ):
        known = CATALOGUE.find_type(type)
        assert known is not None, type
        assert known.deprecation == Deprecation(since, (replaced_by,) if replaced_by else ())


def test_how_many_are_deprecated_and_what_replaces_them_is_known() -> None:
    """75 stand on the page of deprecated alerts, which gives no dates, and 32 have one."""
    deprecated = [known.deprecation for known in CATALOGUE.types.values() if known.deprecation]
    assert sum(one.since is None for one in deprecated) == 75
    assert sum(one.since is not None for one in deprecated) == 32
    assert all(CATALOGUE.find_type(heir) for one in deprecated for heir in one.replaced_by)


def test_the_catalogue_knows_types_plans_and_prefixes() -> None:
    """An alert type is known with its plan, tactics and severity; an unknown one of a known family has a plan."""
    catalogue = load_catalogue()
    known = catalogue.find_type("simulated_sql.db_bruteforce")
    assert known is not None
    assert (known.plan, known.tactics, known.severity) == ("SqlServers", ("PreAttack",), "High")
    assert catalogue.find_plan(None, "SQL.MySQL_NeverSeen") == "OpenSourceRelationalDatabases"
    assert catalogue.find_plan("Servers", "X") == "VirtualMachines"
    assert catalogue.find_plan(None, "X") is None
    assert load_catalogue() is catalogue
