"""What kubeconfigs say of a context is what kubectl takes them to say; kubectl is run for what it prints, and nothing else."""

import asyncio
import base64
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from router.app.settings import Settings
from router.coverage.asking import kubectl
from router.coverage.asking.clusters import ask_clusters
from router.coverage.asking.kubeconfig import (
    ClusterAccess,
    NamedContext,
    contexts_for,
    merge_kubeconfigs,
    open_kubeconfig,
)
from router.coverage.asking.retries import TimeLimit
from router.coverage.documents import CoverageDocument
from router.domain.errors import BadFile, BadUsage, UserError
from tests.coverage.builders import UNKNOWN
from tests.coverage.live_clusters import DARK, HEALTHY, asked, cluster_of, reasons, states, verdicts
from tests.leash import is_gone
from tests.stack.kubernetes_api.kubectl import answer, install
from tests.stack.kubernetes_api.server import TOKEN, ApiServer, refusal, serving
from tests.waiting import PATIENCE, until

V1 = "client.authentication.k8s.io/v1"
EXEC = {"apiVersion": V1, "command": "kubelogin", "interactiveMode": "IfAvailable"}


def kubeconfig(
    cluster: object = None, user: object = None, *, name: str = "payments", **changes: object
) -> dict[str, Any]:
    """A kubeconfig with one context, whose cluster and user are called as it is."""
    server = {"server": "https://10.0.0.1:6443"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {**server, **cluster} if isinstance(cluster, dict) else server}],
        "users": [{"name": name, "user": {"token": "canary"} if user is None else user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        **changes,
    }


def access(*files: object) -> ClusterAccess:
    """How the context payments of some files is asked."""
    found = merge_kubeconfigs((f"/home/me/{number}/config", one) for number, one in enumerate(files))
    return found.access_for("payments", Settings({}))


def test_a_context_is_its_cluster_and_its_user() -> None:
    """What is secret is not shown. A plugin may ask a person. Paths are relative to the file in which they stand."""
    told = kubeconfig({"server": "https://rancher.contoso.com/k8s/clusters/c-1/", "tls-server-name": "api"})
    merged, found = merge_kubeconfigs([("config", told)]), access(told)
    assert found.server == "https://rancher.contoso.com/k8s/clusters/c-1"
    assert found.cluster == {"server": found.server, "tls-server-name": "api"}
    assert (found.user, "canary" in repr((found, merged))) == ({"token": "canary"}, False)
    never = {"exec": {**EXEC, "interactiveMode": "Never"}}
    assert [access(kubeconfig(user=one)).may_ask for one in ({"token": "x"}, {"exec": EXEC}, never)] == [
        False,
        True,
        False,
    ]
    files = {"client-certificate": "me.pem", "client-key": "/etc/me.key", "tokenFile": "token"}
    found = access({}, kubeconfig({"certificate-authority": "ca.pem"}, {**files, "exec": {"command": "bin/plugin"}}))
    assert found.cluster["certificate-authority"] == "/home/me/1/ca.pem"
    there = {"client-certificate": "/home/me/1/me.pem", "client-key": "/etc/me.key", "tokenFile": "/home/me/1/token"}
    assert found.user == {**there, "exec": {"command": "/home/me/1/bin/plugin"}}
    assert access(kubeconfig(user={"exec": EXEC})).user == {"exec": EXEC}


def test_what_is_not_followed_is_refused_in_one_line(subtests: pytest.Subtests) -> None:
    """It names the file and the context, says what to do, and shows no secret. Without TLS only this machine is asked."""
    for cluster, user, said in (
        ({"insecure-skip-tls-verify": True}, None, "insecure-skip-tls-verify would send its credentials to whoever"),
        ({"proxy-url": "http://proxy:3128"}, None, "proxy-url is not followed"),
        ({"server": "http://10.0.0.1"}, None, "asked without TLS; write https"),
        ({"server": "https://me:canary@10.0.0.1"}, None, "no user or password"),
        ({"server": "https://10.0.0.1/?a=b"}, None, "more than a host and a path"),
        ({"server": "https://aks.contoso.example"}, None, "nobody's and never asked"),
        ({"server": "unix:///x"}, None, "must be an https URL"),
        ({"server": 3}, None, "is no address"),
        (None, {"auth-provider": {"name": "azure"}}, "use an exec plugin, such as kubelogin"),
        (None, {"token": "canary", "as": "admin"}, "asks as somebody else, by as"),
    ):
        with subtests.test(said):
            with pytest.raises(BadFile, match=r"^/home/me/0/config: context payments: ") as caught:
                access(kubeconfig(cluster, user))
            assert said in str(caught.value)
            assert not any(word in str(caught.value) for word in ("canary", "\n"))
    for part in ("clusters", "users"):
        with pytest.raises(BadFile, match=rf"context payments: its {part[:-1]} is not there"):
            access({**kubeconfig(), part: []})
    assert access(kubeconfig({"server": "http://127.0.0.1:8001"})).server == "http://127.0.0.1:8001"


def test_what_is_no_kubeconfig_is_said_without_what_stands_there(tmp_path: Path) -> None:
    """By the name of the file: it may be a token. Nor is a folder a kubeconfig, or what has no name of a file."""
    named: tuple[object, ...] = ({"users": [1]}, {"contexts": [{"context": {}}]}, {"users": [{"name": 3}]})
    for value in ("text", [], 3, {"clusters": {}}, *named):
        with pytest.raises(BadFile, match=r"^/home/me/0/config: is no kubeconfig"):
            access(value)
    with pytest.raises(BadFile, match=r"has two users that are called payments"):
        access(kubeconfig(users=kubeconfig()["users"] * 2))
    file = tmp_path / "config"
    for text in ("users: [{token: canary", "a: !!python/object:os.system x", "\0", "- " * 3 + "&a *b"):
        file.write_text(text)
        with pytest.raises(BadFile, match=r"config: is no YAML, so no kubeconfig$"):
            open_kubeconfig(file, Settings({}))
    for path, said in ((tmp_path, "cannot be read: Is a directory"), (Path("a\0b"), "is no name of a file")):
        with pytest.raises(BadFile, match=said):
            open_kubeconfig(path, Settings({}))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["YQ==", "https://127.0.0.1"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "apiVersion", "command"]), inner)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["server", "certificate-authority-data", "extensions", "tls-server-name", "token", "exec", "client-key", "username"]
)


