"""A cluster that is asked is judged as one of which files were given, and whatever is not answered is unknown."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.verdicts import CoverageState
from router.domain.coverage import Rung
from tests.coverage import admission_builders as adm
from tests.coverage import live_clusters as live
from tests.coverage.admission_builders import a_constraint, whole_gatekeeper, whole_image_gate
from tests.coverage.builders import Json
from tests.coverage.document_sets import GATES, answers
from tests.coverage.live_clusters import DARK, HEALTHY, Answer, asked, cluster_of, offline, reasons, states, verdicts
from tests.coverage.worlds import ClusterWorld, cluster_worlds
from tests.examples import some_of
from tests.stack.kubernetes_api.kubectl import KINDS, refusal

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN

PLURALS = (*KINDS, "constraints")

KLOG = 'E1130 14:56:44.347592   29984 memcache.go:287] "Unhandled Error" err="couldn\'t get '

COMPLAINTS: Mapping[str, str] = {
    "403": refusal("Forbidden", 'pods is forbidden: User "reader" cannot list resource "pods" in API group ""'),
    "404": refusal("NotFound", "the server could not find the requested resource"),
    "410": refusal("Expired", "The provided continue parameter is too old"),
    "429": refusal("TooManyRequests"),
    "500": refusal("InternalError", "etcdserver: request timed out"),
    "503": refusal("ServiceUnavailable"),
    "a page to sign in at": "error: serializer for text/html doesn't exist\n",
    "401": "error: You must be logged in to the server (Unauthorized)\n",
    "no answer": "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?\n",
    "a certificate": "Unable to connect to the server: tls: failed to verify certificate: x509: unknown authority\n",
    "a plugin": "Unable to connect to the server: getting credentials: exec: executable x failed with exit code 1\n",
    "nothing": "",
}
"""What kubectl complains of, by what it is called."""

PRINTED = {
    "nothing": "",
    "half a list": '{"apiVersion": "v1", "items": [{"metadata": {"na',
    "a page": "<!doctype html>",
    "a list in JSON": "[]",
    "two lists": '{"apiVersion": "v1", "kind": "List", "items": []}' * 2,
    "an abyss": "[" * 100_000,
    "no items": '{"apiVersion": "v1", "kind": "List"}',
    "items that are none": '{"apiVersion": "v1", "kind": "List", "items": [1, null]}',
    "something else": '{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "ConfigMap"}]}',
}
"""What kubectl prints and ends with 0, though it is no list of what was asked for."""


def printing(objects: Sequence[Json], plural: str, out: str) -> Answer:
    """A cluster for which kubectl prints something else whenever one kind is asked for."""
    whole = cluster_of(objects)
    return lambda words: (0, out, "") if plural in words[1].replace(".", ",").split(",") else whole(words)


def covered(cluster: Answer) -> set[Rung]:
    """The rungs that are covered."""
    return {rung for rung, state in states(asked(cluster)).items() if state is COVERED}


def test_the_dark_cluster_is_caught_and_the_healthy_one_is_covered_on_every_rung() -> None:
    """With the words, evidence and remedy as from files. Each gate alone is found, in whichever version it is served."""
    assert set(states(asked(cluster_of(HEALTHY))).values()) == {COVERED}
    found = verdicts(asked(cluster_of(DARK)))
    assert found == verdicts(offline(DARK))
    assert found[Rung.SENSOR_RUNNING].state is GAP
    assert "Pod Security refuses its pods at level baseline" in found[Rung.SENSOR_RUNNING].reason
    assert found[Rung.SENSOR_RUNNING].evidence[0].document.startswith("context payments: daemonsets items[")
    for whole in (whole_gatekeeper, whole_image_gate, adm.whole_misconfiguration_gate):
        for version in (None, "v1alpha1", "v1beta1", "v2"):
            moved = [{**one, "apiVersion": _moved(str(one["apiVersion"]), version)} for one in whole()]
            assert states(asked(cluster_of(moved)))[Rung.ADMISSION_AUDITS] is COVERED


@settings(max_examples=some_of(60))
@given(cluster_worlds(), answers(GATES))
def test_asked_or_from_files_a_cluster_is_the_same(world: ClusterWorld, gates: list[Json]) -> None:
    """Every verdict as a whole."""
    objects = _objects(world, gates)
    live = asked(cluster_of(objects))
    assert not reasons(live)
    assert verdicts(live) == verdicts(offline(objects))


@settings(max_examples=some_of(40))
@given(cluster_worlds(), answers(GATES), st.data())
def test_no_fault_covers_anything(world: ClusterWorld, gates: list[Json], data: st.DataObject) -> None:
    """Whatever comes instead of whichever answers."""
    objects = _objects(world, gates)
    faults = data.draw(st.dictionaries(st.sampled_from(PLURALS), st.sampled_from(sorted(COMPLAINTS.values()))))
    assert covered(cluster_of(objects, faults)) <= covered(cluster_of(objects))


def test_every_fault_of_every_answer_is_said(subtests: pytest.Subtests) -> None:
    """The gate names what was not answered, so that it ends with 2 at least; and nothing is covered by it."""
    whole = covered(cluster_of(HEALTHY))
    for plural in PLURALS:
        faulty = {name: cluster_of(HEALTHY, {plural: complaint}) for name, complaint in COMPLAINTS.items()}
        for name, cluster in {
            **faulty,
            **{name: printing(HEALTHY, plural, out) for name, out in PRINTED.items()},
        }.items():
            with subtests.test(name, plural=plural):
                documents = asked(cluster)
                assert {rung for rung, state in states(documents).items() if state is COVERED} <= whole
                assert reasons(documents) and live.gate(documents).unanswered
                assert all("\n" not in reason and "reader" not in reason for reason in reasons(documents))


def test_beside_what_is_not_answered_the_rest_is_judged() -> None:
    """Who may not list is told what, as a role names it. A cluster that does not answer is asked for nothing else."""
    for complaint in ("403", "404", "500"):
        found = states(asked(cluster_of(HEALTHY, {"daemonsets": COMPLAINTS[complaint]})))
        assert found[Rung.SENSOR_RUNNING] is found[Rung.SENSOR_INSTALLED] is UNKNOWN
        assert found[Rung.ADMISSION_AUDITS] is COVERED
    documents = asked(cluster_of(HEALTHY, {"daemonsets": COMPLAINTS["403"]}))
    assert reasons(documents) == [
        "who asks may not list daemonsets.apps (403): bind a ClusterRole that allows get and list of it"
    ]
    said = f"the cluster did not say which DaemonSets it has: {reasons(documents)[0]}"
    assert verdicts(documents)[Rung.SENSOR_RUNNING].reason == said
    shown = "`kubectl get nodes --context payments` shows why"
    for complaint, said in {
        "401": "the API server does not know who asks (401): sign in anew, or mend the user of the kubeconfig",
        "no answer": f"the API server was not reached; {shown}",
        "a certificate": "its certificate is not trusted; mend certificate-authority-data",
        "a plugin": f"its exec plugin gave out no credential; {shown}",
    }.items():
        why, counted = complaining(complaint)
        assert (why, len(counted)) == ([said], 1)
    for complaint, attempts in (("429", 5), ("503", 5), ("no answer", 5), ("403", 1), ("401", 1)):
        assert set(complaining(complaint)[1].values()) == {attempts}, complaint


def complaining(complaint: str) -> tuple[list[str], Counter[str]]:
    """What is said of a cluster that complains of everything, and how often each kind was asked for."""
    counted: Counter[str] = Counter()

    def cluster(words: Sequence[str]) -> tuple[int, str, str]:
        counted[words[1]] += 1
        return 1, "", COMPLAINTS[complaint]

    return reasons(asked(cluster)), counted


def test_what_only_some_clusters_have_may_be_absent_and_that_is_an_answer() -> None:
    """No gate, rather than nobody asked; but not of what every cluster has, nor where it did not say which kinds it has."""
    lacks = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
    objects = [one for one in HEALTHY if not str(one["apiVersion"]).startswith(("constraints.", "defender."))]
    documents = asked(cluster_of([one for one in objects if "Policy" not in str(one["kind"])], lacks=lacks))
    assert not reasons(documents)
    assert states(documents)[Rung.ADMISSION_AUDITS] is GAP
    for plural in ("nodes", "daemonsets", "pods"):
        said = str(reasons(asked(cluster_of(HEALTHY, lacks=[plural]))))
        assert "is its server in the kubeconfig that of a cluster?" in said
    whole = cluster_of([one for one in HEALTHY if one["kind"] != "Config"])
    for said, is_absent in (
        ("resource list for config.gatekeeper.sh/v1alpha1: the server is busy", False),
        ("current server API group list: the server is busy", False),
        ("resource list for metrics.k8s.io/v1beta1: the server is busy", True),
    ):

        def cluster(words: Sequence[str], said: str = said) -> tuple[int, str, str]:
            code, out, complaint = whole(words)
            return code, out, f'{KLOG}{said}"\n{complaint}'

        assert ("asked for configs.config.gatekeeper.sh" not in str(reasons(asked(cluster)))) is is_absent


def test_what_is_asked_is_what_a_person_is_told_to_ask() -> None:
    """And what the role allows. All constraints are one kind for kubectl."""
    asked_for: list[str] = []
    some = [{**a_constraint("deny", name="one"), "kind": f"K8sNo{number}"} for number in range(3)]
    whole = cluster_of([*HEALTHY, *some])

    def cluster(words: Sequence[str]) -> tuple[int, str, str]:
        asked_for.append(" ".join(words))
        return whole(words)

    documents = asked(cluster)
    assert asked_for == [
        "get nodes,daemonsets,pods,namespaces,events,services,endpointslices,validatingwebhookconfigurations"
        " -A -o json",
        "get validatingadmissionpolicies,validatingadmissionpolicybindings -A -o json",
        "get constraints -A -o json",
        "get configs.config.gatekeeper.sh -A -o json",
        "get securityartifactpolicies.defender.microsoft.com -A -o json",
    ]
    kinds = {one.kind for document in documents if document.name.endswith("constraints") for one in document.items}
    assert kinds == {"K8sAzureV2NoPrivilege", "K8sNo0", "K8sNo1", "K8sNo2"}


def _objects(world: ClusterWorld, gates: Sequence[Json]) -> list[Json]:
    """The objects of a cluster, and those of gates that it does not have by name yet."""
    every: list[Any] = [*gates, *world.documents.values()]
    return [*{_key(one): one for body in every for one in body.get("items", [body])}.values()]


def _key(one: Any) -> tuple[str, str | None, str]:
    return one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]


def _moved(version: str, other: str | None) -> str:
    group, separator, _ = version.rpartition("/")
    built_in = group in ("", "apps", "admissionregistration.k8s.io", "discovery.k8s.io")
    return version if built_in or other is None else f"{group}{separator}{other}"
