"""The app in Azure reads two hubs, whatever rules it was given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from router.app.rules import load_rules_of_hubs, new_intake, secret_names_of
from router.coverage.expected.manifest import NO_MANIFEST
from router.domain.decisions import Outcome
from router.domain.errors import BadPolicy
from router.domain.signals import Stream
from tests.builders import NOW, RULES, a_message, alert_body, finding_body
from tests.store.acts import run
from tests.store.opened import Store


def rules_without(directory: Path, stream: Stream) -> Path:
    """The starter's rules, but for those of a stream."""
    shutil.copytree(RULES, directory, ignore=shutil.ignore_patterns(stream.value))
    return directory


def test_posture_without_rules_is_recorded_and_told_to_nobody(tmp_path: Path, sqlite: Store) -> None:
    """Alerts go where their rules say, and findings end on record like any other message: none is lost or quarantined."""
    rules = load_rules_of_hubs(rules_without(tmp_path / "rules", Stream.CSPM), NOW)
    assert secret_names_of(rules.books.values()) == {"PAGERDUTY_ROUTING_KEY", "SERVICENOW_PASSWORD"}
    (alert,) = run(new_intake(sqlite, rules, Stream.CWPP).ingest([a_message(alert_body())], NOW))
    assert "oncall" in alert.destinations
    (finding,) = run(new_intake(sqlite, rules, Stream.CSPM).ingest([a_message(finding_body())], NOW))
    assert (finding.outcome, finding.destinations) == (Outcome.ROUTED, ())
    assert [str(one).partition("; ")[0] for one in rules.problems] == [
        f"{tmp_path.as_posix()}/rules/cspm: is missing, so posture is recorded and told to nobody"
    ]


def test_a_policy_that_is_missing_stops_the_app(tmp_path: Path) -> None:
    """Alerts that nobody is told of are never what was meant, and a folder for posture without its policy is a mistake: one
    line says which file is missing."""
    for stream in Stream:
        rules = rules_without(tmp_path / stream, stream)
        if stream is Stream.CSPM:
            (rules / "cspm").mkdir()
        with pytest.raises(BadPolicy, match=rf"^\S+/{stream}/policy\.yaml: is missing; add it$"):
            load_rules_of_hubs(rules, NOW)


def test_the_manifest_of_coverage_is_read_with_the_rules(tmp_path: Path) -> None:
    """One that has a problem stops nothing but itself; without a file nothing is expected."""
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules)
    assert load_rules_of_hubs(rules, NOW).manifest == NO_MANIFEST
    (rules / "coverage.yaml").write_text("heard_within: 9d\nexpect: [{kind: cluster, name: aks-a}]")
    loaded = load_rules_of_hubs(rules, NOW)
    assert loaded.manifest is not None
    assert [entry.heard_within.days for entry in loaded.manifest.expectations] == [9]
    assert loaded.problems == ()
    (rules / "coverage.yaml").write_text("heard_within: soon")
    broken = load_rules_of_hubs(rules, NOW)
    assert broken.manifest is None
    assert broken.books.keys() == set(Stream)
    assert [one.code for one in broken.problems] == ["invalid"]