@given(st.dictionaries(FIELDS, JUNK), st.dictionaries(FIELDS, JUNK), JUNK)
def test_nothing_in_a_kubeconfig_is_a_traceback(
    cluster: dict[str, object], user: dict[str, object], all: object
) -> None:
    """It is understood, or refused in one line."""
    for value in (kubeconfig(cluster, user), all, kubeconfig(clusters=all), kubeconfig(exec=all)):
        try:
            access(value, kubeconfig())
        except UserError as fault:
            assert "\n" not in str(fault)


def test_a_context_counts_as_the_cluster_of_its_name_or_of_the_one_before_it() -> None:
    """A pattern names each that it fits. Two that would be judged as one cluster are refused; so is one that is not there."""
    arn = "arn:aws:eks:eu-west-1:1:cluster/x"
    known = ["aks-a", "aks-b", arn, "odd=name"]
    for arguments, found in (
        (["aks-a"], {"aks-a": "aks-a"}),
        (["aks-*"], {"aks-a": "aks-a", "aks-b": "aks-b"}),
        (["*", "aks-a"], {one: one for one in known}),
        (["payments=aks-a"], {"payments": "aks-a"}),
        (["/subscriptions/1/x=aks-a", "aks-b"], {"/subscriptions/1/x": "aks-a", "aks-b": "aks-b"}),
        (["odd=name"], {"odd=name": "odd=name"}),
        ([arn], {arn: arn}),
    ):
        assert contexts_for(arguments, known) == tuple(NamedContext(*one) for one in found.items())
    for arguments in (["a=aks-a", "A=aks-b"], ["aks-*", "aks-a=aks-b"], ["*"]):
        with pytest.raises(
            BadUsage, match=r"two contexts count as it, .+ and .+; leave one out, or write NAME=CONTEXT"
        ):
            contexts_for(arguments, ["aks-a", "aks-b", "AKS-B"])
    for argument in ("aks-z", "z-*", "payments=aks-*", "=aks-a", "payments=", "", "payments=aks-z"):
        with pytest.raises(BadUsage, match=r"^--context"):
            contexts_for([argument], ["aks-a", "aks-b"])
    with pytest.raises(BadUsage, match=r"there are aks-a, aks-b$"):
        contexts_for(["aks-z"], ["aks-a", "aks-b"])
    with pytest.raises(BadUsage, match="name the file with --kubeconfig"):
        contexts_for(["aks-z"], [])


