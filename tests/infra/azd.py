"""What azd does with the hooks and the parameters of azure.yaml, on this machine: a double, since azd itself wants Azure.

After azd's own source: cmd/up.go, pkg/ext/hooks_runner.go, pkg/tools/language/python_executor.go and
pkg/infra/provisioning/bicep/bicep_provider.go of https://github.com/Azure/azure-dev/tree/main/cli/azd
"""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from copy import replace
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from subprocess import DEVNULL, PIPE
from types import MappingProxyType

import yaml

from infra.variants import TENANT
from tests.builders import RULES
from tests.infra.predicted import ROOT, SECRETS
from tests.warm import started

NAME = "soc"
"""The environment that is deployed; another stands beside it."""

_AZD = """#!{python} -I
import os, pathlib, sys
here = pathlib.Path.cwd()
project = next(one for one in [here, *here.parents] if (one / "azure.yaml").is_file())
with open(project / "asked", "a") as asked:
    print("azd", *sys.argv[1:], file=asked)
path = project / ".azure" / os.environ.get("AZURE_ENV_NAME", "{name}") / ".env"
if sys.argv[1:] == ["env", "get-values"]:
    sys.exit(print(path.read_text(), end=""))
if sys.argv[1:3] == ["auth", "login"] or sys.argv[1:] == ["env", "new", "{name}"]:
    sys.exit(0)
if sys.argv[1] != "env":
    sys.path.insert(0, "{root}")
    from tests.infra.azd import Azd
    outcome = Azd(project, pathlib.Path("{hooks}")).called(*sys.argv[1:])
    print(outcome.said + outcome.closing_lines, end="")
    sys.exit(outcome.code)
_, env, set_, name, value = sys.argv
assert (env, set_) == ("env", "set")
lines = [line for line in path.read_text().splitlines() if not line.startswith(name + "=")]
path.write_text("\\n".join([*lines, f'{{name}}="{{value}}"']) + "\\n")
"""

_AZ = """#!{python} -IS
import json, sys
project = {project!r}
said = " ".join(sys.argv[1:])
with open(project + "/asked", "a") as asked:
    asked.write("az " + said + "\\n")
with open(project + "/az.json") as known:
    answers = json.load(known)
found = [answer for command, answer in answers.items() if said.startswith(command)]
stdout, stderr, code = found[0] if found else ("", "ERROR: no such command", 2)
sys.stdout.write(stdout)
sys.stderr.write(stderr)
sys.exit(code)
"""

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
WHO = "somebody@contoso.example"

PROVIDERS = (
    *("DBforPostgreSQL", "EventHub", "Insights", "KeyVault", "ManagedIdentity", "OperationalInsights", "Security"),
    *("Storage", "Web"),
)
QUOTAS = f"rest --method get --url https://management.azure.com/subscriptions/{SUBSCRIPTION}/providers/Microsoft.DBforPostgreSQL/"
"""How the question for the database's quotas begins."""

OUTPUTS: Mapping[str, str] = {
    "AZURE_RESOURCE_GROUP": "rg-soc",
    "FUNCTION_APP_NAME": "func-test",
    "KEY_VAULT_NAME": "kv-test",
    "DATABASE_SERVER": "psql-test",
    "DATABASE_NAME": "router",
    "AZURE_TENANT_ID": TENANT,
    "HEALTH_URL": "http://127.0.0.1:9/api/health",  # Where nobody listens: what asks the app for anything gets no answer.
    "EVENT_HUBS_NAMESPACE": "evhns-test.servicebus.windows.net",
    "CWPP_HUB_ID": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-soc/providers"
    "/Microsoft.EventHub/namespaces/evhns-test/eventhubs/cwpp",
    "WORKSPACE_ID": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-soc/providers"
    "/Microsoft.OperationalInsights/workspaces/log-test",
    "CWPP_LOGS_ENDPOINT": "https://alerts.westeurope-1.ingest.monitor.azure.com",
    "CWPP_LOGS_RULE": "dcr-alerts",
    "CSPM_LOGS_ENDPOINT": "https://posture.westeurope-1.ingest.monitor.azure.com",
    "CSPM_LOGS_RULE": "dcr-posture",
}
"""What main.bicep puts out, as far as hooks and docs/deploy.md's steps read it."""


def references(**statuses: str) -> Mapping[str, object]:
    """What Azure says of the app's references to its vault."""
    return {"value": [{"name": name, "properties": {"status": status}} for name, status in statuses.items()]}


