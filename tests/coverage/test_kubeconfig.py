"""What kubeconfig files say of a context is what kubectl takes them to say, or is refused in one line."""

from __future__ import annotations

import base64
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.coverage.live.contexts import NamedContext, contexts_for
from router.coverage.live.credential_plugins import Credential, InteractiveMode, find_credential, info_for, plugin_in
from router.coverage.live.kubeconfig import ClusterAccess, LocalFile, kubeconfig_of
from router.domain.errors import BadFile, BadUsage, UserError

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


def access(*files: object, context: str = "payments") -> ClusterAccess:
    """How a context of some files is asked."""
    return kubeconfig_of((f"/home/me/{number}/config", one) for number, one in enumerate(files)).access_for(context)


def test_a_context_is_its_cluster_and_its_user() -> None:
    """The server has no slash at its end, so that paths can follow."""
    found = access(kubeconfig({"server": "https://rancher.contoso.com/k8s/clusters/c-1/", "tls-server-name": "api"}))
    assert found.server == "https://rancher.contoso.com/k8s/clusters/c-1"
    assert (found.context, found.tls_name, found.user.token) == ("payments", "api", "canary")
    assert "canary" not in repr(found)


def test_what_stands_in_the_kubeconfig_goes_before_a_file() -> None:
    """Paths are relative to the kubeconfig in which they stand."""
    data = base64.encodebytes(b"-----BEGIN CERTIFICATE-----" * 5).decode()
    both = {"certificate-authority": "ca.pem", "certificate-authority-data": data}
    assert access(kubeconfig(both)).authority == b"-----BEGIN CERTIFICATE-----" * 5
    files = {"client-certificate": "me.pem", "client-key": "/etc/me.key", "tokenFile": "token"}
    user = access({}, kubeconfig({"certificate-authority": "ca.pem"}, files)).user
    assert user.certificate == LocalFile("me.pem", "/home/me/1/config")
    assert user.key == LocalFile("/etc/me.key", "/home/me/1/config")
    assert user.token_file == LocalFile("token", "/home/me/1/config")


def test_of_several_files_the_first_wins_each_name_as_a_whole() -> None:
    """As kubectl has it: nothing of the second is laid over the first. Parts may come from different files."""
    second = kubeconfig(
        {"server": "https://10.0.0.2", "tls-server-name": "second"}, {"username": "me", "password": "x"}
    )
    found = access(kubeconfig(user={"token": "first"}), second)
    assert (found.server, found.tls_name, found.user.token) == ("https://10.0.0.1:6443", None, "first")
    assert found.user.login is None
    apart = access({"contexts": kubeconfig()["contexts"]}, {"users": kubeconfig()["users"]}, None, kubeconfig())
    assert apart.server == "https://10.0.0.1:6443"
    assert kubeconfig_of([("a", kubeconfig()), ("b", kubeconfig(name="ledger"))]).contexts == ("payments", "ledger")


