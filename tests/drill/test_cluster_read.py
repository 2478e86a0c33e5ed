"""The drill of a cluster may ask it by itself: one read, by a context of a kubeconfig, and only after it was wanted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from router.cli import main
from tests.builders import alert_body
from tests.drill.drilling import CLUSTER, SOON, Drilling, arguments
from tests.drill.small_router import Grounds
from tests.stack.kubernetes_api.answers import ClusterApi
from tests.stack.kubernetes_api.server import TOKEN, ApiServer, serving_in_thread

type AskCluster = Callable[..., int]


@pytest.fixture
def server(grounds: Grounds) -> Iterator[ApiServer]:
    """The API server of the cluster, in which Defender sees a request for that namespace."""
    with serving_in_thread(ClusterApi(())) as server:

        def answer(number: int, request: web.Request) -> web.StreamResponse:
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return web.json_response({"kind": "Status", "code": 403}, status=403)
            body = alert_body(f"test-{number}", AlertType="K8S_Test", AzureResourceId=CLUSTER, Severity="High")
            grounds.hubs.append("cwpp", "0", body)
            return web.json_response({"kind": "PodList", "apiVersion": "v1", "items": []})

        server.instead = answer
        yield server


@pytest.fixture
def ask(grounds: Grounds, drill: Drilling, server: ApiServer, tmp_path: Path) -> AskCluster:
    """Returns the exit code of a drill that asks a cluster itself, with a token."""

    def ask(cluster: str, *more: str, token: str = TOKEN, context: str = "aks-pay") -> int:
        (tmp_path / "config").write_text(yaml.safe_dump(server.kubeconfig({"token": token}, context=context)))
        about = ("--cluster", cluster, "--kubeconfig", str(tmp_path / "config"), "--to", "oncall", *more)
        house = grounds.house()
        with house.at_work():
            return main(arguments(house, "--within", SOON, "--format", "json", about=about))

    return ask


def test_the_drill_asks_the_cluster_once_and_for_nothing_else(
    ask: AskCluster, server: ApiServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The context may be called otherwise than the cluster. No token is ever printed."""
    code = ask("aks-pay=admin@pay", "--yes", context="admin@pay")
    out, err = capsys.readouterr()
    assert (code, json.loads(out)["cluster"], json.loads(out)["verdict"]) == (0, "aks-pay", "passed"), err
    asked = [(one.method, one.path) for one in server.requests]
    assert asked == [("GET", "/api/v1/namespaces/asc-alerttest-662jfi039n/pods")]
    assert "asks the cluster aks-pay for the pods of the namespace asc-alerttest-662jfi039n" in err
    assert "kubectl" not in err
    assert TOKEN not in out + err


def test_a_cluster_that_refuses_is_named_and_nothing_is_waited_for(
    ask: AskCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here the token is not known there."""
    assert ask("aks-pay", "--yes", token="unknown") == 1
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
    ask: AskCluster,
    server: ApiServer,
    capsys: pytest.CaptureFixture[str],
    cluster: str,
    more: tuple[str, ...],
    words: str,
) -> None:
    """One line says why."""
    assert ask(cluster, *more) == 2
    out, err = capsys.readouterr()
    assert (out, len(server.requests)) == ("", 0)
    assert words in err.splitlines()[-1]
