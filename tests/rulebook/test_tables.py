"""The tables beside the policy: owners, ATT&CK, the catalogue, examples."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from router.domain.errors import BadFile
from router.domain.evidence import BOILERPLATE, Evidence, property_key
from router.domain.owners import Owner, find_owner_of
from router.domain.rule_fields import rule_fields_of, signal_of
from router.domain.signals import Stream
from router.rulebook import load_attack, load_catalogue, load_examples
from router.rulebook.catalogue import rows_of
from tests.builders import an_alert
from tests.rulebook.builders import a_sound_rulebook, rules_in

OWNERS = {
    "owners": [
        {"subscription": "AAAA", "resource_group": "rg-pay*", "group": "payments", "pager": {"secret": "PAY_KEY"}},
        {"subscription": "aaaa", "group": "platform", "service": "Landing zone"},
        {"resource_group": "rg-aks?", "group": "containers"},
    ]
}


@pytest.mark.parametrize(
    ("subscription", "resource_group", "owner"),
    [
        ("aaaa", "RG-Payments", Owner("payments", None, "PAY_KEY")),
        ("aaaa", "rg-web", Owner("platform", "Landing zone", None)),
        ("aaaa", None, Owner("platform", "Landing zone", None)),
        ("bbbb", "rg-aks1", Owner("containers")),
        (None, "rg-aks1", Owner("containers")),
        ("bbbb", "rg-aks", None),
        ("bbbb", None, None),
        (None, None, None),
    ],
)
def test_the_first_entry_that_matches_owns(
    subscription: str | None, resource_group: str | None, owner: Owner | None, tmp_path: Path
) -> None:
    """An owner is found by globs, ignoring case, top to bottom; what nothing matches has none."""
    book = a_sound_rulebook(tmp_path, {"owners.yaml": OWNERS})
    assert find_owner_of(an_alert(AzureResourceId=an_id_in(subscription, resource_group)), book.owners) == owner


CONNECTOR = "/subscriptions/aaaa/resourceGroups/rg-connectors/providers/Microsoft.Security/securityConnectors/corp"
CLOUDS = {
    "owners": [
        {"subscription": "aaaa", "resource_group": "rg-connectors", "group": "whoever-connects"},
        {"subscription": "aaaa", "group": "landing-zone"},
        {"account": "1234*", "cluster": "shop-*", "group": "shop"},
        {"account": "123456789012", "group": "aws"},
        {"project": "ledger", "group": "ledger"},
        {"project": "42", "group": "by-number"},
        {"cluster": "aks-1", "group": "containers"},
    ]
}


@pytest.mark.parametrize(
    ("resource", "entity", "group"),
    [
        (f"{CONNECTOR}/securityentitydata/shop-prod", "arn:aws:eks:eu-west-2:123456789012:cluster/shop-prod", "shop"),
        (f"{CONNECTOR}/securityentitydata/batch", "arn:aws:eks:eu-west-2:123456789012:cluster/batch", "aws"),
        ("arn:aws:s3:eu-west-2:123456789012:invoices", "", "aws"),
        (
            f"{CONNECTOR}/securityentitydata/books",
            "container.googleapis.com/projects/ledger/zones/z/clusters/books",
            "ledger",
        ),
        (
            f"{CONNECTOR}/securityentitydata/x",
            "//container.googleapis.com/projects/42/locations/z/clusters/x",
            "by-number",
        ),
        (f"{CONNECTOR}/securityentitydata/other", "arn:aws:eks:eu-west-2:999999999999:cluster/other", "landing-zone"),
        ("arn:aws:s3:eu-west-2:999999999999:invoices", "", None),
        (
            "/subscriptions/bbbb/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/AKS-1",
            "",
            "containers",
        ),
    ],
)
def test_what_is_in_another_cloud_belongs_by_account_project_or_cluster(
    resource: str, entity: str, group: str | None, tmp_path: Path
) -> None:
    """The connector's resource group owns nothing, and its subscription only what no account, project or cluster does."""
    book = a_sound_rulebook(tmp_path, {"owners.yaml": CLOUDS})
    alert = an_alert(AzureResourceId=resource, Entities=[{"Type": "K8s-cluster", "Name": entity}] if entity else [])
    for one in (alert, signal_of(rule_fields_of(alert))):
        owner = find_owner_of(one, book.owners)
        assert (owner.group if owner else None) == group


