"""The promises of the gate as a whole, over documents of every kind."""

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from itertools import chain, combinations, groupby, product
from pathlib import Path
from typing import Any
from zlib import crc32

from hypothesis import example, given, settings
from hypothesis import strategies as st

import alert_router_demo as demo
from router.coverage.assess import Assessed
from router.coverage.documents import read_document
from router.coverage.expected.loading import read_coverage
from router.coverage.expected.manifest import DEFAULT_RUNGS, NO_MANIFEST, CoverageManifest, Expectation
from router.coverage.facts import CoverageCase, Facts
from router.coverage.gate import GateResult
from router.coverage.judges import judges
from router.coverage.report.findings import GateReport
from router.coverage.verdicts import CoverageRow, CoverageState, Verdict, Workload
from router.domain.coverage import Rung, WorkloadKind
from router.domain.errors import BadUsage
from tests.coverage import builders as az
from tests.coverage import document_sets as sets
from tests.coverage.builders import COVERED, GAP, NOW, SUBSCRIPTION, UNKNOWN, eks_cluster, excuses, expects, manifest_of
from tests.coverage.document_sets import EVERYTHING, FULL_CONNECTOR, MANIFESTS, NamedDocument, document_sets
from tests.examples import some_of

AWS, GCP = WorkloadKind.AWS_ACCOUNT, WorkloadKind.GCP_PROJECT

STORY = Path(demo.__file__).parent / "samples" / "coverage"

type Key = tuple[WorkloadKind, str, Rung]

_NAMED = (WorkloadKind.CLUSTER, WorkloadKind.MACHINE)
"""What is known by its name, since documents from within it give it no other."""


def gate(documents: Iterable[NamedDocument], manifest: CoverageManifest) -> GateResult:
    """What comes of documents, each in a file that is called by what it holds."""
    files = [az.document(value, f"{crc32(str(value).encode())}.json", given) for given, value in documents]
    return az.judged(*files, manifest=manifest)


def states(result: GateResult) -> dict[Key, CoverageState]:
    """What is known of each workload on each rung."""
    return {
        (one.kind, one.name if one.kind in _NAMED else one.subject, rung): found.state
        for one, rung, found in result.assessed.verdicts()
    }


def exit_code_for(result: GateResult) -> int:
    """How a check of those documents ends."""
    return GateReport(result, (), allows_unknown=False, manifest=None).exit_code


@given(document_sets(), st.sampled_from(MANIFESTS))
@settings(max_examples=some_of(250))
def test_to_take_a_document_away_covers_nothing(documents: list[NamedDocument], manifest: CoverageManifest) -> None:
    """Whatever it is: what was not asked is unknown. The sets hold no two documents that contradict each other."""
    before = states(gate(documents, manifest))
    for number in range(len(documents)):
        less = [*documents[:number], *documents[number + 1 :]]
        for key, state in states(gate(less, manifest)).items():
            assert state is not COVERED or before.get(key) is COVERED, (key, documents[number])


@given(document_sets(), st.sampled_from(MANIFESTS), st.sampled_from(sets.NOTHING_JUDGED), st.integers(0, 9))
@settings(max_examples=some_of(200))
def test_an_unrelated_document_changes_nothing(
    documents: list[NamedDocument], manifest: CoverageManifest, other: object, where: int
) -> None:
    """Neither a verdict, with its reason and its remedy, nor the exit code; wherever it stands."""
    more = gate([*documents[:where], (None, other), *documents[where:]], manifest)
    without = gate(documents, manifest)
    assert said(more) == said(without)
    assert exit_code_for(more) == exit_code_for(without)


@given(document_sets(), st.sampled_from(MANIFESTS), st.data())
@settings(max_examples=some_of(100))
def test_what_is_of_others_changes_nothing(
    documents: list[NamedDocument], manifest: CoverageManifest, data: st.DataObject
) -> None:
    """Another workload is judged beside. A plan that is off is a gap once a resource is known that needs it."""
    before = states(gate(documents, manifest))
    other = data.draw(st.sampled_from(sets.OTHER_WORKLOADS))
    after = states(gate([*documents, (None, other)], manifest))
    changed = {key: (before[key], after[key]) for key in before if after[key] is not before[key]}
    assert all(kind is WorkloadKind.SUBSCRIPTION and found == (UNKNOWN, GAP) for (kind, *_), found in changed.items())
    other = data.draw(st.sampled_from(sets.OTHERS_OF_THE_CLUSTER))
    after = states(gate([*documents, ("payments", other)], manifest))
    assert {key: after[key] for key in before} == before


