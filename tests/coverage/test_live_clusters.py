"""A cluster that is asked is judged as one of which files were given, and whatever is not answered is unknown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.documents import CoverageDocument
from router.coverage.live.cluster_lists import PAGE
from router.coverage.verdicts import CoverageState
from router.domain.conversation import HttpAnswer, HttpRequest
from router.domain.coverage import Rung
from router.domain.errors import Unavailable
from tests.coverage.admission_builders import (
    a_constraint,
    whole_gatekeeper,
    whole_image_gate,
    whole_misconfiguration_gate,
)
from tests.coverage.builders import Json, node
from tests.coverage.document_sets import GATES, answers
from tests.coverage.live_clusters import DARK, HEALTHY, SERVER, Answer, asked, gate, offline, states, verdicts
from tests.coverage.worlds import ClusterWorld, cluster_worlds
from tests.examples import some_of
from tests.stack.kubernetes_api.answers import api_of, refusal
from tests.stack.kubernetes_api.faults import FAULTS

COVERED, GAP, UNKNOWN = CoverageState.COVERED, CoverageState.GAP, CoverageState.UNKNOWN


def paths(objects: Sequence[Json]) -> list[str]:
    """What a cluster is asked, in order."""
    found: list[str] = []
    api = api_of(objects)

    def answer(request: HttpRequest) -> HttpAnswer:
        assert request.method == "GET"
        assert not request.body
        found.append(request.url.removeprefix(SERVER).partition("?")[0])
        return api.answer(request)

    asked(answer)
    return found


def broken(objects: Sequence[Json], number: int, fault: HttpAnswer | Unavailable, page: int = 500) -> Answer:
    """A cluster whose answer to one request, counted from 0, is a fault."""
    api, count = api_of(objects, page=page), iter(range(10_000))
    return lambda request: fault if next(count) == number else api.answer(request)


def reasons(documents: Sequence[CoverageDocument]) -> list[str]:
    """Why there are no answers."""
    return [refusal.reason for document in documents for refusal in document.refusals]


def test_a_healthy_cluster_is_covered() -> None:
    """On every rung that the cluster itself is asked for."""
    assert set(states(asked(api_of(HEALTHY).answer)).values()) == {COVERED}


def test_the_dark_cluster_is_caught() -> None:
    """With the same words, evidence and remedy as from files."""
    found = verdicts(asked(api_of(DARK).answer))
    assert found == verdicts(offline(DARK))
    assert found[Rung.SENSOR_RUNNING].state is GAP
    assert "Pod Security refuses its pods at level baseline" in found[Rung.SENSOR_RUNNING].reason
    assert found[Rung.SENSOR_RUNNING].evidence[0].document.startswith("context payments: daemonsets items[")


@settings(max_examples=some_of(60))
@given(cluster_worlds(), answers(GATES), st.integers(1, 7))
def test_asked_or_from_files_a_cluster_is_the_same(world: ClusterWorld, gates: list[Json], page: int) -> None:
    """Every verdict as a whole, in pages of whatever size."""
    objects = [one for body in world.documents.values() for one in _items(body)]
    objects += _new(gates, objects)
    live = asked(api_of(objects, page=page).answer)
    assert not reasons(live)
    assert verdicts(live) == verdicts(offline(objects))


@settings(max_examples=some_of(40))
@given(cluster_worlds(), answers(GATES), st.data())
def test_no_fault_covers_anything(world: ClusterWorld, gates: list[Json], data: st.DataObject) -> None:
    """Whatever comes instead of whichever answer."""
    objects = [one for body in world.documents.values() for one in _items(body)]
    objects += _new(gates, objects)
    before = states(asked(api_of(objects, page=2).answer))
    number = data.draw(st.integers(0, 40))
    fault = FAULTS[data.draw(st.sampled_from(sorted(FAULTS)))]
    for rung, state in states(asked(broken(objects, number, fault, page=2))).items():
        assert state is not COVERED or before[rung] is COVERED


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_every_answer_is_said(fault: str) -> None:
    """The gate names what was not answered, so that it ends with 2 at least; and nothing is covered by it."""
    for objects, page in ((HEALTHY, 500), (DARK, 2)):
        for number in range(_count(objects, page)):
            documents = asked(broken(objects, number, FAULTS[fault], page))
            assert _states_once(documents) <= _states_once(asked(api_of(objects).answer)), number
            if fault == "410":
                continue  # a list is begun anew once
            assert reasons(documents), number
            assert all("\n" not in reason for reason in reasons(documents))


@pytest.mark.parametrize("fault", ["403", "404", "500", "another kind"])
def test_beside_what_is_not_answered_the_rest_is_judged(fault: str) -> None:
    """A gate needs no DaemonSet."""
    number = paths(HEALTHY).index("/apis/apps/v1/daemonsets")
    found = states(asked(broken(HEALTHY, number, FAULTS[fault])))
    assert found[Rung.SENSOR_RUNNING] is found[Rung.SENSOR_INSTALLED] is UNKNOWN
    assert found[Rung.ADMISSION_AUDITS] is COVERED


def test_who_may_not_list_something_is_told_what() -> None:
    """By the verbs and the resource, as a role names them."""
    may_not = paths(HEALTHY).index("/apis/apps/v1/daemonsets")
    documents = asked(broken(HEALTHY, may_not, FAULTS["403"]))
    assert reasons(documents) == [
        "who asks may not list daemonsets.apps (403): bind a ClusterRole that allows get and list of it"
    ]
    said = f"the cluster did not say which DaemonSets it has: {reasons(documents)[0]}"
    assert verdicts(documents)[Rung.SENSOR_RUNNING].reason == said


@pytest.mark.parametrize("fault", ["401", "no answer"])
def test_where_nobody_answers_nothing_else_is_asked(fault: str) -> None:
    """It would only take its time."""
    count = 0

    def answer(_: HttpRequest) -> HttpAnswer | Unavailable:
        nonlocal count
        count += 1
        return FAULTS[fault]

    assert len(reasons(asked(answer))) == count == 1


@pytest.mark.parametrize(("times", "is_whole"), [(1, True), (2, False)])
def test_a_list_whose_pages_grew_too_old_is_begun_anew_once(times: int, is_whole: bool) -> None:
    """What was read of it before does not count twice."""
    objects = [*HEALTHY, *(node(f"more-{number}", type="virtual-kubelet") for number in range(5))]
    api = api_of(objects, page=2)
    left = times

    def answer(request: HttpRequest) -> HttpAnswer | Unavailable:
        nonlocal left
        if "/nodes?" in request.url and "continue=" in request.url and left:
            left -= 1
            return FAULTS["410"]
        return api.answer(request)

    documents = asked(answer)
    assert (not reasons(documents)) is is_whole
    nodes_of = [one for document in documents for one in document.items if one.kind == "Node"]
    assert len(nodes_of) == (8 if is_whole else 0)


def test_a_list_without_an_end_is_given_up() -> None:
    """A server that repeats itself is not asked for ever."""
    api = api_of(HEALTHY)
    again = b'{"kind": "NodeList", "apiVersion": "v1", "metadata": {"continue": "x"}, "items": []}'

    def answer(request: HttpRequest) -> HttpAnswer:
        return HttpAnswer(status=200, body=again) if "/nodes?" in request.url else api.answer(request)

    assert reasons(asked(answer)) == ["its list of nodes has no end"]


@pytest.mark.parametrize(
    "metadata", [{"remainingItemCount": 7}, {"continue": "", "remainingItemCount": 7}, {"continue": {"page": 2}}]
)
def test_a_list_that_says_that_more_follows_is_not_whole(metadata: Json) -> None:
    """Nobody knows where the rest is: so what was given covers nothing."""
    api = api_of(HEALTHY)

    def answer(request: HttpRequest) -> HttpAnswer:
        found = api.answer(request)
        if "/nodes?" not in request.url:
            return found
        return replace(found, body=json.dumps({**json.loads(found.body), "metadata": metadata}).encode())

    documents = asked(answer)
    assert "its list of nodes says that more follows, and not where" in reasons(documents)
    assert states(documents)[Rung.SENSOR_RUNNING] is UNKNOWN


def test_what_only_some_clusters_have_may_be_absent_and_that_is_an_answer() -> None:
    """A cluster before version 1.30 and without Gatekeeper has neither: no gate, rather than nobody asked."""
    objects = [one for one in HEALTHY if not str(one["apiVersion"]).startswith(("constraints.", "defender."))]
    objects = [one for one in objects if one["kind"] != "ValidatingAdmissionPolicyBinding"]
    lacks = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    objects = [one for one in objects if one["kind"] not in lacks]
    documents = asked(api_of(objects, lacks=lacks).answer)
    assert not reasons(documents)
    assert states(documents)[Rung.ADMISSION_AUDITS] is GAP


@pytest.mark.parametrize("whole", [whole_gatekeeper, whole_image_gate, whole_misconfiguration_gate])
def test_each_gate_alone_is_found(whole: object) -> None:
    """In whichever version its kinds are served."""
    assert callable(whole)
    objects: list[Json] = list(whole())
    assert states(asked(api_of(objects).answer))[Rung.ADMISSION_AUDITS] is COVERED
    for version in ("v1alpha1", "v1beta1", "v2"):
        moved = [{**one, "apiVersion": _moved(str(one["apiVersion"]), version)} for one in objects]
        assert states(asked(api_of(moved).answer))[Rung.ADMISSION_AUDITS] is COVERED


def test_every_kind_of_constraint_is_asked_for() -> None:
    """Each template makes one; what is a part of an object, such as its status, is none."""
    some = [{**a_constraint("deny", name="one"), "kind": f"K8sNo{number}"} for number in range(3)]
    found = paths([*HEALTHY, *some])
    assert [path.rpartition("/")[2] for path in found if "/constraints.gatekeeper.sh/v1beta1/" in path] == [
        "k8sazurev2noprivilege",
        "k8sno0",
        "k8sno1",
        "k8sno2",
    ]
    assert not [path for path in found if "status" in path]


def test_what_is_asked_is_what_the_role_allows() -> None:
    """And what every user may ask: which groups and kinds there are."""
    lists = {path.rpartition("/")[2] for path in paths(HEALTHY) if path.count("/") in (3, 4)} - {
        "v1",
        "v1beta1",
        "v1alpha1",
    }
    assert lists == {
        "nodes", "daemonsets", "pods", "namespaces", "events", "deployments", "validatingwebhookconfigurations",
        "validatingadmissionpolicies", "validatingadmissionpolicybindings", "securityartifactpolicies",
        "k8sazurev2noprivilege", "services", "endpointslices", "configs",
    }  # fmt: skip


def test_a_refusal_quotes_nothing_of_an_answer() -> None:
    """An answer is anybody's, and what is said of it goes into logs."""
    said = refusal(403, "Forbidden", "secret\nwith a line")
    assert "secret" not in str(reasons(asked(lambda _: said)))


