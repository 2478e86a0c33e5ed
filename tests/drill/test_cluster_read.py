"""The drill of a cluster may ask it by itself: one read, by a context of a kubeconfig, and only after it was wanted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from router.cli import main
from tests.builders import alert_body
from tests.drill.drilling import SOON, SUBSCRIPTION
from tests.drill.small_router import Grounds, grounds_in
from tests.stack.kubernetes_api.answers import ClusterApi
from tests.stack.kubernetes_api.server import TOKEN, ApiServer, serving_in_thread

CLUSTER = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks-pay"
)
NAMESPACE = "/api/v1/namespaces/asc-alerttest-662jfi039n/pods"


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    """Hubs, a SOC and Defender."""
    with grounds_in(tmp_path_factory.mktemp("cluster")) as grounds:
        yield grounds


@pytest.fixture
def server(grounds: Grounds, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """The API server of the cluster, in which Defender sees who asks for that namespace."""
    for name, value in grounds.environment().items():
        monkeypatch.setenv(name, value)
    with serving_in_thread(ClusterApi(())) as server:

        def answer(number: int, request: web.Request) -> web.StreamResponse:
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return web.json_response({"kind": "Status", "code": 403}, status=403)
            body = alert_body(f"test-{number}", AlertType="K8S_Test", AzureResourceId=CLUSTER, Severity="High")
            grounds.hubs.append("cwpp", "0", body)
            return web.json_response({"kind": "PodList", "apiVersion": "v1", "items": []})

        server.instead = answer
        yield server


def drill(grounds: Grounds, kubeconfig: Path, cluster: str, *more: str) -> int:
    """The exit code of a drill of a cluster that asks it."""
    house = grounds.house()
    state = ("--state", str(house.state), "--rules", str(house.rules), "--within", SOON, "--format", "json")
    with house.at_work():
        return main(["drill", "--cluster", cluster, "--kubeconfig", str(kubeconfig), "--to", "oncall", *state, *more])


def test_the_drill_asks_the_cluster_once_and_for_nothing_else(
    grounds: Grounds, server: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The context may be called otherwise than the cluster. No token is ever printed."""
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(yaml.safe_dump(server.kubeconfig(context="admin@pay")))
    code = drill(grounds, kubeconfig, "aks-pay=admin@pay", "--yes")
    out, err = capsys.readouterr()
    assert (code, json.loads(out)["cluster"], json.loads(out)["verdict"]) == (0, "aks-pay", "passed"), err
    assert [(one.method, one.path) for one in server.requests] == [("GET", NAMESPACE)]
    assert "asks the cluster aks-pay for the pods of the namespace asc-alerttest-662jfi039n" in err
    assert "kubectl" not in err
    assert TOKEN not in out + err


def test_a_cluster_that_refuses_is_named_and_nothing_is_waited_for(
    grounds: Grounds, server: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever asks may not."""
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(yaml.safe_dump(server.kubeconfig({"token": "unknown"}, context="aks-pay")))
    assert drill(grounds, kubeconfig, "aks-pay", "--yes") == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["verdict"], result["failed_hop"]) == ("failed", "raised")
    assert "context aks-pay: the API server answered 403" in result["reason"]


@pytest.mark.parametrize(
    ("cluster", "more", "words"),
    [
        ("aks-pay", (), "--yes: is missing"),
        ("aks-pay=", ("--yes",), "--cluster aks-pay=: has nothing on one side of ="),
        ("aks-other", ("--yes",), "--cluster aks-other: is no context in "),
    ],
)
def test_nothing_is_asked_that_was_not_wanted(
    grounds: Grounds,
    server: ApiServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    cluster: str,
    more: tuple[str, ...],
    words: str,
) -> None:
    """One line says why."""
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(yaml.safe_dump(server.kubeconfig(context="aks-pay")))
    assert drill(grounds, kubeconfig, cluster, *more) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err.splitlines()[-1]
    assert server.requests == []
