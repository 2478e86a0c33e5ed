"""`coverage init`: a manifest to begin with, which passes its own check and judges every workload."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.commands.init import draft_manifest, machine_patterns
from router.coverage.documents import CoverageDocument
from router.coverage.expected.loading import CoverageFile, read_coverage
from router.coverage.gate import judge_documents
from router.coverage.verdicts import CoverageState
from router.domain.errors import BadUsage
from tests.cli.house import House
from tests.coverage.builders import (
    CLUSTER,
    NOW,
    SUBSCRIPTION,
    document,
    kubectl,
    managed_cluster,
    nodes,
    pricing,
    resource,
    sensor,
)
from tests.coverage.live_clusters import HEALTHY
from tests.coverage.manifests import cluster_id
from tests.coverage.test_kubeconfig import kubeconfig
from tests.examples import some_of
from tests.stack.kubernetes_api.kubectl import install

AT = ("--now", "2026-11-25T12:00:00Z")
HUB = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.EventHub/namespaces/ns/eventhubs/cwpp"


def drafted(*documents: object) -> str:
    """The draft of some documents."""
    draft = draft_manifest(_documents(documents), NOW)
    assert draft is not None
    return draft.text


def read(text: str) -> CoverageFile:
    """What `rules check` makes of a draft."""
    with TemporaryDirectory() as directory:
        (Path(directory) / "coverage.yaml").write_text(text, encoding="utf-8")
        return read_coverage(Path(directory), NOW)


def _documents(documents: Sequence[object]) -> list[CoverageDocument]:
    return [
        one if isinstance(one, CoverageDocument) else document(one, f"{number}.json")
        for number, one in enumerate(documents, 1)
    ]


def _storage_account(name: str) -> Mapping[str, object]:
    id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/{name}"
    return resource(id, "Microsoft.Storage/storageAccounts")


def test_plans_that_are_on_today_are_expected_and_the_others_are_said() -> None:
    """One that nobody can enable any more is expected of nobody."""
    text = drafted(
        [
            pricing("VirtualMachines", subPlan="P2"),
            pricing("Containers"),
            pricing("KeyVaults", subPlan="PerTransaction"),
            pricing("Api", "Free"),
            pricing("Dns", deprecated=True),
            pricing("Tomorrow"),
            pricing("FoundationalCspm"),
        ]
    )
    assert "    plans: {Containers: any, KeyVaults: any, VirtualMachines: P2}\n" in text
    assert "# off today: Api\n" in text
    assert "not known: Dns, Tomorrow\n" in text
    assert "\nposture: true" in text


def test_foundational_cspm_is_expected_only_where_every_subscription_has_it() -> None:
    """Of a subscription that says nothing of it, nobody knows."""
    other = "/subscriptions/22222222-2222-2222-2222-222222222222"
    assert "\n# posture: true" in drafted([pricing("FoundationalCspm"), pricing("Containers", scope=other)])


def test_each_cluster_is_named_by_its_id() -> None:
    """So that one that is missing is missed, whatever is called so elsewhere."""
    other = cluster_id("payments", "22222222-2222-2222-2222-222222222222")
    text = drafted(managed_cluster(), managed_cluster(other), managed_cluster(cluster_id("lending")))
    assert re.findall(r"name: (.+)  # (.+)", text) == [
        (f'"{cluster_id("lending")}"', "lending"),
        (f'"{CLUSTER}"', "payments"),
        (f'"{other}"', "payments"),
    ]


@pytest.mark.parametrize(
    ("names", "patterns"),
    [
        (["web-1", "web-2", "WEB-03", "db"], ["db*", "web-*"]),
        (["web-1", "1web"], ["*"]),
        (["\u0130x1"], ["\u0130x*"]),
        ([f"{chr(ord('a') + one % 26)}{chr(ord('a') + one // 26)}" for one in range(51)], ["*"]),
    ],
)
def test_machines_are_expected_by_what_stands_before_their_numbers(names: list[str], patterns: list[str]) -> None:
    """The next one of the same sort is expected, too, and one that is deleted is not missed."""
    assert machine_patterns(names) == patterns


def test_hubs_of_automations_stand_there_for_somebody_to_confirm() -> None:
    """A hub of somebody else looks the same."""
    automation = resource(
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Security/automations/export",
        "Microsoft.Security/automations",
        {
            "sources": [{"eventSource": "Alerts"}],
            "actions": [{"actionType": "EventHub", "eventHubResourceId": HUB}, {"actionType": "LogicApp"}],
        },
    )
    assert f'# export:\n#   alerts: "{HUB}"\n' in drafted(automation, managed_cluster())


def test_what_is_a_gap_waits_for_its_excuse() -> None:
    """With the # taken away and the three keys filled in, it is excused."""
    files = [document(kubectl(*sensor(ready=0), *nodes()), "dark.json", "dark")]
    text = drafted(*files)
    head, _, exceptions = text.partition("# exceptions:")
    filled = re.sub(r"^# ?", "", f"# exceptions:{exceptions}", flags=re.MULTILINE)
    for key, value in (("owner", "a@b.example"), ("reason", "rebuilt"), ("ends", "2027-01-31")):
        assert f" {key}:\n" in filled
        filled = filled.replace(f" {key}:\n", f" {key}: {value}\n")
    kept_notes = re.sub(r"^(\d|.*: not used).*$", "", filled, flags=re.MULTILINE)
    found = read(head + kept_notes)
    assert found.problems == ()
    assert found.manifest is not None
    states = {one.state for _, _, one in judge_documents(files, found.manifest, NOW).assessed.verdicts()}
    assert CoverageState.GAP not in states
    assert CoverageState.EXCUSED in states


