"""`coverage check --live`, over real sockets, and `coverage init`: a manifest to begin with, which judges every workload."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
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
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.documents import DocumentKind
from router.domain.errors import BadUsage
from router.store.documents import TagsById, find_document, find_tags_in
from tests.cli.house import House, Said, Transcript
from tests.coverage import builders as az
from tests.coverage.builders import kubectl, managed_cluster, nodes, pricing, sensor
from tests.coverage.live_clusters import DARK, HEALTHY
from tests.coverage.test_kubectl import kubeconfig
from tests.examples import some_of
from tests.stack.azure_management.estate import HUB, Estate, healthy_estate, subscription_id
from tests.stack.azure_management.management import FAULTS, AzureManagement, serving
from tests.stack.kubernetes_api.kubectl import install
from tests.store.opened import Store
from tests.store.within import within
from tests.warm import started

AT = ("--now", "2026-11-26T12:00:00Z")
FIRST, SECOND = subscription_id(0), subscription_id(1)
MANIFEST = f"""
expect:
  - kind: subscription
    name: [{FIRST}, {SECOND}]
  - kind: machine
    name: web-*
export: {{alerts: {HUB}}}
"""

type Serves = Callable[[AzureManagement], AzureManagement]


@pytest.fixture
def serves(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serves]:
    """Has a double answer as Azure Resource Manager, and as Log Analytics, in a house that expects two subscriptions."""
    house.writes("rules/coverage.yaml", MANIFEST)
    with ExitStack() as stack:

        def serve(azure: AzureManagement) -> AzureManagement:
            monkeypatch.setenv("ALERT_ROUTER_RESOURCE_MANAGER", stack.enter_context(serving(azure)))
            return azure

        yield serve


def check(house: House, *arguments: str) -> Said:
    """What the gate says."""
    return house.says("coverage", "check", "--live", *AT, *arguments)


def without_clusters(estate: Estate) -> AzureManagement:
    """Azure with an estate without clusters, which have an API of their own."""
    estate.graph["resources"] = [row for row in estate.graph["resources"] if "managedclusters" not in row["type"]]
    return AzureManagement(estate, page=7)


def without_tags(request: HttpRequest, answer: HttpAnswer) -> HttpAnswer:
    """A fault that refuses what is asked of tags alone."""
    return FAULTS["403"](request, answer) if b"union" in request.body else answer


def test_a_healthy_estate_passes_and_a_gap_is_1(house: House, serves: Serves) -> None:
    """Without any file; a page is made of the same."""
    estate = healthy_estate(2)
    azure = serves(without_clusters(estate))
    said = check(house)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("4 workloads of what Azure answered judged: 4 are covered\n")
    assert {one.headers["authorization"] for one in azure.asked} == {"Bearer loopback"}
    assert house.says("coverage", "report", "--live", *AT, "--out", "page.html").code == 0
    page = (house.directory / "page.html").read_text()
    assert "contoso-1" in page and ">just now</time>" in page and "no time said" not in page
    estate.set_plan(SECOND, "VirtualMachines", pricingTier="Free")
    for form in ("json", "github"):
        said = check(house, "--format", form)
        assert said.code == 1
        assert "VirtualMachines is Free" in said.out


def test_one_subscription_alone_can_be_asked_and_files_are_judged_beside(house: House, serves: Serves) -> None:
    """In any spelling of its id; Azure says which cluster there is, and kubectl how it is."""
    azure = serves(without_clusters(healthy_estate(2)))
    house.writes("rules/coverage.yaml", f"expect: [{{kind: subscription}}]\nexport: {{alerts: {HUB}}}")
    assert check(house, "--subscription", f"/subscriptions/{FIRST.upper()}").code == 0
    assert not [one for one in azure.asked if SECOND in one.url or SECOND.encode() in one.body]
    house.writes("payouts.json", json.dumps(kubectl(*sensor(), *nodes())))
    house.writes("rules/coverage.yaml", "expect: [{kind: cluster, rungs: [plan, integration, sensor-running]}]")
    serves(AzureManagement(healthy_estate()))
    assert check(house).code == 2
    said = check(house, "aks-payouts=payouts.json")
    assert said.code == 0
    assert said.out.startswith("1 workload of 1 file and what Azure answered judged: 1 is covered\n")


def test_whoever_watches_sees_how_far_it_is(house: House, serves: Serves) -> None:
    """On a terminal, where the bar is gone at the end; nobody else sees it."""
    serves(without_clusters(healthy_estate(2)))
    main, terminal = pty.openpty()
    asking = started(
        *("router", "coverage", "check", "--live", *AT),
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        cwd=house.directory,
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    out, _ = asking.communicate()
    os.close(terminal)
    with os.fdopen(main, "rb", buffering=0) as watched:
        assert b"asking Azure" in watched.read(65536)
    assert asking.wait() == 0
    assert out.startswith("4 workloads of what Azure answered judged")
    assert "asking Azure" not in out


def test_a_fault_of_every_answer_is_no_pass_and_no_traceback(
    house: House, serves: Serves, subtests: pytest.Subtests
) -> None:
    """The whole thread, with the real client: the gate ends with 2, and says what was not answered."""
    azure = serves(without_clusters(healthy_estate(2)))
    for fault in ("silent", "500", "redirect", "garbage", "cut"):
        with subtests.test(fault):
            azure.fault = FAULTS[fault]
            said = check(house, "--timeout", "0.9")
            assert (said.code, said.err) == (2, "")
            assert "not answered in full" in said.out


def test_what_is_refused_says_which_role_is_missing(house: House, serves: Serves) -> None:
    """In one subscription; the other one is judged all the same."""
    estate = healthy_estate(2)
    estate.hidden.add(SECOND)
    serves(without_clusters(estate))
    said = check(house)
    assert said.code == 2
    assert f"subscription {SECOND}: not answered in full" in said.out
    assert "the role Reader is missing there" in said.out
    assert "the role Security Reader is missing" in said.out
    assert "1 is unknown, 2 are covered" in said.out
    assert "answers were not given in full" in said.out.splitlines()[0]


def test_what_cannot_be_asked_is_one_line(
    house: House, transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is asked; who is not signed in is told so."""
    transcript(f"coverage check --subscription {FIRST}", "coverage check --keep-tags x.json", "coverage check")
    for option in ("--subscription contoso", "--workspace /subscriptions/x", "--timeout 0"):
        transcript(f"coverage check --live {option}")
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    complaint = house.says("coverage", "check", "--live", *AT).complaint
    assert complaint.startswith("--live: nobody is signed in to Azure (")
    assert complaint.endswith("); sign in with `az login`, or give this job an identity")


