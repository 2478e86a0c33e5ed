"""Clusters are asked over TLS by the user of their context, and whatever a server does, it is judged or unknown."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from router.app.kubernetes_connection import ClusterConnection
from router.app.kubernetes_live import ask_clusters
from router.app.patience import TimeLimit
from router.app.settings import Settings
from router.coverage.documents import CoverageDocument
from router.coverage.live.contexts import NamedContext
from router.coverage.live.kubeconfig import kubeconfig_of
from router.coverage.verdicts import CoverageState
from router.domain.conversation import HttpRequest
from router.domain.errors import Unavailable
from tests.coverage.live_clusters import DARK, HEALTHY, SERVER, asked, states, verdicts
from tests.stack.kubernetes_api.answers import api_of
from tests.stack.kubernetes_api.old_authority import old_authority
from tests.stack.kubernetes_api.server import TOKEN, ApiServer, serving
from tests.waiting import PATIENCE

API = api_of(HEALTHY, page=2)
PAYMENTS = NamedContext("payments", "payments")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Whom a kubeconfig trusts."""
    return trustme.CA()


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """What comes of it."""
    return asyncio.run(work)


async def ask(
    *kubeconfigs: object,
    contexts: Sequence[NamedContext] = (PAYMENTS,),
    seconds: float = PATIENCE,
    named_in: str = "config",
    waits: list[float] | None = None,
) -> list[CoverageDocument]:
    """What comes of asking contexts; nobody waits between two attempts."""

    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    kubeconfig = kubeconfig_of((named_in, one) for one in kubeconfigs)
    settings = Settings({"PATH": "/usr/bin:/bin"})
    return await ask_clusters(contexts, kubeconfig, settings, TimeLimit(seconds), sleep=sleep)


def reasons(documents: Sequence[CoverageDocument]) -> list[str]:
    """Why there are no answers."""
    return [refusal.reason for document in documents for refusal in document.refusals]


def test_a_cluster_is_asked_over_tls_whom_its_authority_vouches_for(authority: trustme.CA) -> None:
    """With the token of its user; what comes is what the probe alone comes to."""

    async def work() -> list[CoverageDocument]:
        async with serving(API, authority=authority) as server:
            assert server.url.startswith("https://")
            documents = await ask(server.kubeconfig())
            assert all(one.headers["Authorization"] == f"Bearer {TOKEN}" for one in server.requests)
            return documents

    documents = run(work())
    assert documents == asked(API.answer)
    assert set(states(documents).values()) == {CoverageState.COVERED}


def test_the_dark_cluster_is_caught_beside_one_that_cannot_be_asked() -> None:
    """One stops no other, and each counts as the cluster that it was named as."""

    async def work() -> list[CoverageDocument]:
        async with serving(api_of(DARK)) as server:
            off = server.kubeconfig(context="ledger", **{"proxy-url": "http://proxy"})
            contexts = [NamedContext("ledger", "ledger"), NamedContext("payments", "payments")]
            return await ask(server.kubeconfig(), off, contexts=contexts)

    first, *documents = run(work())
    assert (first.name, first.given) == ("context ledger: API server", "ledger")
    assert reasons([first]) == [
        "config: context ledger: proxy-url is not followed; run this where the API server is reached directly"
    ]
    assert verdicts(documents) == verdicts(asked(api_of(DARK).answer))


def test_who_is_vouched_for_by_somebody_else_gets_no_token(authority: trustme.CA) -> None:
    """Nor one whom this machine trusts, where the kubeconfig names an authority."""

    async def work() -> list[CoverageDocument]:
        async with serving(API, authority=authority) as server:
            server.authority = trustme.CA()
            documents = await ask(server.kubeconfig())
            server.authority = None
            documents += await ask(server.kubeconfig())
            assert not server.requests
            return documents

    said = reasons(run(work()))
    assert len(said) == 2
    assert all("its certificate is not trusted" in one and "mend certificate-authority-data" in one for one in said)


@pytest.mark.parametrize(("name", "is_asked"), [("kubernetes.default.svc", True), ("other", False), (None, False)])
def test_a_server_may_be_called_otherwise_than_its_host(
    authority: trustme.CA, name: str | None, is_asked: bool
) -> None:
    """By tls-server-name, as behind a tunnel."""

    async def work() -> list[CoverageDocument]:
        async with serving(API, authority=authority, names=("kubernetes.default.svc",)) as server:
            cluster = {} if name is None else {"tls-server-name": name}
            return await ask(server.kubeconfig(**cluster))

    assert (not reasons(run(work()))) is is_asked