def written(path: Path, name: str) -> Path:
    """A kubeconfig with a context of that name."""
    path.write_text(f"contexts: [{{name: {name}, context: {{cluster: a, user: b}}}}]\n")
    return path


def test_the_files_are_those_that_kubectl_would_read(tmp_path: Path) -> None:
    """The one named, else those of KUBECONFIG that are there, each once. The first wins each name as a whole."""
    files = [written(tmp_path / "a", "payments"), tmp_path / "gone", written(tmp_path / "b", "ledger"), tmp_path / "a"]
    listed = Settings({"KUBECONFIG": os.pathsep.join(["", *map(str, files)])})
    assert open_kubeconfig(None, listed).contexts == ("payments", "ledger")
    assert open_kubeconfig(tmp_path / "b", listed).contexts == ("ledger",)
    with pytest.raises(BadFile, match=r"gone: cannot be read: No such file"):
        open_kubeconfig(tmp_path / "gone", listed)
    home = (Path.home() / ".kube" / "config",)
    assert Settings({}).kubeconfigs == Settings({"KUBECONFIG": ""}).kubeconfigs == home
    user = {"username": "me", "password": "x"}
    second = kubeconfig({"server": "https://10.0.0.2", "tls-server-name": "second"}, user)
    found = access(kubeconfig(user={"token": "first"}), second)
    assert (found.cluster, found.user) == ({"server": "https://10.0.0.1:6443"}, {"token": "first"})
    apart = access({"contexts": kubeconfig()["contexts"]}, {"users": kubeconfig()["users"]}, None, kubeconfig())
    assert apart.server == "https://10.0.0.1:6443"
    assert merge_kubeconfigs([("a", kubeconfig()), ("b", kubeconfig(name="ledger"))]).contexts == ("payments", "ledger")


PAYMENTS = NamedContext("payments", "payments")
LEDGER = NamedContext("ledger", "ledger")
REAL = shutil.which("kubectl")


def ask(folder: Path, *kubeconfigs: object, **options: Any) -> list[CoverageDocument]:
    """What comes of asking contexts with the programs of a folder."""
    return asyncio.run(_ask(folder, *kubeconfigs, **options))


async def _ask(
    folder: Path,
    *kubeconfigs: object,
    contexts: Sequence[NamedContext] = (PAYMENTS,),
    seconds: float = PATIENCE,
    variables: Mapping[str, str] | None = None,
) -> list[CoverageDocument]:
    """The same; nothing waits between two attempts."""

    async def sleep(_: float) -> None:
        pass

    found = merge_kubeconfigs((str(folder / "config"), one) for one in kubeconfigs or [kubeconfig()])
    settings = Settings({"PATH": f"{folder}:/usr/bin:/bin", **(variables or {})})
    return await ask_clusters(contexts, found, settings, TimeLimit(seconds), sleep=sleep)