def test_it_prints_the_draft_or_writes_it_where_no_file_is(house: House) -> None:
    """And what it wrote judges the same files."""
    house.writes("clusters.json", json.dumps([managed_cluster()]))
    printed = house.says("coverage", "init", *AT, "clusters.json")
    assert printed.code == 0
    said = house.says("coverage", "init", *AT, "clusters.json", "--out", "rules/coverage.yaml")
    assert said.code == 0
    assert said.out.startswith("rules/coverage.yaml: expects 1 workload")
    assert (house.directory / "rules/coverage.yaml").read_text() == printed.out
    assert house.says("coverage", "check", *AT, "clusters.json").out.startswith("1 workload of 1 file judged")
    again = house.says("coverage", "init", *AT, "clusters.json", "--out", "rules/coverage.yaml")
    assert again.code == 2
    assert "overwrites nothing" in again.err


def test_it_makes_the_directory_that_the_draft_is_to_stand_in(house: House) -> None:
    """As `init` does for rules; what cannot be made is named, and nothing is written over."""
    house.writes("clusters.json", json.dumps([managed_cluster()]))
    made = house.says("coverage", "init", *AT, "clusters.json", "--out", "new/rules/coverage.yaml")
    assert (made.code, made.err) == (0, "")
    assert (house.directory / "new/rules/coverage.yaml").read_text().startswith("# What Defender must watch")
    under_a_file = house.says("coverage", "init", *AT, "clusters.json", "--out", "clusters.json/rules/coverage.yaml")
    assert under_a_file.code == 2
    assert under_a_file.err.startswith("clusters.json/rules/coverage.yaml: cannot be written: ")


def test_no_draft_is_made_of_files_of_which_one_cannot_be_read(house: House) -> None:
    """What that one names would be missing from it, and nobody would miss it."""
    house.writes("clusters.json", json.dumps([managed_cluster()]))
    house.writes("broken.json", "{")
    said = house.says("coverage", "init", *AT, "clusters.json", "broken.json")
    assert (said.code, said.out) == (2, "")
    assert "broken.json" in said.err