def test_tags_are_kept_as_owners_read_them(house: House, serves: Serves) -> None:
    """Those of resources and of subscriptions, of everything that was asked; what is not whole leaves the file as it is."""
    azure = serves(without_clusters(healthy_estate(2)))
    assert check(house, "--keep-tags", "tags.json").code == 0
    kept = (house.directory / "tags.json").read_text()
    rows = json.loads(kept)["data"]
    assert {"id": f"/subscriptions/{FIRST}", "tags": {"owner": "platform"}} in rows
    assert len(rows) == 2 * (1 + 4)
    assert all(row["tags"] for row in rows)
    assert [one.name for one in house.directory.iterdir() if one.name.startswith(".tags")] == []
    azure.fault = without_tags
    said = check(house, "--keep-tags", "tags.json")
    assert said.code == 2
    assert "is not written, as not every tag was answered" in said.err
    assert "Resource Graph: tags: not answered in full" in said.out
    assert (house.directory / "tags.json").read_text() == kept


def test_tags_are_kept_in_a_state(house: House, serves: Serves) -> None:
    """Where one is named; what was not answered stays as it was."""

    async def read(store: Store) -> TagsById:
        document = await within(store, find_document, DocumentKind.TAGS, FIRST)
        return (find_tags_in(document) if document is not None else None) or {}

    azure = without_clusters(healthy_estate(2))
    assert house.in_state(read) == {}
    serves(azure)
    assert check(house, "--state", ".state").code == 0
    before = house.in_state(read)
    assert before[f"/subscriptions/{FIRST}"].tags == {"owner": "platform"}
    azure.fault = without_tags
    said = check(house, "--state", ".state")
    assert (said.code, house.in_state(read)) == (0, before)
    assert said.err == "tags: not every one was answered; the state keeps what it had of the others\n"