STRANGER = "99999999-9999-9999-9999-999999999999"
BARE_NAMES = manifest_of(
    expects("payments", "edge", rungs=None),
    expects("web-1", kinds=[WorkloadKind.MACHINE], rungs=None),
    expects(kinds=(), rungs=None),
    excused=[excuses("payments", kinds=[WorkloadKind.CLUSTER]), excuses("web-1", kinds=[WorkloadKind.MACHINE])],
)


SERVERS_AND_CONTAINERS = az.connector(az.offering("DefenderForServersAws"), az.offering("DefenderForContainersAws"))


@given(document_sets(), document_sets(), st.sampled_from([*MANIFESTS, BARE_NAMES]), st.booleans())
@example([(None, eks_cluster())], [(None, FULL_CONNECTOR)], MANIFESTS[0], False)  # it alone connects my cluster
@example([(None, eks_cluster()), (None, sets.SILENT_CONNECTOR)], [(None, FULL_CONNECTOR)], MANIFESTS[0], False)
@example([(None, eks_cluster()), (None, SERVERS_AND_CONTAINERS)], [(None, FULL_CONNECTOR)], MANIFESTS[2], False)
@settings(max_examples=some_of(150))
def test_what_a_stranger_writes_in_another_subscription_covers_and_excuses_nothing_of_mine(
    mine: list[NamedDocument], theirs: list[NamedDocument], manifest: CoverageManifest, names_mine: bool
) -> None:
    """Whatever it is called, and whatever it names inside: its ids are of another subscription."""
    before = _by_id(gate(mine, manifest))
    try:
        after = _by_id(gate([*mine, *_of_a_stranger(theirs, names_mine)], manifest))
    except BadUsage:  # a name before a file means two, and nothing is judged
        return
    for key, state in after.items():
        # Only its connector says whose an account or a project is, with the clusters in it, which are in no subscription.
        cloud = _CLOUDS.get(re.split("[:/]", key[1])[0], key[0])
        is_mine = STRANGER not in key[1] and (cloud not in _CLOUDS.values() or cloud in {kind for kind, *_ in before})
        # What only a stranger names may be excused by my own manifest.
        if is_mine and (state is COVERED or (state is CoverageState.EXCUSED and key in before)):
            assert before.get(key) is state, key


_CLOUDS = {"arn": AWS, "container.googleapis.com": GCP}
"""What a cluster is in that is called so; the documents have one account and one project."""


def _by_id(result: GateResult) -> dict[Key, CoverageState]:
    return {(one.kind, one.subject, rung): found.state for one, rung, found in result.assessed.verdicts()}


def _of_a_stranger(documents: list[NamedDocument], names_mine: bool) -> list[NamedDocument]:
    """The same documents of another subscription, in which nobody asked the machines and clusters themselves."""
    own = rf'("id": "[^"]*){SUBSCRIPTION}' if names_mine else SUBSCRIPTION
    new = rf"\g<1>{STRANGER}" if names_mine else STRANGER
    some = (json.dumps(value) for given, value in documents if given is None)
    return [(None, json.loads(re.sub(own, new, text))) for text in some if not _OWN.search(text)]


_OWN = re.compile(r'"(alertRouter|apiVersion|computerDnsName|AzureResourceId|cluster|selfLink)"')
"""What the router itself, a cluster, its own cloud, Defender for Endpoint or Log Analytics says."""


WITHOUT_REMEDY = {
    # A plan of a connector is turned on in the portal, which makes its role, too.
    *((kind, rung) for kind in (AWS, GCP) for rung in (Rung.PLAN, Rung.INTEGRATION)),
    # A plan that is on, and at none of the resources, is mended at each of them.
    (WorkloadKind.SUBSCRIPTION, Rung.PLAN),
    # A server cannot be switched off by itself, though an answer says that none is on.
    (WorkloadKind.SQL_SERVER, Rung.PLAN),
    # The plan of a cluster of EKS or GKE is that of its connector.
    (WorkloadKind.CLUSTER, Rung.PLAN),
    # Who mends a gate that is there is who put it there, and how is not seen.
    *((WorkloadKind.CLUSTER, rung) for rung in (Rung.ADMISSION_AUDITS, Rung.ADMISSION_DENIES)),
}
"""The gaps that no one command mends, and why."""