AZURE: Mapping[str, object] = {
    "account show": {"id": SUBSCRIPTION, "user": {"name": WHO, "type": "user"}},
    "provider list": [{"namespace": f"Microsoft.{one}", "registrationState": "Registered"} for one in PROVIDERS],
    "functionapp list-flexconsumption-locations": [{"name": "westeurope"}, {"name": "northeurope"}],
    "role assignment list": [{"roleDefinitionName": "Owner"}],
    "security pricing list": {
        "value": [
            {"name": name, "pricingTier": tier}
            for name, tier in (
                ("FoundationalCspm", "Standard"),
                ("VirtualMachines", "Standard"),
                ("Containers", "Free"),
            )
        ]
    },
    "postgres flexible-server list-skus": [
        {
            "supportedServerVersions": [{"name": "17"}, {"name": "18"}],
            "supportedServerEditions": [
                {"name": "Burstable", "supportedServerSkus": [{"name": "Standard_B2s", "supportedHaMode": []}]},
                {
                    "name": "GeneralPurpose",
                    "supportedServerSkus": [{"name": "Standard_D2ds_v5", "supportedHaMode": ["SameZone"]}],
                },
            ],
        }
    ],
    QUOTAS: {
        "value": [
            {"name": {"value": "cores"}, "limit": 20, "currentValue": 6},
            {"name": {"value": "standardBSFamily"}, "limit": 10, "currentValue": 6},
            {"name": {"value": "standardDDSv5Family"}, "limit": 4, "currentValue": 0},
        ]
    },
    "rest": references(**dict.fromkeys(sorted(SECRETS), "SecretNotFound")),
    "functionapp restart": None,
}
"""What az answers where all is there that must be there first, by the beginning of the command."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command: whether it went through, what was said, and the parameters that were deployed."""

    code: int
    said: str
    deployed: Mapping[str, str] | None = None
    closing_lines: str = ""
    """What was said after it deployed."""


@dataclass(frozen=True, slots=True)
class Azd:
    """azd at work on a copy of the project, with `--no-prompt`."""

    project: Path
    python: Path | None = None
    """The interpreter with which the hooks run, else one that has read the router already."""
    outside: dict[str, str] = field(default_factory=dict)
    """Variables of the shell from which azd is called."""

    def up(self) -> Outcome:
        """`azd up`: it reads the parameters as soon as `preup` is through, and again when it provisions."""
        for event in ("preup", "the parameters", "preprovision", "the parameters"):
            outcome = self._deploy() if event == "the parameters" else self.run(event)
            if outcome.code != 0:
                return outcome
        self.put_out()
        after = [self.run(event) for event in ("postprovision", "predeploy", "postdeploy", "postup")]
        assert not any(one.code for one in after)
        return replace(outcome, closing_lines="".join(one.said for one in after))

    def provision(self) -> Outcome:
        """`azd provision`, which has no `preup`."""
        outcome = self.run("preprovision")
        return self._deploy() if outcome.code == 0 else outcome

    def put_out(self) -> None:
        """Keeps the outputs of main.bicep, as azd does once it was deployed."""
        for name, value in OUTPUTS.items():
            self.set(name, value)

    def called(self, *arguments: str) -> Outcome:
        """What comes of a command line of azd's."""
        match arguments:
            case ("up",):
                return self.up()
            case ("provision", *_):
                outcome = self.provision()
                self.put_out()
                return outcome
            case ("deploy", *_):
                return self.run("postdeploy")
            case ("hooks", "run", event):
                return self.run(event)
        return Outcome(2, f"no such command: {arguments}")

    def run(self, event: str) -> Outcome:
        """What a hook does, if there is one for that event."""
        hook = yaml.safe_load((self.project / "azure.yaml").read_text())["hooks"].get(event)
        if hook is None:
            return Outcome(0, "")
        assert hook["kind"] == "python"
        script = self.project / hook["run"]
        environment = {"PATH": str(self.project / "bin"), **self.environment()}
        if self.python is None:
            module = hook["run"].removesuffix(".py").replace("/", ".")
            ends = {"stdin": DEVNULL, "stdout": PIPE, "stderr": PIPE}
            warm = started(module, cwd=self.project, env=environment, **ends)
            said = "".join(warm.communicate())
            return Outcome(warm.wait(), said)
        cold = subprocess.run([self.python, script], cwd=script.parent, env=environment, capture_output=True, text=True)
        return Outcome(cold.returncode, cold.stdout + cold.stderr)

    def environment(self, name: str = NAME) -> dict[str, str]:
        """What azd knows: what stands in its own file comes before what the shell says."""
        lines = (self.project / ".azure" / name / ".env").read_text().splitlines()
        kept = {line.partition("=")[0]: line.partition("=")[2].strip('"') for line in lines}
        return {**self.outside, **kept, "AZURE_ENV_NAME": name}

    def set(self, name: str, value: str) -> None:
        """`azd env set`, by whoever deploys."""
        with (self.project / ".azure" / NAME / ".env").open("a") as file:
            file.write(f'{name}="{value}"\n')

    @property
    def asked(self) -> list[str]:
        """The commands that hooks called."""
        path = self.project / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def _deploy(self) -> Outcome:
        text = (self.project / "infra" / "main.parameters.json").read_text()
        known = self.environment()
        filled = re.sub(r"\$\{(\w+)(=[^}]*)?\}", lambda found: known.get(found[1]) or (found[2] or "")[1:], text)
        required = re.findall(r"\$\{(\w+)\}", text)
        if missing := [name for name in required if not known.get(name)]:
            return Outcome(1, f"missing required inputs: {', '.join(missing)}")
        values = {name: one["value"] for name, one in json.loads(filled)["parameters"].items()}
        return Outcome(0, "", values)