def calls(log: Path) -> list[dict[str, Any]]:
    """With what kubectl was called."""
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_cluster_is_asked_by_kubectl_in_its_context(tmp_path: Path) -> None:
    """What comes is what files of the same would say. Two clusters are each asked by themselves."""
    log = install(tmp_path, {"payments": HEALTHY, "ledger": DARK})
    found = ask(tmp_path, kubeconfig(), kubeconfig(name="ledger"), contexts=[PAYMENTS, LEDGER])
    assert [one for one in found if one.given == "payments"] == asked(cluster_of(HEALTHY))
    assert {one.given for one in found} == {"payments", "ledger"}
    words = [one["words"] for one in calls(log)]
    assert all(each[:2] == ["get", each[1]] and each[2:5] == ["-A", "-o", "json"] for each in words)
    assert all(each[5] == "--context" and each[6] in ("payments", "ledger") for each in words)


def test_kubectl_is_told_of_one_context_and_only_what_was_looked_through(tmp_path: Path) -> None:
    """A field that is not known is no field of its kubeconfig. Paths in it lead where they led before."""
    log = install(tmp_path, {"payments": HEALTHY})
    cluster = {"certificate-authority": "ca.pem", "tls-server-name": "api", "disable-compression": True}
    user = {"tokenFile": "token", "exec": {"command": "./plugin", "interactiveMode": "Never"}, "impersonate": "admin"}
    ask(tmp_path, kubeconfig(cluster, user), kubeconfig(name="ledger"))
    told = yaml.safe_load(str(calls(log)[0]["kubeconfig"]))
    (reached,), (asker,) = told["clusters"], told["users"]
    assert reached["cluster"].pop("proxy-url").startswith("http://127.0.0.1:")
    server = {"server": "https://10.0.0.1:6443", "tls-server-name": "api"}
    assert reached["cluster"] == {**server, "certificate-authority": str(tmp_path / "ca.pem")}
    plugin = {"command": str(tmp_path / "plugin"), "interactiveMode": "Never"}
    assert asker["user"] == {"tokenFile": str(tmp_path / "token"), "exec": plugin}
    assert told["contexts"] == [{"name": "payments", "context": {"cluster": "payments", "user": "payments"}}]
    (file,) = {each[each.index("--kubeconfig") + 1] for each in ([*one["words"]] for one in calls(log))}
    assert not Path(file).exists()


def test_kubectl_has_no_proxy_and_no_settings_of_its_own(tmp_path: Path) -> None:
    """What its plugins need stays. Where a kubeconfig names no authorities those of this program count."""
    (tmp_path / "ca.pem").write_bytes(trustme.CA().cert_pem.bytes())
    log = install(tmp_path, {"payments": HEALTHY})
    bad = {"HTTPS_PROXY": "http://proxy", "http_proxy": "x", "ALL_PROXY": "x", "NO_PROXY": "x", "KUBECONFIG": "x"}
    good = {"AZURE_CLIENT_ID": "me", "ALERT_ROUTER_CA_FILE": str(tmp_path / "ca.pem")}
    ask(tmp_path, variables={**bad, **good, "KUBECTL_EXTERNAL_DIFF": "x"})
    told, given = yaml.safe_load(str(calls(log)[0]["kubeconfig"])), calls(log)[0]["environment"]
    assert not {*bad, "KUBECTL_EXTERNAL_DIFF"} & set(given)
    assert (given["AZURE_CLIENT_ID"], given["KUBERC"]) == ("me", "off")
    assert Path(told["clusters"][0]["cluster"]["certificate-authority"]).suffix == ".pem"


