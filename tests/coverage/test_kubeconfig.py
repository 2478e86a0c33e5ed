"""What kubeconfig files say of a context is what kubectl takes them to say, or is refused in one line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.app.settings import Settings
from router.coverage.asking.kubeconfig import (
    ClusterAccess,
    NamedContext,
    contexts_for,
    merge_kubeconfigs,
    open_kubeconfig,
)
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


def access(*files: object) -> ClusterAccess:
    """How the context payments of some files is asked."""
    found = merge_kubeconfigs((f"/home/me/{number}/config", one) for number, one in enumerate(files))
    return found.access_for("payments", Settings({}))


def test_a_context_is_its_cluster_and_its_user() -> None:
    """The server has no slash at its end. What is secret is not shown. A plugin may ask a person unless it says otherwise."""
    found = access(kubeconfig({"server": "https://rancher.contoso.com/k8s/clusters/c-1/", "tls-server-name": "api"}))
    assert found.server == "https://rancher.contoso.com/k8s/clusters/c-1"
    assert found.cluster == {"server": found.server, "tls-server-name": "api"}
    assert (found.user, "canary" in repr(found)) == ({"token": "canary"}, False)
    never = {"exec": {**EXEC, "interactiveMode": "Never"}}
    assert [access(kubeconfig(user=one)).may_ask for one in ({"token": "x"}, {"exec": EXEC}, never)] == [
        False,
        True,
        False,
    ]


def test_paths_are_relative_to_the_kubeconfig_in_which_they_stand() -> None:
    """Also that of a plugin, where its name has a folder."""
    files = {"client-certificate": "me.pem", "client-key": "/etc/me.key", "tokenFile": "token"}
    found = access({}, kubeconfig({"certificate-authority": "ca.pem"}, {**files, "exec": {"command": "bin/plugin"}}))
    assert found.cluster["certificate-authority"] == "/home/me/1/ca.pem"
    there = {"client-certificate": "/home/me/1/me.pem", "client-key": "/etc/me.key", "tokenFile": "/home/me/1/token"}
    assert found.user == {**there, "exec": {"command": "/home/me/1/bin/plugin"}}
    assert access(kubeconfig(user={"exec": EXEC})).user == {"exec": EXEC}


def test_of_several_files_the_first_wins_each_name_as_a_whole() -> None:
    """As kubectl has it: nothing of the second is laid over the first. Parts may come from different files."""
    user = {"username": "me", "password": "x"}
    second = kubeconfig({"server": "https://10.0.0.2", "tls-server-name": "second"}, user)
    found = access(kubeconfig(user={"token": "first"}), second)
    assert (found.cluster, found.user) == ({"server": "https://10.0.0.1:6443"}, {"token": "first"})
    apart = access({"contexts": kubeconfig()["contexts"]}, {"users": kubeconfig()["users"]}, None, kubeconfig())
    assert apart.server == "https://10.0.0.1:6443"
    assert merge_kubeconfigs([("a", kubeconfig()), ("b", kubeconfig(name="ledger"))]).contexts == ("payments", "ledger")


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


def test_what_is_no_kubeconfig_is_said() -> None:
    """By the name of the file."""
    named: tuple[object, ...] = ({"users": [1]}, {"contexts": [{"context": {}}]}, {"users": [{"name": 3}]})
    for value in ("text", [], 3, {"clusters": {}}, *named):
        with pytest.raises(BadFile, match=r"^/home/me/0/config: is no kubeconfig"):
            access(value)
    with pytest.raises(BadFile, match=r"has two users that are called payments"):
        access(kubeconfig(users=kubeconfig()["users"] * 2))


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
    """A pattern names each that it fits as it is called. What both of two contexts answer would be judged as one cluster."""
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


def test_a_context_that_is_not_there_is_said() -> None:
    """With those that are."""
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
    """The one that is named, which must be there, else those that KUBECONFIG lists and that are there, in order, each once."""
    files = [written(tmp_path / "a", "payments"), tmp_path / "gone", written(tmp_path / "b", "ledger"), tmp_path / "a"]
    listed = Settings({"KUBECONFIG": os.pathsep.join(["", *map(str, files)])})
    assert open_kubeconfig(None, listed).contexts == ("payments", "ledger")
    assert open_kubeconfig(tmp_path / "b", listed).contexts == ("ledger",)
    with pytest.raises(BadFile, match=r"gone: cannot be read: No such file"):
        open_kubeconfig(tmp_path / "gone", listed)
    home = (Path.home() / ".kube" / "config",)
    assert Settings({}).kubeconfigs == Settings({"KUBECONFIG": ""}).kubeconfigs == home


def test_what_is_no_yaml_is_said_without_what_stands_there(tmp_path: Path) -> None:
    """It may be a token. Nor is a folder a kubeconfig, or what has no name of a file."""
    file = tmp_path / "config"
    for text in ("users: [{token: canary", "a: !!python/object:os.system x", "\0", "- " * 3 + "&a *b"):
        file.write_text(text)
        with pytest.raises(BadFile, match=r"config: is no YAML, so no kubeconfig$"):
            open_kubeconfig(file, Settings({}))
    for path, said in ((tmp_path, "cannot be read: Is a directory"), (Path("a\0b"), "is no name of a file")):
        with pytest.raises(BadFile, match=said):
            open_kubeconfig(path, Settings({}))