@pytest.mark.parametrize(
    ("cluster", "user", "said"),
    [
        ({"insecure-skip-tls-verify": True}, None, "insecure-skip-tls-verify would send its credentials to whoever"),
        ({"proxy-url": "http://proxy:3128"}, None, "proxy-url is not followed"),
        ({"server": "http://10.0.0.1"}, None, "asked without TLS; write https"),
        ({"server": "https://me:canary@10.0.0.1"}, None, "no user or password"),
        ({"server": "https://10.0.0.1/?a=b"}, None, "more than a host and a path"),
        ({"server": "https://aks.contoso.example"}, None, "nobody's and never asked"),
        ({"server": "unix:///x"}, None, "must be an https URL"),
        ({"server": 3}, None, "is no address"),
        ({"certificate-authority-data": "canary!"}, None, "certificate-authority-data is no base64"),
        (None, {"auth-provider": {"name": "azure"}}, "use an exec plugin, such as kubelogin"),
        (None, {"token": "canary", "as": "admin"}, "asks as somebody else, by as"),
        (None, {"token": "canary", "username": "me"}, "a token and a password"),
        (None, {"client-certificate-data": "YQ=="}, "give both"),
        (None, {"client-certificate": "a", "client-key-data": "canary!"}, "client-key-data is no base64"),
        (None, {"exec": {**EXEC, "apiVersion": "client.authentication.k8s.io/v1alpha1"}}, "speaks no apiVersion"),
        (None, {"exec": {"apiVersion": V1, "command": "x"}}, "has no interactiveMode"),
        (None, {"exec": {**EXEC, "interactiveMode": "Sometimes"}}, "one of Never, IfAvailable, Always"),
        (None, {"exec": {**EXEC, "command": ""}}, "has no command"),
        (None, {"exec": {**EXEC, "args": ["a", 1]}}, "args that are no list of texts"),
        (None, {"exec": {**EXEC, "env": [{"name": "A=B", "value": "canary"}]}}, "no list of names and values"),
        (None, {"exec": "kubelogin"}, "speaks no apiVersion"),
    ],
)
def test_what_is_not_followed_is_refused_in_one_line(cluster: object, user: object, said: str) -> None:
    """It names the file and the context, says what to do, and shows no secret."""
    with pytest.raises(BadFile, match=r"^/home/me/0/config: context payments: ") as caught:
        access(kubeconfig(cluster, user))
    assert said in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_tls_only_this_machine_is_asked() -> None:
    """As `kubectl proxy` serves it."""
    assert access(kubeconfig({"server": "http://127.0.0.1:8001"})).server == "http://127.0.0.1:8001"


@pytest.mark.parametrize(
    "value",
    ["text", [], 3, {"clusters": {}}, {"users": [1]}, {"contexts": [{"context": {}}]}, {"users": [{"name": 3}]}],
)
def test_what_is_no_kubeconfig_is_said(value: object) -> None:
    """By the name of the file."""
    with pytest.raises(BadFile, match=r"^/home/me/0/config: is no kubeconfig"):
        access(value)
    with pytest.raises(BadFile, match=r"has two users that are called payments"):
        access(kubeconfig(users=kubeconfig()["users"] * 2))


@pytest.mark.parametrize("part", ["clusters", "users"])
def test_a_context_of_what_is_not_there_is_said(part: str) -> None:
    """Other contexts of the file can be asked all the same."""
    with pytest.raises(BadFile, match=rf"context payments: its {part[:-1]} is not there"):
        access({**kubeconfig(), part: []})


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