def test_authorities_of_older_clusters_are_trusted_as_kubectl_trusts_them(tmp_path: Path) -> None:
    """They lack an extension; chain, name and date are checked all the same."""
    certificate, tls = old_authority(tmp_path)
    trust = {"certificate-authority-data": base64.b64encode(certificate).decode()}

    async def work() -> list[CoverageDocument]:
        async with serving(API, tls=tls) as server:
            strict = ssl.create_default_context(cadata=certificate.decode())
            with pytest.raises(ssl.SSLCertVerificationError):
                host, _, port = server.url.removeprefix("https://").partition(":")
                await asyncio.open_connection(host, int(port), ssl=strict)
            return await ask(server.kubeconfig(**trust))

    assert not reasons(run(work()))


@pytest.mark.parametrize("is_file", [False, True])
def test_a_user_may_be_a_certificate(authority: trustme.CA, tmp_path: Path, is_file: bool) -> None:
    """In the kubeconfig, or in files beside it."""
    own = authority.issue_cert("me@contoso.com")
    certificate, key = own.cert_chain_pems[0].bytes(), own.private_key_pem.bytes()
    (tmp_path / "me.pem").write_bytes(certificate)
    (tmp_path / "me.key").write_bytes(key)
    data = {
        "client-certificate-data": base64.b64encode(certificate).decode(),
        "client-key-data": base64.b64encode(key).decode(),
    }
    user = {"client-certificate": "me.pem", "client-key": "me.key"} if is_file else data

    async def work() -> list[CoverageDocument]:
        async with serving(API, authority=authority) as server:
            documents = await ask(server.kubeconfig(user), named_in=str(tmp_path / "config"))
            assert not any("Authorization" in one.headers for one in server.requests)
            return documents

    assert not reasons(run(work()))


