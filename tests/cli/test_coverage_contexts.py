"""`coverage check --context`: clusters are asked, and nothing else is."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.cli.house import House
from tests.coverage.builders import managed_cluster
from tests.coverage.live_clusters import DARK, HEALTHY
from tests.coverage.test_kubeconfig import kubeconfig
from tests.stack.kubernetes_api.kubectl import install

AT = ("--now", "2026-11-25T12:00:00Z")


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


KUBECONFIG = ("--kubeconfig", "kubeconfig")


def states(house: House, *arguments: str) -> dict[str, Any]:
    """What the sensor of each cluster does, as the command says it for programs."""
    said = json.loads(house.says("coverage", "check", *AT, "--format", "json", *arguments).out)
    return {one["name"]: one["rungs"]["sensor-running"]["state"] for one in said["workloads"]}


def test_clusters_are_asked_beside_files_or_alone(asking: House) -> None:
    """Each counts as the cluster that its context is called as, or as the name before it."""
    assert states(asking, *KUBECONFIG, "--context", "payments") == {"payments": "covered"}
    both = ("--context", "payments", "--context", "ledger=aks-ledger", "clusters.json")
    assert states(asking, *KUBECONFIG, *both) == {"payments": "covered", "ledger": "gap"}
    assert states(asking, *KUBECONFIG, "--context", "*a*") == {"payments": "covered", "aks-ledger": "gap"}


def test_nothing_is_asked_after_the_time_that_is_given(asking: House) -> None:
    """What did not answer by then is unknown."""
    install(asking.directory / "bin", {}, "exec sleep 60")
    assert states(asking, *KUBECONFIG, "--context", "aks-ledger", "--timeout", "1") == {"aks-ledger": "unknown"}


def test_without_kubectl_a_cluster_is_unknown(asking: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line that says what to install; files are judged all the same."""
    monkeypatch.setenv("PATH", str(asking.directory))
    said = asking.says("coverage", "check", *AT, *KUBECONFIG, "--context", "payments")
    assert said.code == 2
    assert "kubectl is not installed; install it, as with `az aks install-cli`" in said.out
    assert states(asking, *KUBECONFIG, "--context", "payments", "clusters.json") == {"payments": "unknown"}


def test_a_dark_cluster_fails(asking: House) -> None:
    """With what mends it."""
    said = asking.says("coverage", "check", *AT, *KUBECONFIG, "--context", "aks-ledger")
    assert said.code == 1
    assert said.out.startswith("1 workload of 1 cluster judged: 1 has a gap\n")
    assert "Pod Security refuses its pods at level baseline" in said.out
    assert "--overwrite --context aks-ledger" in said.out


def test_what_cannot_be_asked_is_unknown(asking: House) -> None:
    """It ends with 2, is named, and keeps none of the others from being judged."""
    both = ("--context", "gone", "--context", "payments", "clusters.json")
    said = asking.says("coverage", "check", *AT, *KUBECONFIG, *both)
    assert said.code == 2
    assert "context gone: API server: not answered in full" in said.out
    for rungs in ("sensor installed, sensor running", "admission audits"):
        begun = f"  cluster gone, {rungs}: the cluster was asked, and did not answer: "
        (line,) = [one for one in said.out.splitlines() if one.startswith(begun)]
        assert "auth-provider is gone" in line
    assert "nobody asked the cluster itself" not in said.out
    assert states(asking, *KUBECONFIG, *both) == {"gone": "unknown", "payments": "covered"}


def test_the_page_shows_it(asking: House) -> None:
    """`coverage report` takes the same."""
    said = asking.says(
        "coverage", "report", *AT, *KUBECONFIG, "--context", "aks-ledger", "--out", asking.directory / "page.html"
    )
    assert said.code == 0
    assert "baseline" in (asking.directory / "page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name files, clusters with --context, or the state"),
        (KUBECONFIG, "--kubeconfig: says where contexts are; name those that are to be asked with --context"),
        ((*KUBECONFIG, "--context", "aks-z"), "is in no kubeconfig; there are payments, aks-ledger, gone"),
        (("--timeout", "9", "clusters.json"), "--timeout: says what is asked, and nobody is"),
        (("--kubeconfig", "none", "--context", "x"), "none: cannot be read: No such file or directory"),
    ],
)
def test_what_was_called_wrongly_is_said_in_one_line(asking: House, arguments: tuple[str, ...], said: str) -> None:
    """Before anybody is asked."""
    assert said in asking.says("coverage", "check", *AT, *arguments).complaint


def test_without_a_context_no_cluster_is_asked(asking: House) -> None:
    """None was named, and to ask runs the programs of a kubeconfig."""
    asking.says("coverage", "check", *AT, "clusters.json")
    assert not (asking.directory / "bin" / "log").exists()
