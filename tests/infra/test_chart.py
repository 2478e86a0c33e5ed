"""The chart: what it says of the program is so; and, as Helm renders it, what could not work is refused with its remedy."""

import json
import re
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import helm
from infra.check import PYTHON
from router import __version__
from router.app.drain import STOP
from router.cli.option_values import rules_given
from router.cli.parser import new_parser
from tests.builders import NOW, alert_body
from tests.docs.pages import page
from tests.infra.predicted import INFRA
from tests.stack.stack import stack_running
from tests.waiting import wait_until
from tests.warm import started

CHART = INFRA / helm.CHART
TEMPLATES = "".join(path.read_text() for path in sorted((CHART / "templates").iterdir()))
UNIT = (INFRA / "systemd" / "alert-router.service").read_text()
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())

IN_A_SECRET = {"ALERT_ROUTER_STATE", "ALERT_ROUTER_CONSOLE_CLIENT_SECRET"}
NOT_OF_SERVE = {"ALERT_ROUTER_DRILL_HEARTBEAT", "ALERT_ROUTER_CONSOLE_TENANT"}
"""Settings that `serve` does not read: drills are another process, and the tenant is Azure's sign-in."""


def keys_of(values: Mapping[str, Any], schema: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Every value by its path, as far as the schema names what it may hold."""
    for key, value in values.items():
        yield at + key
        inner = schema.get("properties", {}).get(key, {})
        inner = SCHEMA["definitions"][inner["$ref"].rpartition("/")[2]] if "$ref" in inner else inner
        if isinstance(value, dict) and "properties" in inner:
            yield from keys_of(value, inner, f"{at}{key}.")


def properties_of(schema: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Every value that a schema names, by its path."""
    for key, inner in schema.get("properties", {}).items():
        yield at + key
        inner = SCHEMA["definitions"][inner["$ref"].rpartition("/")[2]] if "$ref" in inner else inner
        assert "properties" not in inner or inner["additionalProperties"] is False, at + key
        yield from properties_of(inner, f"{at}{key}.")


def test_the_chart_is_of_the_program() -> None:
    """It has the program's version, and every value that it reads is in values.yaml, where its reader finds it."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert {chart["version"], chart["appVersion"]} == {__version__}
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert SCHEMA["additionalProperties"] is False
    assert sorted(keys_of(values, SCHEMA)) == sorted({*properties_of(SCHEMA)} - {"global"})


def test_the_rules_of_each_example_are_taken(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """By the program itself: Helm passes rules that no process would start with."""
    for name, values in helm.examples(INFRA).items():
        with subtests.test(name):
            files: dict[str, str] = values["rules"].get("files", {})
            for written, text in files.items():
                path = tmp_path / name / written
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            assert not files or rules_given(tmp_path / name, None, NOW).problems == ()


def test_every_setting_has_its_way_into_a_pod() -> None:
    """By a value of its own, among the settings, or in the secret; and each that the chart names is one."""
    cells = [row["setting"] for table in page("docs/operations.md").tables("App settings") for row in table]
    settings = set(re.findall(r"ALERT_ROUTER_\w+", " ".join(cells)))
    (named,) = [one["enum"] for one in SCHEMA["properties"]["settings"]["propertyNames"]["anyOf"] if "enum" in one]
    own = set(re.findall(r"name: (ALERT_ROUTER_\w+)", TEMPLATES))
    assert not own & set(named)
    assert own | set(named) | IN_A_SECRET == settings - NOT_OF_SERVE


def test_serve_is_started_as_it_understands() -> None:
    """In a pod with all of its options, and by systemd; both give it longer to end than it gives what is in hand."""
    block = TEMPLATES[TEMPLATES.index("- serve\n") :].partition("{{- include")[0]
    words = [line.strip()[2:] for line in block.splitlines() if line.strip().startswith("- ")]
    pod = new_parser().parse_args(words)
    (started,) = re.findall("^ExecStart=(.+)$", UNIT, re.MULTILINE)
    machine = new_parser().parse_args(started.split()[1:])
    ports = set(re.findall(r"containerPort: (\d+)", TEMPLATES))
    assert {pod.probes, pod.console} == {f"0.0.0.0:{port}" for port in ports}
    assert machine.probes.startswith("127.0.0.1:")
    given = re.findall(r"(?:terminationGracePeriodSeconds: |TimeoutStopSec=)(\d+)", TEMPLATES + UNIT)
    assert given == ["90", "90"]
    assert STOP + 15 <= 90


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("minimal", {"image": {"repository": ""}}, "image.repository: is not set"),
    ("minimal", {"eventHubs": {"namespace": ""}}, "eventHubs.namespace: is not set"),
    ("minimal", {"rules": {"files": None}}, "rules: has neither files nor git.repository"),
    ("minimal", {"rules": {"git": {"repository": "https://git.example/r", "ref": "v1"}}}, "rules: has both"),
    ("minimal", {"rules": {"files": {"cwpp/policy.yaml": None, "policy.yaml": ""}}}, "has no cwpp/policy.yaml"),
    ("minimal", {"rules": {"files": {"../policy.yaml": ""}}}, "../policy.yaml"),
    ("minimal", {"rules": {"files": {"a__b.yaml": ""}}}, "a__b.yaml"),
    ("minimal", {"rules": {"files": {"a/_b.yaml": ""}}}, "a/_b.yaml"),
    ("git", {"rules": {"git": {"ref": ""}}}, "rules.git.ref: is not set"),
    (
        "git",
        {"rules": {"git": {"repository": "https://me:secret@git.example/r"}}},
        "rules.git.repository: is no https URL without",
    ),
    ("git", {"existingSecret": ""}, "state.url: is not set"),
    ("sqlite", {"replicas": 2}, "replicas: a state in SQLite is one process's"),
    ("sqlite", {"state": {"url": "postgresql://a@b/c"}}, "state.url: is for PostgreSQL"),
    ("minimal", {"state": {"url": "postgresql://a:secret@b/c"}}, "state.url: has a password"),
    ("full", {"console": {"roles": ""}}, "console.roles: is not set"),
    ("full", {"console": {"enabled": False}}, "console.ingress.enabled: leads to no console"),
    ("full", {"networkPolicy": {"metricsFrom": []}}, "networkPolicy.metricsFrom: is empty"),
    ("full", {"networkPolicy": {"consoleFrom": []}}, "networkPolicy.consoleFrom: is empty"),
    ("minimal", {"settings": {"ALERT_ROUTER_RETENTIN": "routed=1"}}, "ALERT_ROUTER_RETENTIN"),
    ("minimal", {"settings": {"ALERT_ROUTER_CONSOLE_CLIENT_SECRET": "x"}}, "ALERT_ROUTER_CONSOLE_CLIENT_SECRET"),
    (
        "minimal",
        {"settings": {"ALERT_ROUTER_PROXY": "http://me:secret@proxy.example:3128"}},
        "ALERT_ROUTER_PROXY: has a",
    ),
    (
        "minimal",
        {"settings": {"ALERT_ROUTER_PROXY": "http://proxy.example:3128"}},
        "networkPolicy.egressPorts: lacks 3128",
    ),
    ("minimal", {"settings": {"ALERT_ROUTER_PROXY": "http://proxy.example"}}, "networkPolicy.egressPorts: lacks 80"),
    ("minimal", {"replicas": 0}, "replicas"),
    ("minimal", {"state": {"url": "postgresql://a@b/c?password=secret@"}}, "state.url: has more than"),
    ("minimal", {"settings": {"HTTPS_PROXY": "me:secret@proxy.example:3128"}}, "settings.HTTPS_PROXY: has a password"),
    (
        "git",
        {"rules": {"git": {"repository": "https://git.example/r?token=secret"}}},
        "rules.git.repository: is no https URL",
    ),
    ("git", {"rules": {"git": {"proxy": "http://proxy.example:3128?secret@"}}}, "rules.git.proxy: is not"),
    ("git", {"rules": {"git": {"path": "a/../b"}}}, "/rules/git/path"),
    ("git", {"rules": {"git": {"ref": "v1\n            - --x"}}}, "/rules/git/ref"),
    ("git", {"rules": {"git": {"image": "x\n          command: [sh]"}}}, "/rules/git/image"),
    ("git", {"rules": {"git": {"existingSecret": "x}"}}}, "/rules/git/existingSecret"),
    ("minimal", {"image": {"repository": "x\n          command: [sh]"}}, "/image/repository"),
    ("minimal", {"image": {"tag": "a\n          command: [sh]"}}, "/image/tag"),
    ("minimal", {"priorityClassName": "x\n      hostNetwork: true"}, "/priorityClassName"),
    ("minimal", {"serviceAccount": {"name": "x\n      hostNetwork: true"}}, "/serviceAccount/name"),
    ("minimal", {"existingSecret": "x}, x: {y"}, "/existingSecret"),
    ("minimal", {"certificateAuthorities": {"configMap": "x}"}}, "/certificateAuthorities/configMap"),
    ("minimal", {"workloadIdentity": {"clientId": 'a"\n    b: "c'}}, "/workloadIdentity/clientId"),
    ("minimal", {"networkPolicy": {"metricsFrom": ["a.b"]}}, "/networkPolicy/metricsFrom"),
    ("sqlite", {"state": {"volume": {"storageClassName": "-"}}}, "/state/volume/storageClassName"),
    ("minimal", {"podAnnotations": {"checksum/rules": "x"}}, "checksum/rules"),
    ("minimal", {"podLabels": {"app.kubernetes.io/name": "x"}}, "app.kubernetes.io/name"),
    ("minimal", {"podLabels": {"azure.workload.identity/use": "x"}}, "podLabels: azure.workload.identity/use is set"),
    ("minimal", {"serviceAccount": {"annotations": {"azure.workload.identity/client-id": "x"}}}, "identity/client-id"),
    ("minimal", {"rules": {"files": {"cwpp/a": "", "cwpp/a/b": ""}}}, "rules.files: cwpp/a is a file, and a directory"),
    ("minimal", {"rules": {"files": {"cwpp/a": "x" * 1_048_577}}}, "rules.files: are larger than"),
    ("minimal", {"replica": 2}, "replica"),
    ("minimal", {"console": {"enable": True}}, "enable"),
]


NUMBERS: dict[str, Any] = {
    "existingSecret": "123",
    "networkPolicy": {"metricsFrom": ["123"]},
    "priorityClassName": "yes",
    "rules": {"files": {"123": "a", "0x1F": "b", "null": "c"}},
    "settings": {"NO": "1"},
}
"""Texts that YAML takes for something else where they are not quoted."""


NARROW: dict[str, Any] = {
    "settings": {"ALERT_ROUTER_PROXY": "http://192.0.2.8:3128"},
    "networkPolicy": {
        "egressPorts": [],
        "extraEgress": [{"to": [{"ipBlock": {"cidr": "192.0.2.8/32"}}], "ports": [{"port": 3128, "protocol": "TCP"}]}],
    },
}
"""What goes out reaches one proxy, and no port elsewhere."""


def changed(values: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Values with a change, which goes as deep as its dictionaries do; None takes a key away."""
    known = {key: value for key, value in values.items() if change.get(key, value) is not None}
    return known | {
        key: changed(known.get(key, {}), value) if isinstance(value, dict) else value
        for key, value in change.items()
        if value is not None
    }


@pytest.fixture(scope="module")
def examples() -> dict[str, Mapping[str, Any]]:
    """The values of the examples; skips where Helm is not."""
    if not PYTHON.exists():
        pytest.skip("no Helm here; `make infra-check` brings it")
    return helm.examples(INFRA)


def documents(answer: helm.Rendered) -> dict[tuple[str, str], dict[str, Any]]:
    """What goes to the cluster, by kind and name."""
    assert answer["problems"] == []
    every = filter(None, yaml.safe_load_all(helm.manifests(answer)))
    return {(one["kind"], one["metadata"]["name"]): one for one in every}


@pytest.mark.tools
def test_what_could_not_work_is_refused(examples: dict[str, Mapping[str, Any]], subtests: pytest.Subtests) -> None:
    """A name that is none, and values that are right one by one and not together; no secret is said again."""
    answers = helm.rendered(INFRA, [changed(examples[name], change) for name, change, _ in REFUSED], PYTHON)
    for (name, change, said), answer in zip(REFUSED, answers, strict=True):
        with subtests.test(f"{name} {change}"):
            assert said in " ".join(answer["problems"])
            assert not answer["texts"]
            assert "secret@" not in " ".join(answer["problems"])


@pytest.mark.tools
def test_pods_are_as_they_are_promised(examples: dict[str, Mapping[str, Any]], subtests: pytest.Subtests) -> None:
    """No secret stands anywhere; every container is confined; rules that change replace the pods; SQLite is one process's."""
    other = changed(
        examples["minimal"], {"rules": {"files": {"cwpp_policy.yaml": "another\n"}}, "settings": {"A": "b"}}
    )
    same = changed(examples["minimal"], {"settings": {"A": "b"}})
    other = changed(other, NUMBERS)
    narrow = changed(examples["minimal"], NARROW)
    answers = helm.rendered(INFRA, [*examples.values(), other, same, narrow], PYTHON)
    found = dict(zip([*examples, "other", "same", "narrow"], map(documents, answers), strict=True))
    for name, every in found.items():
        with subtests.test(name):
            assert not [kind for kind, _ in every if kind == "Secret"]
            pod = every["Deployment", "alert-router"]["spec"]["template"]["spec"]
            assert pod["securityContext"]["runAsNonRoot"] is True
            for container in [*pod["containers"], *pod.get("initContainers", [])]:
                confined = container["securityContext"]
                assert confined["readOnlyRootFilesystem"] is True
                assert confined["allowPrivilegeEscalation"] is False
                assert confined["capabilities"] == {"drop": ["ALL"]}
            replicas = every["Deployment", "alert-router"]["spec"]["replicas"]
            assert (("PodDisruptionBudget", "alert-router") in every) == (replicas > 1)
    checks = {
        name: every["Deployment", "alert-router"]["spec"]["template"]["metadata"]["annotations"]["checksum/rules"]
        for name, every in found.items()
    }
    assert checks["minimal"] == checks["same"] != checks["other"]
    assert found["sqlite"]["Deployment", "alert-router"]["spec"]["strategy"] == {"type": "Recreate"}
    files = found["other"]["ConfigMap", "alert-router-rules"]["data"]
    pod = found["other"]["Deployment", "alert-router"]["spec"]["template"]["spec"]
    (items,) = [one["configMap"]["items"] for one in pod["volumes"] if one["name"] == "rules"]
    assert {one["path"]: files[one["key"]] for one in items} == other["rules"]["files"]
    # Through links of the chart's, which Helm follows, also where it packs it.
    alerts = yaml.safe_load((INFRA / "prometheus" / "alerts.yaml").read_text())
    assert found["full"]["PrometheusRule", "alert-router"]["spec"] == alerts
    # A secret that lacks the state's address is named by Kubernetes.
    for container in found["git"]["Deployment", "alert-router"]["spec"]["template"]["spec"]["containers"]:
        (state,) = [one for one in container["env"] if one["name"] == "ALERT_ROUTER_STATE"]
        assert state["valueFrom"] == {"secretKeyRef": {"name": "alert-router", "key": "ALERT_ROUTER_STATE"}}
    # An empty list of ports would allow all of them.
    (dns, only) = found["narrow"]["NetworkPolicy", "alert-router"]["spec"]["egress"]
    assert (dns["ports"][0]["port"], only) == (53, NARROW["networkPolicy"]["extraEgress"][0])
    shown = found["full"]["ConfigMap", "alert-router-dashboard"]["data"]["alert-router.json"]
    assert shown == (INFRA / "grafana" / "alert-router.json").read_text()


def test_the_page_gives_the_hubs_what_they_ask_for() -> None:
    """Every parameter of the module that makes them, and no other."""
    asked = set(re.findall(r"^param (\w+) [^?\n]*$", (INFRA / "event-hubs.bicep").read_text(), re.MULTILINE))
    (command,) = re.findall(r"event-hubs\.bicep --parameters (.+?)\naz", page("docs/serve.md").text, re.DOTALL)
    assert set(re.findall(r"(\w+)=", command)) == asked


@pytest.mark.tools
def test_the_page_gives_values_that_work(examples: dict[str, Mapping[str, Any]]) -> None:
    """What docs/serve.md has people write, with rules of their own, is taken."""
    (written,) = [
        fence.text for fence in page("docs/serve.md").fences if fence.language == "yaml" and "image:" in fence.text
    ]
    values = {**yaml.safe_load(written), "rules": examples["minimal"]["rules"]}
    (answer,) = helm.rendered(INFRA, [values], PYTHON)
    assert ("Deployment", "alert-router") in documents(answer)


@pytest.mark.tools
def test_what_a_pod_runs_pages(examples: dict[str, Mapping[str, Any]], postgresql: str, tmp_path: Path) -> None:
    """Its containers' commands, in their order, with the variables and the rules that they find there: an alert is a page, and
    after the kubelet's SIGTERM the end is in order."""
    with stack_running(postgresql) as stack:
        files = {path.relative_to(stack.rules).as_posix(): path.read_text() for path in stack.rules.rglob("*.*")}
        given = {"eventHubs": {"namespace": "127.0.0.1"}, "state": {"url": ""}, "rules": {"files": None}}
        (answer,) = helm.rendered(
            INFRA, [changed(changed(examples["minimal"], given), {"rules": {"files": files}})], PYTHON
        )
        every = documents(answer)
        pod = every["Deployment", "alert-router"]["spec"]["template"]["spec"]
        (items,) = [one["configMap"]["items"] for one in pod["volumes"] if one["name"] == "rules"]
        for item in items:
            path = tmp_path / "rules" / item["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(every["ConfigMap", "alert-router-rules"]["data"][item["key"]])
        (tables,), (serve,) = pod["initContainers"], pod["containers"]
        secret = {name: value for name, value in stack.environment.items() if name != "ALERT_ROUTER_RULES"}
        seen = secret | {one["name"]: one["value"] for one in serve["env"] if "value" in one}
        assert started("router", *tables["args"], cwd=tmp_path, env=seen).wait() == 0
        assert seen["ALERT_ROUTER_RULES"] == "/rules"
        seen["ALERT_ROUTER_RULES"] = str(tmp_path / "rules")
        words = ["127.0.0.1:0" if word == "0.0.0.0:9464" else word for word in serve["args"]]
        process = started("router", *words, cwd=tmp_path, env=seen)
        try:
            stack.hubs.append("cwpp", 0, alert_body(Severity="High"))
            wait_until(lambda: stack.soc.counts()["received"]["pages"] == 1, goes_on=lambda: process.poll() is None)
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0
        finally:
            process.kill()