def test_what_is_refused_is_not_run(tmp_path: Path) -> None:
    """And keeps no other cluster from being asked."""
    log = install(tmp_path, {"payments": HEALTHY, "ledger": HEALTHY})
    user = {"token": "canary", "as": "admin"}
    found = ask(tmp_path, kubeconfig(None, user), kubeconfig(name="ledger"), contexts=[PAYMENTS, LEDGER])
    (reason,) = reasons(found)
    assert ("asks as somebody else, by as" in reason, "canary" in reason) == (True, False)
    assert {one["words"][6] for one in calls(log)} == {"ledger"}


def test_without_kubectl_a_cluster_is_unknown(tmp_path: Path) -> None:
    """In one line that says what to install. A file that is no program is not kubectl."""
    merged = merge_kubeconfigs([("config", kubeconfig())])
    found = asyncio.run(ask_clusters([PAYMENTS], merged, Settings({"PATH": str(tmp_path)}), TimeLimit(9)))
    (reason,) = reasons(found)
    assert reason.startswith("kubectl is not installed; install it, as with `az aks install-cli`")
    assert set(states(found).values()) == {UNKNOWN}
    (tmp_path / "kubectl").write_bytes(b"\x7fELF")
    (tmp_path / "kubectl").chmod(0o700)
    assert reasons(ask(tmp_path)) == ["kubectl cannot be run (OSError); install it anew"]


