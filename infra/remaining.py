"""Says what is left to do by hand after azd provisioned: secrets to put into the vault, and lines to write into the rules.

azd's postprovision hook runs it, with the outputs of main.bicep in the environment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from router.assembly import Rules, load_rules, secret_names_of, specs_of
from router.destinations.config import settings_in
from router.destinations.log_analytics import LogAnalyticsConfig
from router.domain.errors import BadPolicy
from router.domain.signals import Stream

RULES = Path(__file__).parents[1] / "rules"


def secret_in_vault(name: str) -> str:
    """What a secret is called in the vault, which knows no underscores; function-app.bicep says the same."""
    return name.lower().replace("_", "-")


def remaining(rules: Rules, outputs: Mapping[str, str]) -> Iterator[str]:
    """What is left to do, line by line; raises KeyError where an output is missing."""
    vault = outputs["KEY_VAULT_NAME"]
    yield "Put each secret that is not there yet into the vault, from a file that you then delete:"
    for name in sorted(secret_names_of(rules.books.values())):
        yield f"  az keyvault secret set --vault-name {vault} --name {secret_in_vault(name)} --file FILE  # {name}"
    if lines := list(misdirected(rules, outputs)):
        yield "Write where the rows go into the rules:"
        yield from (f"  {line}" for line in lines)
    yield "Then: azd deploy"


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


def main() -> int:
    """Prints it; 1 where the rules are of no use or azd has not provisioned yet."""
    try:
        rules = load_rules(RULES, list(Stream), datetime.now(UTC))
        print("\n".join(remaining(rules, os.environ)))
    except BadPolicy as fault:
        print(fault, file=sys.stderr)
        return 1
    except KeyError as missing:
        print(f"{missing.args[0]}: azd has no such output; run azd provision first", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