def test_what_a_plugin_is_to_know_can_be_told_to_it() -> None:
    """YAML has dates and references to itself, and JSON, as which a plugin is told, has neither."""
    itself: dict[str, object] = {}
    itself["a"] = itself
    for value in (date(2026, 1, 1), itself, b"a"):
        said = {"extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"made": value}}]}
        with pytest.raises(BadFile, match="what its extension says is no JSON; put dates in quotes"):
            access(kubeconfig(said))


def test_a_plugin_is_as_its_kubeconfig_says() -> None:
    """v1beta1 needs no interactiveMode. Who has a token needs no plugin, and kubectl runs none then."""
    args = ["get-token", "--server-id", "canary"]
    said = {**EXEC, "args": args, "env": [{"name": "A", "value": "canary"}], "provideClusterInfo": True}
    found = access(kubeconfig(user={"exec": said})).user.plugin
    assert found is not None
    assert (found.command, found.arguments, found.variables) == ("kubelogin", tuple(args), {"A": "canary"})
    assert found.wants_cluster
    assert "canary" not in repr(found)
    old = plugin_in({"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "x", "args": None}, "f", "w")
    assert old is not None
    assert old.mode is InteractiveMode.IF_AVAILABLE
    assert access(kubeconfig(user={"token": "canary", "exec": said})).user.plugin is None


def test_a_plugin_is_told_of_its_cluster_only_where_it_wants_to_be() -> None:
    """https://kubernetes.io/docs/reference/config-api/client-authentication.v1/"""
    plugin = plugin_in(EXEC, "f", "w")
    assert plugin is not None
    info = f'{{"apiVersion": "{V1}", "kind": "ExecCredential", "spec": {{"interactive": false}}}}'
    assert info_for(plugin, {"server": "https://10.0.0.1"}, is_interactive=False) == info


def printed(version: str = V1, kind: str = "ExecCredential", **status: object) -> bytes:
    """What a plugin prints."""
    return json.dumps({"apiVersion": version, "kind": kind, "status": status}).encode()


def test_a_credential_is_a_token_or_a_certificate() -> None:
    """In the version that was asked for; anything else is none."""
    assert find_credential(printed(token="canary"), V1) == Credential("canary")
    pair = printed(clientCertificateData="one", clientKeyData="two")
    assert find_credential(pair, V1) == Credential(certificate=(b"one", b"two"))
    assert "canary" not in repr(find_credential(printed(token="canary"), V1))
    some = [
        printed(),
        printed(token=""),
        printed(token=3),
        printed(token="a\nb"),
        printed(clientKeyData="two"),
        b"",
        b"{",
    ]
    some += [printed("v1", token="x"), printed(kind="Status", token="x"), b"[]", b"null", b"\xff", b"[" * 100_000]
    assert not any(find_credential(one, V1) for one in some)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["aks-a"], [("aks-a", "aks-a")]),
        (["aks-*"], [("aks-a", "aks-a"), ("aks-b", "aks-b")]),
        (["*", "aks-a"], [(one, one) for one in ("aks-a", "aks-b", "arn:aws:eks:eu-west-1:1:cluster/x", "odd=name")]),
        (["payments=aks-a"], [("payments", "aks-a")]),
        (["/subscriptions/1/x=aks-a", "aks-b"], [("/subscriptions/1/x", "aks-a"), ("aks-b", "aks-b")]),
        (["odd=name"], [("odd=name", "odd=name")]),
        (["arn:aws:eks:eu-west-1:1:cluster/x"], [("arn:aws:eks:eu-west-1:1:cluster/x",) * 2]),
    ],
)
def test_a_context_counts_as_the_cluster_of_its_name_or_of_the_one_before_it(
    arguments: list[str], found: list[tuple[str, str]]
) -> None:
    """A pattern names each that it fits as it is called."""
    known = ["aks-a", "aks-b", "arn:aws:eks:eu-west-1:1:cluster/x", "odd=name"]
    assert contexts_for(arguments, known) == tuple(NamedContext(*one) for one in found)


@pytest.mark.parametrize("argument", ["aks-z", "z-*", "payments=aks-*", "=aks-a", "payments=", "", "payments=aks-z"])
def test_a_context_that_is_not_there_is_said(argument: str) -> None:
    """With those that are."""
    with pytest.raises(BadUsage, match=r"^--context"):
        contexts_for([argument], ["aks-a", "aks-b"])
    with pytest.raises(BadUsage, match=r"there are aks-a, aks-b$"):
        contexts_for(["aks-z"], ["aks-a", "aks-b"])
    with pytest.raises(BadUsage, match="name the file with --kubeconfig"):
        contexts_for(["aks-z"], [])


@pytest.mark.parametrize("arguments", [["a=aks-a", "A=aks-b"], ["aks-*", "aks-a=aks-b"], ["*"]])
def test_two_contexts_are_not_one_cluster(arguments: list[str]) -> None:
    """What both answer would be judged as one, and names of clusters are the same in any casing."""
    with pytest.raises(BadUsage, match=r"two contexts count as it, .+ and .+; leave one out, or write NAME=CONTEXT"):
        contexts_for(arguments, ["aks-a", "aks-b", "AKS-B"])