def test_an_object_is_asked_for_once_in_its_page() -> None:
    """A page is as large as kubectl's."""
    urls: list[str] = []
    api = api_of(HEALTHY)

    def answer(request: HttpRequest) -> HttpAnswer:
        urls.append(request.url)
        return api.answer(request)

    asked(answer)
    assert f"{SERVER}/api/v1/nodes?limit={PAGE}" in urls
    assert len(urls) == len(set(urls))


_known: dict[tuple[tuple[str, int, int], ...], frozenset[Rung]] = {}


def _states_once(documents: Sequence[CoverageDocument]) -> frozenset[Rung]:
    """The rungs that are covered. A refusal bears no object, so that its words change nothing, and each set is judged once."""
    key = tuple((one.name, len(one.items), len(one.refusals)) for one in documents)
    if key not in _known:
        assert all(not one.items for one in documents if one.refusals)
        assert bool(gate(documents).unanswered) is any(one.refusals for one in documents)
        _known[key] = frozenset(rung for rung, state in states(documents).items() if state is COVERED)
    return _known[key]


def _items(body: Json) -> list[Json]:
    items = body["items"]
    assert isinstance(items, list)
    return items


def _new(documents: Sequence[Json], objects: Sequence[Json]) -> list[Json]:
    """The objects in documents that a cluster does not have by name yet."""
    found = {_key(one): one for body in documents for one in (_items(body) if "items" in body else [body])}
    return [one for key, one in found.items() if key not in {_key(other) for other in objects}]


def _key(one: Json) -> tuple[object, object, object]:
    metadata = one["metadata"]
    assert isinstance(metadata, dict)
    return one["kind"], metadata.get("namespace"), metadata["name"]


def _moved(version: str, other: str) -> str:
    group, separator, _ = version.rpartition("/")
    built_in = group in ("", "apps", "admissionregistration.k8s.io", "discovery.k8s.io")
    return version if built_in else f"{group}{separator}{other}"


def _count(objects: Sequence[Json], page: int) -> int:
    count = 0
    api = api_of(objects, page=page)

    def answer(request: HttpRequest) -> HttpAnswer:
        nonlocal count
        count += 1
        return api.answer(request)

    asked(answer)
    return count
