"""The drill of a cluster may ask it by itself: one read, by a context of a kubeconfig, and only after it was wanted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
import yaml

from router.cli import main
from tests.builders import alert_body
from tests.coverage.test_kubectl import kubeconfig
from tests.drill.drilling import CLUSTER, SOON, Drilling, Grounds, arguments
from tests.stack.kubernetes_api.kubectl import install

TOKEN = "canary-token"

type AskCluster = Callable[..., int]


@pytest.fixture
def log(grounds: Grounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With what kubectl was called. Defender sees the request for that namespace, if kubectl has the right to it."""
    folder = tmp_path / "bin"
    os.mkfifo(tmp_path / "asked")
    raise_alert = f"grep -q {TOKEN} {tmp_path}/config && echo yes > {tmp_path}/asked"
    refused = "echo 'Error from server (Forbidden): canary' >&2; exit 1"
    log = install(folder, {"aks-pay": [], "admin@pay": []}, f"{raise_alert} || {{ {refused}; }}")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return log


@pytest.fixture
def ask(grounds: Grounds, drill: Drilling, log: Path, tmp_path: Path) -> AskCluster:
    """Returns the exit code of a drill that asks a cluster itself, with a token."""

    def ask(cluster: str, *more: str, token: str = TOKEN, context: str = "aks-pay") -> int:
        (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig(user={"token": token}, name=context)))
        about = ("--cluster", cluster, "--kubeconfig", str(tmp_path / "config"), "--to", "oncall", *more)
        house = grounds.house()

        def see() -> None:
            if (tmp_path / "asked").read_text():
                body = alert_body("test", AlertType="K8S_Test", AzureResourceId=CLUSTER, Severity="High")
                grounds.hubs.append("cwpp", "0", body)

        defender = Thread(target=see)
        defender.start()
        try:
            with house.at_work():
                return main(arguments(house, "--within", SOON, "--format", "json", about=about))
        finally:
            os.close(os.open(tmp_path / "asked", os.O_RDWR))  # nothing more is said
            defender.join()

    return ask


def test_the_drill_asks_the_cluster_once_and_for_nothing_else(
    ask: AskCluster, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The context may be called otherwise than the cluster. No token is ever printed."""
    code = ask("aks-pay=admin@pay", "--yes", context="admin@pay")
    out, err = capsys.readouterr()
    assert (code, json.loads(out)["cluster"], json.loads(out)["verdict"]) == (0, "aks-pay", "passed"), err
    (asked,) = [json.loads(line)["words"] for line in log.read_text().splitlines()]
    path = "/api/v1/namespaces/asc-alerttest-662jfi039n/pods?limit=1"
    assert asked[:5] == ["get", "--raw", path, "--context", "admin@pay"]
    assert "asks the cluster aks-pay for the pods of the namespace asc-alerttest-662jfi039n" in err
    assert TOKEN not in out + err


def test_a_cluster_that_refuses_is_named_and_nothing_is_waited_for(
    ask: AskCluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """Here the token is not known there. What kubectl complains of is not repeated."""
    assert ask("aks-pay", "--yes", token="unknown") == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["verdict"], result["failed_hop"]) == ("failed", "raised")
    assert "context aks-pay: the API server answered 403; the drill needs the right to list pods" in result["reason"]
    assert "canary" not in result["reason"]


def test_nothing_is_asked_that_was_not_wanted(ask: AskCluster, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says why."""
    for cluster, more, words in (
        ("aks-pay", (), "--yes: is missing"),
        ("aks-pay=", ("--yes",), "--cluster aks-pay=: has nothing on one side of ="),
        ("aks-other", ("--yes",), "--cluster aks-other: is no context in "),
    ):
        assert ask(cluster, *more) == 2
        out, err = capsys.readouterr()
        assert (out, log.exists()) == ("", False)
        assert words in err.splitlines()[-1]