def test_what_is_too_long_or_too_late_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a list is less than nothing. What hangs is left when the time is over, with what it started."""
    monkeypatch.setattr(kubectl, "LONGEST_ANSWER", 100_000)
    install(tmp_path, {"payments": HEALTHY}, "exec yes")
    found = reasons(ask(tmp_path))
    assert found and all("the answer is longer than 100,000 bytes" in one for one in found)
    install(tmp_path, {"payments": HEALTHY}, f"sleep 600 & echo $! > {tmp_path}/id; wait")
    assert reasons(ask(tmp_path, seconds=0.5)) == ["not answered within the time limit of 0.5 s"]
    child = int((tmp_path / "id").read_text())
    asyncio.run(until(lambda: not _is_running(child)))


def test_kubectl_does_not_outlive_a_command_that_is_given_up(tmp_path: Path) -> None:
    """As by Ctrl-C."""
    own_id = f"echo $$ > {tmp_path}/id.new; mv {tmp_path}/id.new {tmp_path}/id"
    install(tmp_path, {"payments": HEALTHY}, f"{own_id}; exec sleep 600")

    async def give_up() -> None:
        task = asyncio.create_task(_ask(tmp_path))
        await until((tmp_path / "id").exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert is_gone(int((tmp_path / "id").read_text()))


def test_what_a_plugin_complains_of_is_not_repeated(tmp_path: Path) -> None:
    """It may hold anything. What holds complaints open is not waited for, as a browser that a plugin opened to sign in."""
    install(tmp_path, {"payments": HEALTHY}, "setsid sleep 20 >/dev/null &")
    assert not reasons(ask(tmp_path))
    install(tmp_path, {}, "echo canary-token: getting credentials: exec: executable x >&2; exit 1")
    (reason,) = reasons(ask(tmp_path))
    assert reason == "its exec plugin gave out no credential; `kubectl get nodes --context payments` shows why"


@pytest.mark.tools
@pytest.mark.skipif(REAL is None, reason="kubectl is not installed")
class TestRealKubectl:
    """kubectl itself, against an API server on loopback."""

    @pytest.fixture
    def bin(self, tmp_path: Path) -> Path:
        """A folder in which kubectl is."""
        assert REAL is not None
        (tmp_path / "kubectl").symlink_to(REAL)
        return tmp_path

    def ask(self, bin: Path, server: ApiServer, **changes: Any) -> list[CoverageDocument]:
        """What comes of asking an API server, whose kubeconfig is changed in some way."""

        async def work() -> list[CoverageDocument]:
            async with serving(server):
                return await _ask(bin, server.kubeconfig(**changes))

        return asyncio.run(work())

    def test_what_it_prints_is_what_the_double_prints(self, bin: Path) -> None:
        """So that every other test holds for it, too."""
        found = self.ask(bin, ApiServer(HEALTHY, page=2))
        assert not reasons(found)
        assert verdicts(found) == verdicts(asked(cluster_of(HEALTHY)))
        both = ([(one.name, one.empty_lists) for one in some] for some in (found, asked(cluster_of(HEALTHY))))
        assert next(both) == next(both)

    @pytest.mark.parametrize(("status", "reason"), [(403, "Forbidden"), (404, "NotFound"), (500, "InternalError")])
    def test_it_complains_as_the_double_does(self, bin: Path, status: int, reason: str) -> None:
        """Of one kind, beside which the rest is judged."""

        def busy(_: int, request: web.Request) -> web.Response | None:
            is_asked = request.path.endswith("/daemonsets")
            return refusal(status, reason, "some words") if is_asked else None

        server = ApiServer(HEALTHY)
        server.instead = busy
        complaint = f"Error from server ({reason}): some words\n"
        expected = reasons(asked(cluster_of(HEALTHY, {"daemonsets": complaint})))
        assert reasons(self.ask(bin, server)) == expected

    def test_it_asks_the_server_of_the_kubeconfig_and_no_other(self, bin: Path) -> None:
        """It follows redirects by itself, and would give the token to whom the same authority vouches for."""
        authority = trustme.CA()

        async def work() -> tuple[list[CoverageDocument], int]:
            async with (
                serving(ApiServer(HEALTHY, authority), "localhost") as server,
                serving(ApiServer(HEALTHY, authority), "localhost") as other,
            ):

                def lead_away(_: int, request: web.Request) -> web.Response | None:
                    location = f"{other.url}{request.rel_url}"
                    is_asked = request.path.endswith("/nodes")
                    return web.Response(status=302, headers={"Location": location}) if is_asked else None

                server.instead = lead_away
                found = await _ask(bin, server.kubeconfig())
                assert any(one.headers.get("Authorization") == f"Bearer {TOKEN}" for one in server.requests)
                return found, len(other.requests)

        found, led = asyncio.run(work())
        assert led == 0
        assert reasons(found)[0].startswith("the API server was not reached")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"user": {"token": "old"}}, "does not know who asks (401)"),
            ({"user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-program",
              "interactiveMode": "Never"}}}, "its exec plugin gave out no credential"),
            ({"certificate-authority-data": base64.b64encode(trustme.CA().cert_pem.bytes()).decode()},
             "its certificate is not trusted"),
        ],
    )  # fmt: skip
    def test_why_it_is_not_answered_is_understood(self, bin: Path, change: dict[str, Any], said: str) -> None:
        """From what it complains of."""
        (reason,) = reasons(self.ask(bin, ApiServer(HEALTHY), **change))
        assert said in reason

    def test_an_older_cluster_has_fewer_kinds_and_one_that_is_gone_none(self, bin: Path) -> None:
        """That there is none is an answer. A server that is gone is said at once: kubectl itself would try for a minute."""
        lacks = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")

        async def work() -> tuple[list[CoverageDocument], ...]:
            async with serving(ApiServer(DARK, lacks=lacks)) as server:
                there = server.kubeconfig()
                found = await _ask(bin, there)
            return found, await _ask(bin, there)

        found, gone = asyncio.run(work())
        (reason,) = reasons(gone)
        assert reason.startswith("the API server was not reached")
        assert not reasons(found)
        assert verdicts(found) == verdicts(asked(cluster_of(DARK)))


def test_the_double_knows_what_it_has_not() -> None:
    """As kubectl says it."""
    said = 'error: the server doesn\'t have a resource type "constraints"\n'
    assert answer([], ["get", "constraints", "-A", "-o", "json"]) == (1, "", said)


def _is_running(process: int) -> bool:
    """Whether a process runs; none may be there that sees to one that has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