def test_a_user_may_have_a_file_of_a_token_or_a_password(tmp_path: Path) -> None:
    """A token's file goes before a token, and who is not known is said to be so."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")

    async def work(user: object, token: str = TOKEN) -> list[CoverageDocument]:
        async with serving(API) as server:
            server.tokens = {token}
            return await ask(server.kubeconfig(user), named_in=str(tmp_path / "config"))

    assert not reasons(run(work({"token": "old", "tokenFile": "token"})))
    assert not reasons(run(work({"username": "me", "password": "x"}, base64.b64encode(b"me:x").decode())))
    (refused,) = reasons(run(work({"token": "old"})))
    assert "does not know who asks (401)" in refused
    (missing,) = reasons(run(work({"tokenFile": "gone"})))
    assert missing.startswith("context payments: gone: cannot be read")


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ({"client-certificate-data": "YQ==", "client-key-data": "YQ=="}, "no pair in PEM, or the key has a password"),
        ({"token": "canary\nx"}, "its token holds what no token does"),
    ],
)
def test_credentials_that_are_none_are_said_without_them(user: object, said: str) -> None:
    """Of one context, as everything else."""

    async def work() -> list[CoverageDocument]:
        async with serving(API) as server:
            return await ask(server.kubeconfig(user))

    (reason,) = reasons(run(work()))
    assert said in reason
    assert "canary" not in reason


def plugin(folder: Path, script: str) -> object:
    """A user whose token a script prints."""
    version = "client.authentication.k8s.io/v1"
    program = folder / "plugin"
    status = '"status": {"token": "%s"}'
    printing = f"""printf '{{"apiVersion": "{version}", "kind": "ExecCredential", {status}}}' "$token" """
    program.write_text(f"#!/bin/sh\n{script}\n{printing}\n")
    program.chmod(0o700)
    return {"exec": {"apiVersion": version, "command": "./plugin", "interactiveMode": "Never"}}


@pytest.mark.parametrize(("script", "is_asked"), [("token=$new", True), ("token=$old", False), ("exit 1", False)])
def test_a_plugin_is_asked_once_more_where_its_token_has_ended(tmp_path: Path, script: str, is_asked: bool) -> None:
    """As kubectl does: what it gave out first may have ended in between."""
    first = (
        f"old=old; new={TOKEN}; if [ -e {tmp_path}/asked ]; then {script}; else token=$old; fi; touch {tmp_path}/asked"
    )

    async def work() -> list[CoverageDocument]:
        async with serving(API) as server:
            return await ask(server.kubeconfig(plugin(tmp_path, first)), named_in=str(tmp_path / "config"))

    assert (not reasons(run(work()))) is is_asked


def test_plugins_are_run_one_after_the_other(tmp_path: Path) -> None:
    """Two that ask somebody at the terminal would hear one answer."""
    busy, clash = tmp_path / "busy", tmp_path / "clash"
    script = f"token={TOKEN}; mkdir {busy} || touch {clash}; sleep 0.05; rmdir {busy}"
    contexts = [NamedContext(name, name) for name in ("one", "two", "three")]

    async def work() -> list[CoverageDocument]:
        async with serving(API) as server:
            user = plugin(tmp_path, script)
            configs = [server.kubeconfig(user, context=one.context) for one in contexts]
            return await ask(*configs, contexts=contexts, named_in=str(tmp_path / "config"))

    assert not reasons(run(work()))
    assert not clash.exists()


def test_a_server_that_is_asked_too_much_is_waited_for() -> None:
    """As long as it asks for."""
    waits: list[float] = []

    def busy(number: int, _: web.Request) -> web.Response | None:
        return web.Response(status=429, headers={"Retry-After": "7"}) if number in (1, 2) else None

    assert not reasons(run(_asking(busy, waits=waits)))
    assert waits == [7.0, 7.0]


async def _asking(
    instead: Callable[[int, web.Request], web.StreamResponse | None],
    *,
    waits: list[float] | None = None,
    seconds: float = PATIENCE,
) -> list[CoverageDocument]:
    async with serving(API) as server:
        server.instead = instead
        return await ask(server.kubeconfig(), waits=waits, seconds=seconds)


def _cut(_: int, request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize(
    ("instead", "said"),
    [
        (lambda *_: web.Response(status=500), "is not able to answer just now (500)"),
        (lambda *_: web.Response(status=302, headers={"Location": "https://10.0.0.1/"}), "answered 302"),
        (lambda *_: web.Response(body=b"<html>"), "no object in JSON"),
        (_cut, "the API server was not reached"),
    ],
)
def test_whatever_a_server_does_covers_nothing(
    instead: Callable[[int, web.Request], web.StreamResponse], said: str
) -> None:
    """After the nodes, so that something was answered."""
    documents = run(_asking(lambda number, request: instead(number, request) if number > 1 else None))
    assert said in reasons(documents)[0]
    assert CoverageState.COVERED not in states(documents).values()


def test_a_server_that_never_answers_is_left() -> None:
    """When the time for all is over."""

    async def work() -> list[CoverageDocument]:
        async with serving(API) as server:
            server.is_silent = True
            return await ask(server.kubeconfig(), seconds=0.2)

    (reason,) = reasons(run(work()))
    assert "not answered within the time limit of 0.2 s" in reason


@pytest.mark.parametrize(
    "request_",
    [
        HttpRequest(method="GET", url="https://10.0.0.1/api"),
        HttpRequest(method="GET", url=f"{SERVER}.contoso.com/api"),
        HttpRequest(method="DELETE", url=f"{SERVER}/api/v1/nodes"),
    ],
)
def test_nothing_but_the_api_server_is_asked_and_only_to_read(request_: HttpRequest) -> None:
    """Whatever a probe came to."""
    access = kubeconfig_of([("config", ApiServer(API, SERVER).kubeconfig())]).access_for("payments")

    async def work() -> None:
        connection = ClusterConnection(access, Settings({}), TimeLimit(PATIENCE), asyncio.Lock())
        await connection.open()
        with pytest.raises(Unavailable, match="was not asked"):
            await connection.send(request_)
        await connection.close()

    run(work())
    assert TOKEN not in repr(access)


@pytest.mark.parametrize(("longest", "is_read"), [(10_000, True), (100, False)])
def test_an_answer_that_is_too_long_is_none(longest: int, is_read: bool) -> None:
    """Half of a list would be less than nothing."""

    async def work() -> int:
        async with serving(API) as server:
            access = kubeconfig_of([("config", server.kubeconfig())]).access_for("payments")
            connection = ClusterConnection(access, Settings({}), TimeLimit(9), asyncio.Lock(), longest=longest)
            await connection.open()
            try:
                return (await connection.send(HttpRequest(method="GET", url=f"{server.url}/apis"))).status
            finally:
                await connection.close()

    if is_read:
        assert run(work()) == 200
    else:
        with pytest.raises(Unavailable, match="longer than 100 bytes"):
            run(work())