PROGRAMS = [
    "alert-router",
    "aws",
    "az",
    "azcmagent",
    "azd",
    "curl",
    "kubectl",
    "mdatp",
    "powershell.exe",
    "sc.exe",
    "systemctl",
]
QUESTIONS = re.compile(r"az (graph query|resource show|rest --method get)|mdatp health")
"""What asks, and mends nothing."""


@given(document_sets(), st.sampled_from(MANIFESTS))
@settings(max_examples=some_of(100))
def test_a_verdict_says_what_it_rests_on_and_what_to_do(
    documents: list[NamedDocument], manifest: CoverageManifest
) -> None:
    """What is proved has evidence, what is unknown the command that answers it, and a gap the one that mends it."""
    for workload, rung, found in gate(documents, manifest).assessed.verdicts():
        if found.state in (COVERED, GAP):
            assert found.evidence, (workload, rung, found.reason)
        if found.remedy is None:
            is_excepted = found.state is GAP and (workload.kind, rung) in WITHOUT_REMEDY
            assert is_excepted or found.state not in (GAP, UNKNOWN), (workload, rung, found.reason)
        else:
            assert found.state is not COVERED
            assert shlex.split(found.remedy)[0] in PROGRAMS
            machines = (WorkloadKind.MACHINE, WorkloadKind.SQL_ON_MACHINE)
            is_mended_alone = found.state is GAP and workload.kind in machines
            assert not (is_mended_alone and QUESTIONS.match(found.remedy)), (workload, rung, found.reason, found.remedy)


def said(result: GateResult) -> list[tuple[Workload, Rung, CoverageState, str, str | None]]:
    """Every verdict without the names of the documents that it rests on."""
    return [(one, rung, v.state, v.reason, v.remedy) for one, rung, v in result.assessed.verdicts()]


@given(document_sets(), st.sampled_from(MANIFESTS), st.data())
@settings(max_examples=some_of(150))
def test_order_and_files_change_nothing(
    documents: list[NamedDocument], manifest: CoverageManifest, data: st.DataObject
) -> None:
    """In any order, and several answers in one array. Alone in an array an object would claim to be all there is."""
    pages = [(name, value if _is_answer(value) else _page([value])) for name, value in documents]
    apart = gate(pages, manifest)
    shuffled = data.draw(st.permutations(pages))
    joined = [
        (name, [value for _, value in some])
        for (name, _), some in groupby(shuffled, key=lambda one: (one[0], data.draw(st.integers(0, 1))))
    ]
    single = [(name, _page([one])) for name, one in documents if not _is_answer(one)]
    together = [
        (name, _page([one for _, one in some]))
        for name, some in groupby(sorted(single, key=str), key=lambda one: one[0])
    ]
    assert states(gate(joined, manifest)) == states(apart)
    assert exit_code_for(gate(joined, manifest)) == exit_code_for(apart)
    assert states(gate(together, manifest)) == states(gate(single, manifest))


def _is_answer(value: Any) -> bool:
    """Whether a document is a list, which says itself whether it is whole."""
    return isinstance(value, list) or isinstance(value.get("value"), list) or value.get("kind") == "List"


def _page(some: list[Any]) -> Any:
    """Some of a longer list, so that nothing claims to be all there is."""
    if all("apiVersion" in one for one in some):
        return {"apiVersion": "v1", "kind": "List", "metadata": {"continue": "more"}, "items": some}
    return {"value": some, "nextLink": "more"}


def test_the_exit_code_follows_the_states_exactly() -> None:
    """Of every set of states, in every order of two workloads: 1 for any gap, else 2 for what nobody knows, else 0."""
    everything = list(CoverageState)
    every = list(chain.from_iterable(combinations(everything, many) for many in range(len(everything) + 1)))
    for some, refused, allows_unknown, is_cut in product(
        every, ((), ("bad.json: is no JSON",)), (False, True), (False, True)
    ):
        if GAP in some:
            expected = 1
        elif refused or not some or ((UNKNOWN in some or is_cut) and not allows_unknown):
            expected = 2
        else:
            expected = 0
        for is_together, order in product((True, False), (some, some[::-1])):
            result = _result_of(order, is_together, is_cut)
            assert GateReport(result, refused, allows_unknown, None).exit_code == expected, some


