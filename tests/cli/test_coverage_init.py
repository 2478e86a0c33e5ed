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
from tests.cli.transcripts import Transcript
from tests.coverage.builders import (
    NOW,
    SUBSCRIPTION,
    cluster_id,
    document,
    kubectl,
    managed_cluster,
    nodes,
    pricing,
    resource,
    sensor,
)
from tests.coverage.live_clusters import HEALTHY
from tests.coverage.test_kubectl import kubeconfig
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


def test_what_is_there_today_is_expected_and_the_others_are_said(transcript: Transcript) -> None:
    """A plan that no subscription can enable any more is expected of none; posture only where every subscription has it.

    Each cluster is named by its id, so that one that is missing is missed, whatever is called so elsewhere. Hubs of
    automations stand there for somebody to confirm: a hub of somebody else looks the same.
    """
    on = [
        pricing("VirtualMachines", subPlan="P2"),
        pricing("Containers"),
        pricing("KeyVaults", subPlan="PerTransaction"),
    ]
    others = [pricing("Api", "Free"), pricing("Dns", deprecated=True), pricing("Tomorrow"), pricing("FoundationalCspm")]
    other = "22222222-2222-2222-2222-222222222222"
    clusters = [
        managed_cluster(),
        managed_cluster(cluster_id("payments", other)),
        managed_cluster(cluster_id("lending")),
    ]
    automation = resource(
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Security/automations/export",
        "Microsoft.Security/automations",
        {
            "sources": [{"eventSource": "Alerts"}],
            "actions": [{"actionType": "EventHub", "eventHubResourceId": HUB}, {"actionType": "LogicApp"}],
        },
    )
    transcript.notes("plans", drafted([*on, *others]))
    transcript.notes(
        "posture", drafted([pricing("FoundationalCspm"), pricing("Containers", scope=f"/subscriptions/{other}")])
    )
    transcript.notes("clusters and hubs", drafted(*clusters, automation))


def test_machines_are_expected_by_what_stands_before_their_numbers() -> None:
    """The next one of the same sort is expected, too, and one that is deleted is not missed."""
    many = [f"{chr(ord('a') + one % 26)}{chr(ord('a') + one // 26)}" for one in range(51)]
    for names, patterns in (
        (["web-1", "web-2", "WEB-03", "db"], ["db*", "web-*"]),
        (["web-1", "1web"], ["*"]),
        (["\u0130x1"], ["\u0130x*"]),
        (many, ["*"]),
    ):
        assert machine_patterns(names) == patterns


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


def test_it_prints_the_draft_or_writes_it_where_no_file_is(house: House, transcript: Transcript) -> None:
    """And what it wrote judges the same files; a directory is made for it, and nothing is written over.

    None is made of files of which one cannot be read, or none names a workload: what they name would be missed by no check.
    """
    init = f"coverage init {' '.join(AT)}"
    house.writes("clusters.json", json.dumps([managed_cluster()]))
    printed = transcript(f"{init} clusters.json")
    for name in ("rules/coverage.yaml", "new/rules/coverage.yaml"):
        assert transcript(f"{init} clusters.json --out {name}").code == 0
        assert (house.directory / name).read_text() == printed.out
    assert house.says("coverage", "check", *AT, "clusters.json").out.startswith("1 workload of 1 file judged")
    transcript(
        *(f"{init} clusters.json --out {name}" for name in ("rules/coverage.yaml", "clusters.json/x/coverage.yaml"))
    )
    house.writes("rules/coverage.yaml", "expect: [{kind: clusters}]")
    transcript(f"coverage check {' '.join(AT)} clusters.json")
    house.writes("broken.json", "{")
    house.writes("a.json", '{"hello": "world"}')
    for files in ("clusters.json broken.json", "a.json"):
        said = transcript(f"{init} {files}")
        assert (said.code, said.out) == (2, "")


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


def test_a_name_stands_in_quotes() -> None:
    """Names in documents are anybody's words: none ends its line, its comment or its quotes."""
    for name in ("a: b", "no", "*", "a # b", "'\"", "\u2028x", "\x85y", "\x00", "\ud800", "{a}", "123"):
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