def test_nothing_is_asked_where_the_end_is_known(house: House, serves: Serves, transcript: Transcript) -> None:
    """The name of a context or a state is wrong, or a file that cannot be written: who waited would be told in the end."""
    house.writes("kubeconfig", "contexts: []")
    azure = serves(without_clusters(healthy_estate()))
    for option in ("--kubeconfig kubeconfig --context x", "--keep-tags no/tags.json", "--state none"):
        transcript(f"coverage check --live {option}")
    transcript("coverage report --live --out no/page.html")
    assert azure.asked == []


@pytest.fixture
def asking(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house with a kubeconfig of both, and of one that is not to be asked, and what Azure says of one of them."""
    install(house.directory / "bin", {"payments": HEALTHY, "aks-ledger": DARK})
    monkeypatch.setenv("PATH", f"{house.directory / 'bin'}{os.pathsep}{os.environ['PATH']}")
    house.writes("clusters.json", json.dumps(managed_cluster()))
    gone = kubeconfig(user={"auth-provider": {"name": "azure"}}, name="gone")
    some = [kubeconfig(), kubeconfig(name="aks-ledger"), gone]
    merged = {part: [one for each in some for one in each[part]] for part in ("clusters", "users", "contexts")}
    house.writes("kubeconfig", json.dumps(merged))
    return house


CHECK = "coverage check --now 2026-11-25T12:00:00Z --kubeconfig kubeconfig"


def test_clusters_are_asked_beside_files_or_alone(asking: House, transcript: Transcript) -> None:
    """Each counts as the cluster that its context is called as, or as the name before it; none that was not named is asked."""
    asking.says(*CHECK.split()[:4], "clusters.json")
    assert not (asking.directory / "bin" / "log").exists()
    transcript(f"{CHECK} --context payments --context ledger=aks-ledger clusters.json", f"{CHECK} --context '*a*'")
    assert transcript(f"{CHECK} --context aks-ledger").code == 1
    assert asking.says(*f"coverage report {CHECK[15:]} --context aks-ledger --out page.html".split()).code == 0
    assert "baseline" in (asking.directory / "page.html").read_text()


def test_what_cannot_be_asked_is_unknown(
    asking: House, transcript: Transcript, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with 2, is named, and keeps none of the others from being judged; nor does a time that is over.

    What was called wrongly is said in one line, before anything is asked.
    """
    assert transcript(f"{CHECK} --context gone --context payments clusters.json").code == 2
    install(asking.directory / "bin", {}, "exec sleep 60")
    said = asking.says(*CHECK.split(), "--context", "aks-ledger", "--timeout", "1", "--format", "json")
    (one,) = json.loads(said.out)["workloads"]
    assert one["rungs"]["sensor-running"]["state"] == "unknown"
    monkeypatch.setenv("PATH", str(asking.directory))
    assert transcript(f"{CHECK} --context payments", f"{CHECK} --context payments clusters.json").code == 2
    transcript("coverage check", CHECK, f"{CHECK} --context aks-z")
    transcript("coverage check --timeout 9 clusters.json", "coverage check --kubeconfig none --context x")


A_HUB = f"/subscriptions/{az.SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.EventHub/namespaces/ns/eventhubs/cwpp"


def drafted(*documents: object) -> str:
    """The draft of some documents."""
    draft = draft_manifest(_documents(documents), az.NOW)
    assert draft is not None
    return draft.text


def read(text: str) -> CoverageFile:
    """What `rules check` makes of a draft."""
    with TemporaryDirectory() as directory:
        (Path(directory) / "coverage.yaml").write_text(text, encoding="utf-8")
        return read_coverage(Path(directory), az.NOW)


def _documents(documents: Sequence[object]) -> list[CoverageDocument]:
    return [
        one if isinstance(one, CoverageDocument) else az.document(one, f"{number}.json")
        for number, one in enumerate(documents, 1)
    ]


def _storage_account(name: str) -> Mapping[str, object]:
    id = f"/subscriptions/{az.SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/{name}"
    return az.resource(id, "Microsoft.Storage/storageAccounts")


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
    others_clusters = (az.cluster_id("payments", other), az.cluster_id("lending"))
    clusters = [managed_cluster(), *map(managed_cluster, others_clusters)]
    automation = az.resource(
        f"/subscriptions/{az.SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Security/automations/export",
        "Microsoft.Security/automations",
        {
            "sources": [{"eventSource": "Alerts"}],
            "actions": [{"actionType": "EventHub", "eventHubResourceId": A_HUB}, {"actionType": "LogicApp"}],
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
    files = [az.document(kubectl(*sensor(ready=0), *nodes()), "dark.json", "dark")]
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
    states = {one.state for _, _, one in judge_documents(files, found.manifest, az.NOW).assessed.verdicts()}
    assert CoverageState.GAP not in states
    assert CoverageState.EXCUSED in states


def test_it_prints_the_draft_or_writes_it_where_no_file_is(house: House, transcript: Transcript) -> None:
    """And what it wrote judges the same files; a directory is made for it, and nothing is written over.

    None is made of files of which one cannot be read, or none names a workload: what they name would be missed by no check.
    """
    init = "coverage init --now 2026-11-25T12:00:00Z"
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
    transcript("coverage check --now 2026-11-25T12:00:00Z clusters.json")
    house.writes("broken.json", "{")
    house.writes("a.json", '{"hello": "world"}')
    for files in ("clusters.json broken.json", "a.json"):
        said = transcript(f"{init} {files}")
        assert (said.code, said.out) == (2, "")


def test_what_check_judges_is_drafted_from(asking: House) -> None:
    """Clusters that are asked, with or without files; one that does not answer is expected, and the draft says it."""
    said = asking.says(*CHECK.replace("check", "init", 1).split(), "--context", "payments", "--context", "gone")
    assert said.code == 0
    assert '"payments"' in said.out and '"gone"' in said.out
    assert "# context gone: API server: not answered in full, so something may be missing here: " in said.out
    assert said.err.startswith("1 answer was refused or cut: ")
    assert "or ask Azure with --live: there is nothing to judge" in asking.says("coverage", "init").complaint


def test_a_name_stands_in_quotes() -> None:
    """Names in documents are anybody's words: none ends its line, its comment or its quotes."""
    for name in ("a: b", "no", "*", "a # b", "'\"", "\u2028x", "\x85y", "\x00", "\ud800", "{a}", "123"):
        _passes_its_own_check([managed_cluster(az.cluster_id(name)), _storage_account(name)])


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
        [managed_cluster(az.cluster_id(name)) for name in clusters],
        list(map(_storage_account, others)),
    ]
    files.append([pricing(name, tier, subPlan=sub_plan) for name, tier, sub_plan in plans])
    if given_name is not None and given_name.strip():
        files.append(az.document(kubectl(*sensor(ready=0), *nodes()), "dark.json", given_name.strip()))
    _passes_its_own_check(files)


def _passes_its_own_check(files: Sequence[object]) -> None:
    documents = _documents(files)
    try:
        draft = draft_manifest(documents, az.NOW)
    except BadUsage:  # a name before a file that means two clusters
        return
    if draft is None:
        return
    found = read(draft.text)
    assert [str(problem) for problem in found.problems if problem.level == "problem"] == []
    assert found.manifest is not None
    result = judge_documents(documents, found.manifest, az.NOW + timedelta(days=1))
    assert result.assessed.unlisted == ()
    assert result.assessed.unmatched == ()  # only kinds that were seen have patterns
    assert not any(one.reason == "no document names it" for _, _, one in result.assessed.verdicts())
    assert len(result.assessed.rows) == len(draft.result.assessed.rows)
