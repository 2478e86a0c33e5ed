"""The last words of `azd up`: what is not there yet, what to do about it, and how to see an alert routed.

azd's hook `postdeploy` runs it, with the outputs of main.bicep in the environment; `azd hooks run postdeploy` by hand.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from infra.forged import try_forged
from infra.programs import NoAnswer
from infra.proof import LONGEST
from infra.references import RESOLVED, VERSION, address_of, refresh
from router.app.destination_readiness import readiness_of, remark_on
from router.app.rules import Rules, load_rules_of_hubs, secret_names_of, specs_of
from router.app.settings import Settings, Why
from router.destinations.config import settings_in
from router.destinations.log_analytics import LogAnalyticsConfig
from router.domain.errors import BadPolicy

ROOT = Path(__file__).parents[1]
RULES = ROOT / "rules"

STANDING = (
    "az extension add --name resource-graph",
    'az graph query --first 1000 --output json -q "securityresources '
    "| where type =~ 'microsoft.security/locations/alerts' "
    "| where tostring(coalesce(properties.Status, properties.status)) in~ ('Active', 'InProgress') "
    '| order by id asc" > standing.json',
)
"""What asks for the alerts that are still active, in every subscription that az knows."""

SEND = ".venv/bin/alert-router send standing.json --to cwpp"
"""What sends them to the hub of the namespace that EVENT_HUBS__fullyQualifiedNamespace names."""

_REFERENCE = "@Microsoft.KeyVault()"
_HELD = "in the vault"


def secret_in_vault(name: str) -> str:
    """What a secret is called in the vault, which knows no underscores; function-app.bicep says the same."""
    return name.lower().replace("_", "-")


def closing_lines(rules: Rules, outputs: Mapping[str, str], references: Mapping[str, str] | NoAnswer) -> Iterator[str]:
    """What is left to do, line by line; raises KeyError where an output is missing."""
    secrets = sorted(secret_names_of(rules.books.values()))
    told = not isinstance(references, NoAnswer)
    missing = [name for name in secrets if isinstance(references, NoAnswer) or references.get(name) != RESOLVED]
    yield from _unready(rules, outputs, missing if told else ())
    if isinstance(references, NoAnswer) and secrets:
        yield f"unknown: whether the app has its secrets ({references}); have it read the vault:"
        yield f'  az rest --method post --url "{address_of(outputs)}/refresh?api-version={VERSION}"'
    if missing:
        yield "Put each secret that is not there yet into the vault, from a file that you then delete:"
        for name in missing:
            vault = outputs["KEY_VAULT_NAME"]
            yield f"  az keyvault secret set --vault-name {vault} --name {secret_in_vault(name)} --file FILE  # {name}"
            # What is there and cannot be read yet is not to be put there again.
            status = "" if isinstance(references, NoAnswer) else references.get(name, "")
            if status not in ("", "SecretNotFound"):
                yield f"  # Azure says of it: {status}"
        yield "and have the app read them, which says again what is not there yet:"
        yield "  azd hooks run postdeploy"
    if lines := list(misdirected(rules, outputs)):
        yield "Write where the rows go into the rules, then azd deploy:"
        yield from (f"  {line}" for line in lines)
    yield f"Raise a sample alert and see it routed, within {LONGEST} minutes at most (reckoned, not measured):"
    yield f"  {_python()} {Path('infra', 'hooks', 'prove.py')}"
    yield "It goes to the pager too; while there is none, the alarm late-pages may be raised."
    yield "Alerts from before the export never come by themselves. Ask for those that are still active, and send them:"
    yield from (f"  {line}" for line in STANDING)
    yield f"  EVENT_HUBS__fullyQualifiedNamespace={outputs['EVENT_HUBS_NAMESPACE']} {SEND}  # as one of ROUTER_SENDERS"
    if address := outputs.get("CONSOLE_URL"):
        yield f"The console: {address}"
    yield "docs/deploy.md says more of each."


def _unready(rules: Rules, outputs: Mapping[str, str], missing: Collection[str]) -> Iterator[str]:
    # What the app will say of itself on its health page, in the same words.
    names = secret_names_of(rules.books.values())
    secrets = dict.fromkeys(names, _HELD) | dict.fromkeys(missing, _REFERENCE)
    # The app has what requirements.txt says, and the hooks' Python next to nothing of it.
    readiness = readiness_of(rules, Settings({**outputs, **secrets}), can_import=lambda _: True)
    if readiness.unready:
        yield "Everything works but for these; what is due there is owed until then:"
        yield from (f"  {remark_on(one, has_delivered=False).text}" for one in readiness.unready)
    if any(lack.why is Why.EXAMPLE for one in readiness.unready for lack in one.lacks):
        yield "Write your own addresses into rules/ in the place of those that end in .example, then: azd deploy"


def misdirected(rules: Rules, outputs: Mapping[str, str]) -> Iterator[str]:
    """What destinations of Log Analytics must say, where they say something else."""
    for stream, book in rules.books.items():
        prefix = stream.value.upper()
        endpoint, rule = outputs[f"{prefix}_LOGS_ENDPOINT"], outputs[f"{prefix}_LOGS_RULE"]
        for spec in specs_of(book):
            config = spec.config
            if not isinstance(config, LogAnalyticsConfig) or settings_in(config):
                continue
            if (str(config.endpoint).rstrip("/"), config.rule) != (endpoint.rstrip("/"), rule):
                yield f"rules/{stream.value}/policy.yaml, {spec.name}:"
                yield f"  endpoint: {endpoint}"
                yield f"  rule: {rule}"


def _python() -> str:
    # The one that azd made for the hooks has all that the proof needs.
    found = Path(sys.executable)
    shown = str(found.relative_to(ROOT) if found.is_relative_to(ROOT) else found)
    return f'"{shown}"' if " " in shown else shown


def main(rules: Path = RULES) -> int:
    """Prints it; 1 where the rules are of no use, azd has not provisioned yet, or the console lets in whom nobody signed in."""
    try:
        read = load_rules_of_hubs(rules, datetime.now(UTC))
        tried = try_forged(os.environ)  # Before the vault is read anew, which may restart the app.
        print("\n".join(closing_lines(read, os.environ, _references(read, os.environ))))
    except BadPolicy as fault:
        print(fault, file=sys.stderr)
        return 1
    except KeyError as missing:
        print(f"{missing.args[0]}: azd has no such output; run azd provision first", file=sys.stderr)
        return 1
    if tried.said:
        print(tried.said, file=sys.stderr if tried.is_open else sys.stdout)
    return 1 if tried.is_open else 0


def _references(rules: Rules, outputs: Mapping[str, str]) -> Mapping[str, str] | NoAnswer:
    if not secret_names_of(rules.books.values()):
        return {}
    try:
        return refresh(outputs)
    except NoAnswer as fault:
        return fault


if __name__ == "__main__":
    sys.exit(main())
