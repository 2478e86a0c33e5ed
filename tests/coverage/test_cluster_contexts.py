"""Lines for kubectl say which cluster they are for: it would else change whichever one is current."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.coverage.kubernetes.commands import ASK_CLUSTER, ASK_CONSTRAINTS, UNNAMED, at_cluster
from router.coverage.remedies import command_line
from router.coverage.verdicts import Workload, gap, unknown
from router.domain.coverage import WorkloadKind
from tests.examples import some_of

LABEL = "kubectl label namespace kube-system a=b --overwrite"


def cluster(name: str) -> Workload:
    """A cluster of that name."""
    return Workload(kind=WorkloadKind.CLUSTER, name=name, subject=name.lower())


def mended(line: str, name: str = "payments") -> str | None:
    """A line that mends a gap of a cluster."""
    return at_cluster(gap("it is dark", remedy=line), cluster(name)).remedy


def test_the_context_is_called_as_the_cluster_and_stands_at_the_end() -> None:
    """What is done to the cluster stays readable as a whole; what is no line for kubectl stays what it is."""
    assert mended(LABEL) == f"{LABEL} --context payments"
    assert mended("az aks update --name payments") == "az aks update --name payments"
    assert mended(f"az aks show\n{LABEL}") == f"az aks show\n{LABEL} --context payments"
    assert at_cluster(gap("it is dark"), cluster("payments")).remedy is None


def test_of_a_cluster_that_nobody_named_no_context_is_known() -> None:
    """It is the one of the call, and its context may be called anything."""
    assert mended(LABEL, UNNAMED) == LABEL
    found = at_cluster(unknown("nobody asked", remedy=ASK_CLUSTER), cluster(UNNAMED))
    assert (found.remedy, found.remarks) == (f"{ASK_CLUSTER} > unnamed-cluster.json", ("give unnamed-cluster.json",))


def test_of_an_id_its_end_is_the_name() -> None:
    """A file may be given as that of an id, of which no document says more."""
    id = "/subscriptions/1/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/payments"
    assert mended(LABEL, id) == f"{LABEL} --context payments"


@pytest.mark.parametrize(
    ("id", "context"),
    [
        ("arn:aws:eks:eu-west-1:1:cluster/payments", "arn:aws:eks:eu-west-1:1:cluster/payments"),
        ("container.googleapis.com/projects/p/locations/europe-west1/clusters/payments", "gke_p_europe-west1_payments"),
        ("container.googleapis.com/projects/p/zones/europe-west1-b/clusters/payments", "gke_p_europe-west1-b_payments"),
    ],
)
def test_other_clouds_have_names_of_their_own_for_contexts(id: str, context: str) -> None:
    """With the account and the project, so that two clusters of one name are told apart."""
    found = at_cluster(
        gap("it is dark", remedy=LABEL),
        Workload(kind=WorkloadKind.CLUSTER, name="payments", id=id, subject=id.lower()),
    )
    assert found.remedy == f"{LABEL} --context {context}"


def test_each_answer_goes_into_a_file_of_its_own() -> None:
    """And it is said how they are given, since no object says which cluster it is of."""
    one = at_cluster(unknown("nobody asked", remedy=ASK_CLUSTER), cluster("payments"))
    assert one.remedy == f"{ASK_CLUSTER} --context payments > payments.json"
    assert one.remarks == ("give payments=payments.json",)
    two = at_cluster(unknown("nobody asked", remedy=f"{ASK_CLUSTER}\n{ASK_CONSTRAINTS}"), cluster("payments"))
    assert two.remedy == f"{one.remedy}\n{ASK_CONSTRAINTS} --context payments > payments.constraints.json"
    assert two.remarks == ("give payments=payments.json payments=payments.constraints.json",)


@pytest.mark.parametrize("name", ["-x", "--server=https://example.com", "$(id)", "a b", "'", "ä", "a\nb", ">"])
def test_no_name_of_a_cluster_is_an_option_or_a_command(name: str) -> None:
    """Whoever names a cluster, or writes NAME=FILE, may write anything."""
    (*before, last) = shlex.split(mended(LABEL, name) or "")
    assert last == f"--context={name}" if name.startswith("-") else (before[-1], last) == ("--context", name)


TEXTS = st.text(st.sampled_from("a-'\"\\ \n>$`;") | st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=some_of(200))
@given(names=st.lists(TEXTS, min_size=1, max_size=3), cluster_name=TEXTS.filter(lambda name: name.strip() != ""))
def test_what_is_quoted_in_a_line_stays_what_it_is(names: list[str], cluster_name: str) -> None:
    """Also where a name has lines of its own, of which one looks like a line for kubectl."""
    words = ["kubectl", "describe", "pod", *names, "x\nkubectl get pods -o json\ny"]
    found = shlex.split(mended(command_line(*words), cluster_name) or "")
    context = cluster_name.rpartition("/")[2] if cluster_name.startswith("/") else cluster_name
    assert found == [*words, *([f"--context={context}"] if context.startswith("-") else ["--context", context])]
