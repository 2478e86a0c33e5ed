"""Credential plugins are run as kubectl runs them, and what they hold stays with them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from router.app import credential_plugins
from router.app.credential_plugins import run_plugin
from router.coverage.live.credential_plugins import Credential, CredentialPlugin, InteractiveMode
from router.domain.errors import BadFile
from tests.leash import is_gone
from tests.waiting import until

V1 = "client.authentication.k8s.io/v1"
CLUSTER = {"server": "https://10.0.0.1"}


def run(
    folder: Path,
    script: str,
    *arguments: str,
    mode: InteractiveMode = InteractiveMode.IF_AVAILABLE,
    wants_cluster: bool = False,
    variables: Mapping[str, str] | None = None,
) -> Credential:
    """What comes of a plugin that is that script of the shell."""
    program = folder / "plugin"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    plugin = CredentialPlugin(
        version=V1,
        command="./plugin",
        arguments=arguments,
        variables=variables or {},
        install_hint="install it\nfrom there",
        wants_cluster=wants_cluster,
        mode=mode,
        named_in=str(folder / "config"),
    )
    return asyncio.run(run_plugin(plugin, CLUSTER, dict(os.environ), "context payments"))


def printing(token: str) -> str:
    """A script that prints that token, in which the shell may have its say."""
    return f"""printf '{{"apiVersion": "{V1}", "kind": "ExecCredential", "status": {{"token": "%s"}}}}' "{token}" """


def test_a_plugin_beside_its_kubeconfig_gives_out_a_token(tmp_path: Path) -> None:
    """No shell reads its arguments, and its variables stand beside those of the environment."""
    script = printing("$1-$2-$A-${HOME:+home}")
    found = run(tmp_path, script, "$(id)", "*", variables={"A": "b"})
    assert found.token == "$(id)-*-b-home"


def test_a_plugin_is_told_what_it_is_asked_for(tmp_path: Path) -> None:
    """Of its cluster only where it wants to be; and nobody is at a terminal here."""
    script = f'printf %s "$KUBERNETES_EXEC_INFO" > {tmp_path}/info; {printing("x")}'
    run(tmp_path, script)
    expected: dict[str, object] = {"apiVersion": V1, "kind": "ExecCredential", "spec": {"interactive": False}}
    assert json.loads((tmp_path / "info").read_text()) == expected
    run(tmp_path, script, wants_cluster=True)
    expected["spec"] = {"interactive": False, "cluster": CLUSTER}
    assert json.loads((tmp_path / "info").read_text()) == expected


@contextmanager
def typed(line: bytes) -> Iterator[None]:
    """A context in which standard input holds a line."""
    own = os.dup(0)
    reader, writer = os.pipe()
    os.write(writer, line)
    os.dup2(reader, 0)
    try:
        yield
    finally:
        os.dup2(own, 0)
        for each in (own, reader, writer):
            os.close(each)


def test_who_is_at_no_terminal_is_asked_nothing(tmp_path: Path) -> None:
    """What stands in standard input is for others, and a plugin that must ask is not run."""
    with typed(b"canary\n"):
        assert run(tmp_path, "read -r line; " + printing("x$line")).token == "x"
    with pytest.raises(BadFile, match="wants to ask somebody"):
        run(tmp_path, printing("x"), mode=InteractiveMode.ALWAYS)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "echo canary >&2; exit 3",
            "its exec plugin plugin ended with 3; `kubectl get nodes` with this context shows why",
        ),
        ("echo canary", f"its exec plugin plugin printed no ExecCredential of {V1} with a token or a certificate"),
        ("true", "printed no ExecCredential"),
        ("exec 1>&-; exit 1", "ended with 1"),
        ("head -c 3000000 /dev/zero", "its exec plugin plugin printed more than 1 MB"),
        ("yes | cat", "printed more than 1 MB"),
        ("kill -9 $$", "ended with -9"),
    ],
)
def test_a_plugin_that_gives_out_nothing_is_said_in_one_line(tmp_path: Path, script: str, said: str) -> None:
    """Nothing that it printed is in it: that may be anything."""
    with pytest.raises(BadFile, match=r"^context payments: ") as caught:
        run(tmp_path, script)
    assert said in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("command", ["kubelogin-that-nobody-has", "./not-there", "a\0b"])
def test_a_plugin_that_is_not_installed_says_how_to(tmp_path: Path, command: str) -> None:
    """By what its kubeconfig says, on one line."""
    plugin = CredentialPlugin(
        version=V1, command=command, install_hint="get it\nthere", named_in=str(tmp_path / "config")
    )
    with pytest.raises(BadFile, match=r"cannot be run \(\w+\); get it there$"):
        asyncio.run(run_plugin(plugin, CLUSTER, dict(os.environ), "context payments"))


def test_a_plugin_is_found_on_the_path(tmp_path: Path) -> None:
    """As any program is."""
    name = Path(sys.executable).name
    code = f'print(\'\'\'{{"apiVersion": "{V1}", "kind": "ExecCredential", "status": {{"token": "x"}}}}\'\'\')'
    plugin = CredentialPlugin(version=V1, command=name, arguments=("-c", code), named_in=str(tmp_path / "config"))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    assert asyncio.run(run_plugin(plugin, CLUSTER, environment, "context payments")).token == "x"


def test_a_plugin_does_not_outlive_who_waits_for_it(tmp_path: Path) -> None:
    """Whoever gives up ends it."""
    plugin = CredentialPlugin(version=V1, command="./plugin", named_in=str(tmp_path / "config"))
    program = tmp_path / "plugin"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/id.new; mv {tmp_path}/id.new {tmp_path}/id; exec sleep 600\n")
    program.chmod(0o700)

    async def give_up() -> None:
        task = asyncio.create_task(run_plugin(plugin, CLUSTER, dict(os.environ), "context payments"))
        await until((tmp_path / "id").exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert is_gone(int((tmp_path / "id").read_text()))


@pytest.mark.parametrize("end", ["wait", "true"])
def test_what_a_plugin_started_is_ended_with_it(tmp_path: Path, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds the plugin's output open; whoever waited for that would keep all other clusters waiting, too."""
    monkeypatch.setattr(credential_plugins, "_PATIENCE", 0.5)
    with pytest.raises(BadFile, match="gave nothing out within"):
        run(tmp_path, f"sleep 600 & echo $! > {tmp_path}/id; {end}")
    child = int((tmp_path / "id").read_text())
    asyncio.run(until(lambda: not _is_running(child)))


def _is_running(process: int) -> bool:
    """Whether a process runs; nobody may be there who sees to one that has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
