"""The catalogue of alert types: nothing is lost from it, and it says what is deprecated and what was seen in the field only."""

from __future__ import annotations

import csv
from pathlib import Path

from router.domain.catalogue import Deprecation
from router.domain.severity import Severity
from router.rulebook import load_catalogue

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


ON_A_LINE_OF_THEIR_OWN: list[tuple[str, str, str, str | None]] = [
    ("SQL.VM_DataExfiltration", "SqlServerVirtualMachines", "Exfiltration", "Medium"),
    ("Storage.Blob_AM.MalwareFound", "StorageAccounts", "LateralMovement", "High"),
    ("Storage.File_AM.MalwareFound", "StorageAccounts", "LateralMovement", "High"),
    ("Storage.Blob_MalwareDownload", "StorageAccounts", "LateralMovement", "High"),
    ("Storage.AccountKey_PubliclyLeaked", "StorageAccounts", "CredentialAccess", "High"),
    ("Storage.Blob_AnonymousAccessAnomaly.Sensitive", "StorageAccounts", "InitialAccess", "High"),
    ("Storage.Blob_DataExfiltration.AmountOfDataAnomaly.Sensitive", "StorageAccounts", "Exfiltration", "Medium"),
    ("Storage.Blob_DataExfiltration.NumberOfBlobsAnomaly.Sensitive", "StorageAccounts", "Exfiltration", None),
    ("Storage.Blob_SuspiciousApp.Sensitive", "StorageAccounts", "InitialAccess", "High"),
    ("Storage.Blob_SuspiciousIp.Sensitive", "StorageAccounts", "PreAttack", "High"),
    ("Storage.Blob_TorAnomaly.Sensitive", "StorageAccounts", "PreAttack", "High"),
    ("Storage.Blob_GeoAnomaly.Sensitive", "StorageAccounts", "InitialAccess", "Informational"),
    ("Storage.Blob_OpenACL.Sensitive", "StorageAccounts", "Collection", "High"),
]


def test_types_that_stand_on_a_line_of_their_own() -> None:
    """Microsoft's pages print these ids without parentheses, or since June 2026; they are known like any other."""
    for type, plan, tactic, severity in ON_A_LINE_OF_THEIR_OWN:
        known = CATALOGUE.find_type(type)
        assert known is not None, type
        assert (known.plan, known.tactics, known.severity) == (plan, (tactic,), severity)
        assert (known.deprecation, known.field_only) == (None, False)


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
        ("AI.Azure_PhishingContentInAIApplication", "2025-09", "AI.Azure_MaliciousUrl.UnknownSource"),
        ("AI.Azure_PhishingContentInUserPrompt", "2025-09", "AI.Azure_MaliciousUrl.UserPrompt"),
        ("AI.Azure_DataLeakInModelResponse.Sensitive", "2025-04-20", "AI.Azure_SensitiveDataAnomaly"),
        ("AI.Azure_SensitiveDataAnomaly", "2026-05-13", None),
        *((type, "2026-07-01", None) for type in AGENTIC),
        ("SIMULATED_AppServices_WpThemeInjection", "2025-12-11", None),
        ("appservices_phishingcontent", "2025-12-11", None),
        ("AzureDNS_ThreatIntelSuspectDomain", "2025-12-11", None),
        ("ARM_PowerZure.MaintainPersistence", "2025-06-01", None),
        ("Storage.Files_WidespreadeAm", "2025-09-18", None),
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