def azd_on(project: Path, python: Path | None = None) -> Azd:
    """A copy of the project in which `azd env new` was called and a region chosen, with azd on the path and no az."""
    shutil.copytree(ROOT / "infra", project / "infra", ignore=shutil.ignore_patterns("hooks_env", "__pycache__"))
    shutil.copytree(RULES, project / "rules")
    shutil.copy(ROOT / "azure.yaml", project)
    (project / "router").symlink_to(ROOT / "router")
    return azd_in(project, python)


def azd_in(project: Path, python: Path | None = None) -> Azd:
    """The same in a project that is there already."""
    for name in (NAME, "another"):
        (project / ".azure" / name).mkdir(parents=True)
        text = f'AZURE_LOCATION="westeurope"\nAZURE_SUBSCRIPTION_ID="{SUBSCRIPTION}"\n'
        (project / ".azure" / name / ".env").write_text(text)
    (project / "bin").mkdir()
    hooks = python or sys.executable
    _program(project / "bin" / "azd", _AZD.format(python=sys.executable, name=NAME, root=ROOT, hooks=hooks))
    return Azd(project, python)


def az_that_knows(azd: Azd, defender: str, changes: Mapping[str, object] = MappingProxyType({})) -> None:
    """Puts an az on the path that answers as AZURE has it, but for some commands.

    What is a text is what it complains of; what is a pair of texts is what it prints, and where.
    """
    known = {"ad sp show": (f"{defender}\n", ""), **changes, **{one: AZURE[one] for one in AZURE if one not in changes}}
    answers: dict[str, tuple[str, str, int]] = {}
    for command, answer in known.items():
        match answer:
            case str():
                answers[command] = ("", answer, 1)
            case tuple((str(stdout), str(stderr))):
                answers[command] = (stdout, stderr, 0)
            case _:
                answers[command] = (json.dumps(answer), "WARNING: old\n", 0)
    az_that_says(azd, answers)


def az_that_says(azd: Azd, answers: Mapping[str, tuple[str, str, int]]) -> None:
    """Puts an az on the path that prints, complains and ends so, by the beginning of the command."""
    (azd.project / "az.json").write_text(json.dumps(answers))
    _program(azd.project / "bin" / "az", _AZ.format(python=sys.executable, project=str(azd.project)))


def locked_python(directory: Path) -> Path:
    """An interpreter that finds what the hooks' lock names, and nothing else: what azd makes of it, without a network."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(directory)}))
    for name in locked():
        files = distribution(name).files or []
        for top in {path.parts[0] for path in files} - {"..", "__pycache__"}:
            (site / top).symlink_to(Path(str(distribution(name).locate_file(top))))
    return directory / "bin" / "python"


def locked() -> dict[str, str]:
    """The packages of the hooks' lock, and their versions."""
    text = (ROOT / "infra" / "hooks" / "requirements.txt").read_text()
    return dict(re.findall(r"^([\w-]+)==(\S+)", text, re.MULTILINE))


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
