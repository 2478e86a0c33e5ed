"""The parameters of main.bicep for who deploys with az: main.parameters.json, filled in from the environment as azd does it.

`python -m infra.parameters` prints them. The secrets' names are those of rules/ as it stands, whatever the environment says.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from router.app.rules import load_rules_of_hubs, secret_names_of
from router.domain.errors import BadSetting, UserError

HERE = Path(__file__).parent
RULES = HERE.parent / "rules"

NAMES = "ROUTER_SECRET_NAMES"
"""The variable of the secrets' names."""

NONE = "none"
"""What it holds where the rules name no secret: nothing at all would be what somebody forgot."""

FIRST = "ROUTER_FIRST_DEPLOYED"
"""The variable of the instant from which alarms are quiet that cannot mean anything yet."""

_NUMBER = re.compile(r"-?[0-9]+")
_BOOLEANS = dict.fromkeys(("1", "t", "T", "true", "True", "TRUE"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "False", "FALSE"), False
)
"""What Go's strconv.ParseBool takes, and so azd."""


def secret_names(rules: Path, now: datetime) -> str:
    """The names of the secrets of both streams, separated by commas; raises BadPolicy where a policy is of no use."""
    return ",".join(sorted(secret_names_of(load_rules_of_hubs(rules, now).books.values()))) or NONE


def rendered(environment: Mapping[str, str]) -> dict[str, object]:
    """A file of parameters as ARM wants it; raises BadSetting where a variable is missing or not of its parameter's type."""
    filled = {name: {"value": _value(source, kind, environment)} for name, source, kind in _parameters()}
    return {**json.loads(_text("main.parameters.json")), "parameters": filled}


def refuse_wrong(environment: Mapping[str, str]) -> None:
    """Raises BadSetting where a variable that is set is not of its parameter's type: azd would take the default instead."""
    for _, source, kind in _parameters():
        if environment.get(source.variable):
            _value(source, kind, environment)


def is_on(environment: Mapping[str, str], variable: str) -> bool:
    """Whether a choice of yes or no is yes; no is what stands where it is not set."""
    return _BOOLEANS.get(environment.get(variable) or "", False)


def chosen(variable: str, environment: Mapping[str, str]) -> str:
    """What a choice is: what the variable holds, else what stands in main.parameters.json for it."""
    default = next(source.default for _, source, _ in _parameters() if source.variable == variable)
    return environment.get(variable) or default or ""


class _Source(NamedTuple):
    """`${variable}` or `${variable=default}`."""

    variable: str
    default: str | None


def _parameters() -> Iterator[tuple[str, _Source, str]]:
    """Name, source and type of every parameter that main.parameters.json gives."""
    types = dict(re.findall(r"^param (\w+) (bool|int)\b", _text("main.bicep"), re.MULTILINE))
    for name, one in json.loads(_text("main.parameters.json"))["parameters"].items():
        found = re.fullmatch(r"\$\{(\w+)(?:=(.*))?\}", one["value"])
        if found is None:
            raise ValueError(f"infra/main.parameters.json, {name}: {one['value']} is no variable")
        yield name, _Source(found[1], found[2]), types.get(name, "string")


def _value(source: _Source, kind: str, environment: Mapping[str, str]) -> object:
    # azd takes a variable that is empty for one that is not set.
    text = environment.get(source.variable) or source.default
    if text is None:
        raise BadSetting(f"{source.variable}: is not set, and infra/main.bicep needs it")
    if kind == "bool" and text in _BOOLEANS:
        return _BOOLEANS[text]
    if kind == "int" and _NUMBER.fullmatch(text):
        return int(text)
    if kind == "string":
        return text
    raise BadSetting(f"{source.variable}: {text} is no {kind}")


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def main() -> int:
    """Prints them; 1 and one line a problem where something is missing or the rules are of no use."""
    try:
        names = secret_names(RULES, datetime.now(UTC))
        print(json.dumps(rendered({**os.environ, NAMES: names}), indent=2))
    except UserError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