def _result_of(some: Sequence[CoverageState], is_together: bool, is_cut: bool) -> GateResult:
    """A result with these states, of one workload or of one each, beside an answer that was cut or whole."""
    verdicts = {rung: Verdict(state=state, reason="so") for rung, state in zip(Rung, some, strict=False)}
    each = [verdicts] if is_together else [{rung: one} for rung, one in verdicts.items()]
    names = [f"web-{number}" for number in range(len(each))]
    workloads = [Workload(kind=WorkloadKind.MACHINE, name=name, subject=name) for name in names]
    rows = (CoverageRow(workload=one, verdicts=of_one) for one, of_one in zip(workloads, each, strict=True))
    cut = (("1.json", "was cut"),) if is_cut else ()
    return GateResult(assessed=Assessed(rows=tuple(rows)), used=(), unused=(), unanswered=cut)


def test_the_bundled_story_has_one_gap_and_ends_well() -> None:
    """Every toggle is green, and one cluster is dark, by a label of Pod Security; mended it is covered on every rung. Each
    document was needed: without it less is covered. The manifest misses the cluster that no document names."""
    of_azure = ["pricings.json", "settings.json", "clusters.json", "aks-cards=cards.json", "aks-ledger=ledger.json"]
    for last, gaps in (("payouts", {("aks-payouts", Rung.SENSOR_RUNNING)}), ("mended", set())):
        files = [one.rpartition("=") for one in (*of_azure, f"aks-payouts={last}.json")]
        read = [read_document((STORY / name).read_bytes(), name, given or None) for given, _, name in files]
        found = {(one.name, rung): known for one, rung, known in az.judged(*read).assessed.verdicts()}
        assert {key for key, one in found.items() if one.state is not COVERED} == gaps
        assert {rung for name, rung in found if name == "aks-payouts"} == DEFAULT_RUNGS
        for one in map(found.__getitem__, gaps):
            assert (one.state, "Pod Security" in one.reason) == (GAP, True)
            label = "pod-security.kubernetes.io/enforce=privileged"
            assert one.remedy == f"kubectl label namespace kube-system {label} --overwrite --context aks-payouts"
        whole = {key for key, one in found.items() if one.state is COVERED}
        for left_out in read:
            less = az.judged(*(one for one in read if one is not left_out)).assessed.verdicts()
            lit = {(one.name, rung) for one, rung, known in less if known.state is COVERED}
            assert lit < whole or (left_out.name == "settings.json" and lit == whole), (
                "settings speak of machines alone"
            )
    manifest = read_coverage(STORY / "expected", NOW).manifest
    assert manifest is not None
    dark = az.verdict(az.judged(read[0], *read[3:5], manifest=manifest), "aks-payouts", Rung.SENSOR_RUNNING)
    assert (dark.state, dark.reason) == (UNKNOWN, "no document names it")


def test_every_rung_of_every_kind_is_judged_and_covered_by_some_documents() -> None:
    """So that the promises are about something. One that a manifest names is unknown where nothing speaks of it."""
    for (kind, rung), judge in judges().items():
        workload = Workload(kind=kind, name="one", id="/one", subscription=SUBSCRIPTION, subject="/one")
        expectation = Expectation(rungs=frozenset({rung}), number=1)
        bare = {"manifest": NO_MANIFEST, "facts": Facts.of([]), "now": NOW}
        found = judge(CoverageCase(workload=workload, expectation=expectation, **bare))  # type: ignore[arg-type]
        has_none = rung in DEFAULT_RUNGS and found is None  # as a storage account without extensions has no integration
        assert has_none or (found is not None and found.state is UNKNOWN), (kind, rung)
    result = gate(EVERYTHING, MANIFESTS[1])
    covered = {(kind, rung) for (kind, _, rung), state in states(result).items() if state is COVERED}
    # Alerts are about what is in an account or a project, and do not name it.
    assert set(judges()) - covered == {(kind, Rung.DETECTION) for kind in (AWS, GCP)}, states(result)
