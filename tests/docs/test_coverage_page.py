"""docs/coverage.md and docs/drill.md: what people copy and type does what the pages say."""

import ast
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from router.app.settings import HEARTBEAT
from router.cli.parser import new_parser
from router.coverage.asking.clusters import ASKED, CONSTRAINTS
from router.coverage.kubernetes.commands import EVERYWHERE
from tests.cli.house import House
from tests.coverage.builders import SUBSCRIPTION, automation
from tests.docs.pages import ROOT, page
from tests.waiting import PATIENCE

PAGE = page("docs/coverage.md")
SAMPLES = ROOT / "alert_router_demo" / "samples" / "coverage"
IN_ONE_STEP = (".github/workflows/coverage-live.yml", "azure-pipelines-live.yml")
NOW = "2026-11-26T09:00:00Z"

PRODUCTION = "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110"
SECURITY = f"/subscriptions/{PRODUCTION}/providers/Microsoft.Security"
NO_RULES = {"id": f"{SECURITY}/alertsSuppressionRules", "value": []}
AUTOMATIONS = {"id": f"{SECURITY}/automations", "value": [automation()]}

CLI = r"""#!/usr/bin/env bash
# What the command lines of Azure and Kubernetes answer of the bundled story, with one page of Resource Graph after another.
set -euo pipefail
case "$(basename "$0") $*" in
  "az graph query"*--skip-token*) echo '{"data": [], "total_records": 1}' ;;
  "az graph query"*) echo '{"data": [], "skip_token": "more", "total_records": 1}' ;;
  "az account list"*tsv) echo 6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110 ;;
  "az account list"*) echo '[{"id": "6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110", "name": "production", "state": "Enabled"}]' ;;
  "az rest"*/pricings*) cat "$SAMPLES/pricings.json" ;;
  "az security setting list"*) cat "$SAMPLES/settings.json" ;;
  "az security automation list"*"'/subscriptions/"*"/automations'"*) echo "$AUTOMATIONS" ;;
  "az security alerts-suppression-rule list"*"'/subscriptions/"*"/alertsSuppressionRules'"*) echo "$SUPPRESSION" ;;
  "az security assessment list"*) echo 'no right to read them' >&2; exit 1 ;;
  "az aks list"*tsv) for name in cards ledger payouts; do
    id=/subscriptions/6f0a3c52-8d1e-4b7a-9c45-2e71d0b8a110/resourcegroups/rg-$name
    printf '%s\t%s\t%s\n' "$id/providers/Microsoft.ContainerService/managedClusters/aks-$name" "rg-$name" "aks-$name"
  done ;;
  "az aks list"*) cat "$SAMPLES/clusters.json" ;;
  "az aks get-credentials"*) ;;
  "kubelogin convert-kubeconfig -l azurecli") ;;
  "kubectl --context aks-$UNREACHABLE "*) echo 'no such host' >&2; exit 1 ;;
  "kubectl --context aks-"*" get nodes,"*" -A -o json") cat "$SAMPLES/${2#aks-}.json" ;;
  kubectl*) echo "the server doesn't have a resource type" >&2; exit 1 ;;
  *) echo "$0 $*: nobody answers this" >&2; exit 3 ;;
esac
"""


def put(directory: Path, script: str, *programs: str) -> Path:
    """A directory in which programs of those names are one script."""
    directory.mkdir(exist_ok=True)
    for name in programs:
        (directory / name).write_text(script)
        (directory / name).chmod(0o755)
    return directory