def test_what_check_judges_is_drafted_from(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clusters that are asked, with or without files; one that does not answer is expected, and the draft says it."""
    install(house.directory / "bin", {"payments": HEALTHY})
    monkeypatch.setenv("PATH", f"{house.directory / 'bin'}{os.pathsep}{os.environ['PATH']}")
    some = [kubeconfig(), kubeconfig(user={"auth-provider": {"name": "azure"}}, name="gone")]
    merged = {part: [one for each in some for one in each[part]] for part in ("clusters", "users", "contexts")}
    house.writes("kubeconfig", json.dumps(merged))
    asked = ("--kubeconfig", "kubeconfig", "--context", "payments", "--context", "gone")
    said = house.says("coverage", "init", *AT, *asked)
    assert said.code == 0
    assert '"payments"' in said.out and '"gone"' in said.out
    assert "# context gone: API server: not answered in full, so something may be missing here: " in said.out
    assert said.err.startswith("1 answer was refused or cut: ")
    assert "or ask Azure with --live: there is nothing to judge" in house.says("coverage", "init", *AT).complaint


def test_of_files_that_name_no_workload_no_draft_is_made(house: House) -> None:
    """A manifest that expects nothing would pass everything."""
    house.writes("a.json", '{"hello": "world"}')
    said = house.says("coverage", "init", *AT, "a.json")
    assert (said.code, said.out) == (2, "")
    assert "no workload is named" in said.err


def test_coverage_check_says_what_is_wrong_with_a_manifest_and_judges_nothing(house: House) -> None:
    """Half of what is expected would pass the other half."""
    house.writes("clusters.json", json.dumps([managed_cluster()]))
    house.writes("rules/coverage.yaml", "expect: [{kind: clusters}]")
    said = house.says("coverage", "check", *AT, "clusters.json")
    assert (said.code, said.out) == (2, "")
    assert "rules/coverage.yaml:1: expect[0].kind" in said.err


@pytest.mark.parametrize(
    "name", ["a: b", "no", "*", "a # b", "'\"", "\u2028x", "\x85y", "\x00", "\ud800", "{a}", "123"]
)
def test_a_name_stands_in_quotes(name: str) -> None:
    """Names in documents are anybody's words: none ends its line, its comment or its quotes."""
    _passes_its_own_check([managed_cluster(cluster_id(name)), _storage_account(name)])


TEXTS = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=8)


@settings(max_examples=some_of(150), deadline=None)
@given(
    clusters=st.lists(TEXTS, max_size=3),
    others=st.lists(TEXTS, max_size=2),
    plans=st.lists(st.tuples(TEXTS, st.sampled_from(["Free", "Standard", "x"]), TEXTS), max_size=2),
    given_name=st.none() | TEXTS,
)
def test_a_draft_passes_its_own_check_and_judges_every_workload(
    clusters: list[str], others: list[str], plans: list[tuple[str, str, str]], given_name: str | None
) -> None:
    """Whatever the names are."""
    files: list[object] = [
        [managed_cluster(cluster_id(name)) for name in clusters],
        list(map(_storage_account, others)),
    ]
    files.append([pricing(name, tier, subPlan=sub_plan) for name, tier, sub_plan in plans])
    if given_name is not None and given_name.strip():
        files.append(document(kubectl(*sensor(ready=0), *nodes()), "dark.json", given_name.strip()))
    _passes_its_own_check(files)


def _passes_its_own_check(files: Sequence[object]) -> None:
    documents = _documents(files)
    try:
        draft = draft_manifest(documents, NOW)
    except BadUsage:  # a name before a file that means two clusters
        return
    if draft is None:
        return
    found = read(draft.text)
    assert [str(problem) for problem in found.problems if problem.level == "problem"] == []
    assert found.manifest is not None
    result = judge_documents(documents, found.manifest, NOW + timedelta(days=1))
    assert result.assessed.unlisted == ()
    assert result.assessed.unmatched == ()  # only kinds that were seen have patterns
    assert not any(one.reason == "no document names it" for _, _, one in result.assessed.verdicts())
    assert len(result.assessed.rows) == len(draft.result.assessed.rows)