def test_owners_are_optional(tmp_path: Path) -> None:
    """Without owners.yaml nothing has an owner, and nothing is said about it."""
    alert = an_alert(AzureResourceId=an_id_in("aaaa", "rg-web"))
    assert find_owner_of(alert, a_sound_rulebook(tmp_path).owners) is None


def an_id_in(subscription: str | None, resource_group: str | None) -> str:
    """The id of something in a subscription and a resource group, or in neither."""
    parts = {"subscriptions": subscription, "resourceGroups": resource_group}
    return "".join(f"/{part}/{name}" for part, name in parts.items() if name is not None) or "something"


ATTACK = """
version: "19.0"
tactics: {TA0005: Stealth, TA0006: Credential Access, TA0043: Reconnaissance}
intents: {PreAttack: [TA0043], CredentialAccess: [TA0006], Unknown: [], Both: [TA0005, TA0006]}
names: {Defense Evasion: TA0005}
successors: {T1: T2}
""".replace("T1: T2", "T1001: T1002, T1002: T1003, T1008: T1009, T1009: T1008")


@pytest.mark.parametrize(
    ("word", "ids"),
    [
        ("Pre-attack", ("TA0043",)),
        ("ta0006", ("TA0006",)),
        ("credential access", ("TA0006",)),
        ("DefenseEvasion", ("TA0005",)),
        ("Both", ("TA0005", "TA0006")),
        ("Unknown", ()),
        ("Impact", ()),
    ],
)
def test_a_tactic_is_known_by_intent_name_and_id(word: str, ids: tuple[str, ...], tmp_path: Path) -> None:
    """Every spelling of a tactic leads to its ids; an unknown word leads nowhere."""
    (tmp_path / "attack.yaml").write_text(ATTACK, encoding="utf-8")
    assert load_attack(tmp_path / "attack.yaml").tactics_for(word) == ids


@pytest.mark.parametrize(
    ("old", "current"), [("T1001", "T1003"), ("T1002", "T1003"), ("T1003", "T1003"), ("T1008", "T1009")]
)
def test_a_revoked_technique_leads_to_the_end_of_its_line(old: str, current: str, tmp_path: Path) -> None:
    """Successors are followed to the last one, and a ring of them ends."""
    (tmp_path / "attack.yaml").write_text(ATTACK, encoding="utf-8")
    assert load_attack(tmp_path / "attack.yaml").technique_for(old) == current


def test_an_attack_table_with_problems_says_them_all(tmp_path: Path) -> None:
    """A bad table raises one error with every problem in it."""
    path = tmp_path / "attack.yaml"
    path.write_text("tactics: {}\nintents: {Impact: [TA0040]}\nnames: 1\n", encoding="utf-8")
    with pytest.raises(BadFile) as raised:
        load_attack(path)
    assert len(str(raised.value).splitlines()) == 2


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


DECISION = {"outcome": "routed", "routes": ["a", "b"], "suppressed_by": None, "reason": "otherwise", "severity": "Low"}


def test_an_example_says_what_a_decision_shows_otherwise(tmp_path: Path) -> None:
    """Lists compare in any order, a code stands for any reason with it, and every difference is told."""
    rules = rules_in(tmp_path, {"cwpp/examples/a.yaml": EXAMPLES})
    (one, two), _ = load_examples(rules, Stream.CWPP)
    assert one.unmet_by(DECISION) == {}
    assert one.unmet_by(DECISION | {"reason": "otherwise: because"}) == {}
    assert two.unmet_by(DECISION) == {"severity": 'severity: expected "High", got "Low"'}
    assert len(one.unmet_by(DECISION | {"reason": "routes: x", "suppressed_by": "y", "routes": ["a"]})) == 3


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