@pytest.mark.parametrize("unreachable", ["nobody", "payouts"])
def test_the_script_asks_for_all_that_the_gate_needs(
    unreachable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it writes has the gap; of a cluster that cannot be reached it leaves no file, so that nothing of it is covered."""
    tools = put(tmp_path / "bin", CLI, "az", "kubectl", "kubelogin")
    (tmp_path / "ask.sh").write_text(PAGE.fence("ask.sh"))
    (tmp_path / "coverage" / "azure").mkdir(parents=True)
    (tmp_path / "coverage" / "azure" / "of-yesterday.json").write_text("[]")
    environment = os.environ | {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "SAMPLES": str(SAMPLES),
        "UNREACHABLE": unreachable,
        "AUTOMATIONS": json.dumps(AUTOMATIONS).replace(SUBSCRIPTION, PRODUCTION),
        "SUPPRESSION": json.dumps(NO_RULES),
    }
    subprocess.run(["bash", "ask.sh"], check=True, cwd=tmp_path, env=environment, timeout=PATIENCE, capture_output=True)
    monkeypatch.chdir(tmp_path)
    files = (tmp_path / "coverage" / "files").read_text().splitlines()
    said = House(tmp_path, capsys).says("coverage", "check", "--format", "json", "--now", NOW, *files)
    told = json.loads(said.out)
    states = {
        one["name"]: one["rungs"]["sensor-running"]["state"] for one in told["workloads"] if one["kind"] == "cluster"
    }
    dark = "gap" if unreachable == "nobody" else "unknown"
    assert states == {"aks-cards": "covered", "aks-ledger": "covered", "aks-payouts": dark}
    assert said.code == {"gap": 1, "unknown": 2}[dark]
    (subscription,) = [one["rungs"] for one in told["workloads"] if one["kind"] == "subscription"]
    assert subscription["suppression"]["state"] == "covered"
    assert told["files"]["refused"] == []
    assert "of-yesterday" not in said.out


def test_several_formats_are_written_from_one_asking_and_the_last_line_decides() -> None:
    """The lines before it only write."""
    *written, last = [line for line in PAGE.fence("formats.sh").splitlines() if line.startswith("alert-router")]
    for line in [*written, last]:
        words = shlex.split(line.partition(" >")[0].removesuffix(" || true").replace('"${files[@]}"', "FILE"))
        new_parser().parse_args(words[1:])
    assert all(line.endswith("|| true") for line in written)
    assert last.startswith("alert-router coverage check ") and "||" not in last
    assert "bash ask.sh" in PAGE.fence("formats.sh")


def test_a_pipeline_in_one_step_asks_once_and_that_decides(subtests: pytest.Subtests) -> None:
    """Of Azure and of each cluster, by commands that there are; nothing behind the last line hides how it ends. Actions are
    pinned as those of the project are: the same commits, each with its version behind it."""
    for label in IN_ONE_STEP:
        with subtests.test(label):
            (gate,) = [script for script in _scripts(yaml.safe_load(PAGE.fence(label))) if "alert-router" in script]
            *before, last = gate.strip().splitlines()
            assert before == ["sudo az aks install-cli", "bash contexts.sh"]
            command, redirected, _ = last.partition(" >")
            assert redirected and not {"|", "&", ";"} & set(last)
            given = new_parser().parse_args(shlex.split(command)[1:])
            assert (given.live, given.context, given.allow_unknown) == (True, ["*"], False)
    own = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").iterdir())
    uses = re.findall(r"uses: .*", PAGE.fence(IN_ONE_STEP[0]))
    assert len(uses) == 3
    assert all(re.fullmatch(r"uses: \S+@[0-9a-f]{40}  # v\S+", one) and one in own for one in uses)


GET_CREDENTIALS = r"""#!/usr/bin/env bash
set -euo pipefail
case "$(basename "$0") $*" in
  "az account list"*) printf '%s\n' one two ;;
  "az aks list --subscription one "*) printf '/subscriptions/one/%s\trg\t%s\n' payments payments gone gone ;;
  "az aks list --subscription two "*) printf '/subscriptions/two/payments\trg\tpayments\n' ;;
  "az aks get-credentials"*gone*) cat > /dev/null; exit 1 ;;
  "az aks get-credentials"*) cat > /dev/null; echo "$*" >> "$KUBECONFIG" ;;
  "kubelogin convert-kubeconfig -l azurecli") echo converted >> "$KUBECONFIG" ;;
  *) exit 3 ;;
esac
"""


def test_each_cluster_has_a_context_that_is_called_by_its_id(tmp_path: Path) -> None:
    """Two may have one name; one for which nobody gets credentials stops none of the others."""
    put(tmp_path, GET_CREDENTIALS, "az", "kubelogin")
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "KUBECONFIG": str(tmp_path / "config")}
    script = ["bash", "-c", PAGE.fence("contexts.sh")]
    ran = subprocess.run(script, check=True, env=environment, timeout=PATIENCE, capture_output=True, text=True)
    *made, last = (tmp_path / "config").read_text().splitlines()
    contexts = [one.partition("--context ")[2].split()[0] for one in made]
    assert contexts == ["/subscriptions/one/payments", "/subscriptions/two/payments"]
    assert last == "converted"
    assert ran.stderr == "/subscriptions/one/gone: no credentials\n"


def _scripts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("run", "script", "bash", "inlineScript"):
                yield inner
            else:
                yield from _scripts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _scripts(inner)


def test_the_role_in_a_cluster_reads_what_is_asked_for_and_no_more() -> None:
    """What the page's own lines ask kubectl for, what the gate's remedies ask for, what the gate lists where it asks clusters
    itself, and the role are one list; which groups and kinds there are everybody may ask."""
    role, binding = yaml.safe_load_all(PAGE.fence("reader.yaml"))
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert all(rule["verbs"] == ["get", "list"] for rule in role["rules"])
    held = {(group, one) for rule in role["rules"] for group in rule["apiGroups"] for one in rule["resources"]}
    kinds = [one for kinds in ASKED for one in kinds]
    assert held == {(one.group, "*" if one.group == CONSTRAINTS else one.plural) for one in kinds}
    allowed = {_named(group, one) for group, one in held}
    script = PAGE.fence("ask.sh")
    asked = {kind for kinds in re.findall(r'ask_cluster "[^"]+" (\S+)', script) for kind in kinds.split(",")}
    raw = re.findall(r"get --raw /apis/([\w.]+)/\w+/(\w+)", script)
    assert asked | {f"{plural}.{group}" for group, plural in raw} == allowed
    remedies = {kind for kinds in _kinds_in_code() for kind in kinds.split(",")}
    assert {"nodes", "constraints", "validatingadmissionpolicies"} <= remedies
    assert remedies <= allowed


def _named(group: str, resource: str) -> str:
    """A resource as kubectl is asked for it."""
    own = ("config.gatekeeper.sh", "defender.microsoft.com")
    return "constraints" if group == CONSTRAINTS else f"{resource}.{group}" if group in own else resource


def _kinds_in_code() -> Iterator[str]:
    """What the lines ask for that answer what is unknown of a cluster."""
    for path in (ROOT / "router" / "coverage").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from re.findall(r"^kubectl get (\S+) .*-o json", node.value)
    yield ",".join(EVERYWHERE)


DRILL = page("docs/drill.md")


def test_the_drills_workflow_may_sign_in_and_read_the_rules_and_nothing_else() -> None:
    """As an identity of its own; of secrets it knows the address of the dead man's switch. Its job lasts longer than its drill,
    else its samples stand, and pins what our own workflows pin, by the whole commit. All commands are understood."""
    text = DRILL.fence("drill.yml")
    workflow: dict[Any, Any] = yaml.safe_load(text)  # `on` reads as true
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    assert f"`{workflow[True]['schedule'][0]['cron']}` in UTC" in DRILL.prose, "the check there follows it"
    assert workflow["concurrency"] == "drill"
    ((_, job),) = workflow["jobs"].items()
    assert "permissions" not in job
    assert re.findall(r"secrets\.(\w+)", text) == ["DRILL_HEARTBEAT"]
    assert "DRILL_CLIENT_ID" in text
    (step,) = [one for one in job["steps"] if one.get("name") == "drill"]
    assert step["env"].keys() == {"SUBSCRIPTION", "ALERT_ROUTER_STATE", HEARTBEAT}
    # No expression stands in a script: what a variable holds would be run. https://docs.github.com/actions/security-for-github-actions
    assert not any("${{" in one.get("run", "") for one in job["steps"])
    (within,) = re.findall(r"--within (\d+)m", text)
    assert job["timeout-minutes"] >= int(within) + 10
    own = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").iterdir())
    for used in (step["uses"] for step in job["steps"] if "uses" in step):
        name, _, commit = used.partition("@")
        assert re.fullmatch(r"[0-9a-f]{40}", commit)
        assert used in own or name not in own
    shown = "\n".join(fence.text for fence in DRILL.fences if fence.language in ("sh", "yaml"))
    commands = re.findall(r"(?:^|run: )alert-router (drill .*)$", shown, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        words = shlex.split(re.sub(r'"\$\(.*\)"', "/id", command).replace('"$SUBSCRIPTION"', PRODUCTION))
        new_parser().parse_args([word if word != "config.yaml" else __file__ for word in words])
