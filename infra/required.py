"""Sets in azd's environment what main.bicep needs and nobody should be asked, and says what must be there first.

azd's hooks `preup` and `preprovision` run it: `azd up` reads the parameters before any `preprovision`, and `azd provision`
knows no `preup`.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from infra.looking import look
from infra.parameters import FIRST, NAMES, RULES, refuse_wrong, secret_names
from infra.preflight import Wanted, Weight, wanted_by
from infra.programs import NoAnswer, answer_of
from router.domain.errors import BadSetting, UserError

DEPLOYED = "FUNCTION_APP_NAME"
"""An output of main.bicep, which is there once it was deployed: then this is not the first time."""

DEFENDER = "DEFENDER_PRINCIPAL_ID"
LOOK_UP = ("az", "ad", "sp", "show", "--id", "8edd93e1-2103-40b4-bd70-6e34e586362d", "--query", "id", "--output", "tsv")
"""Windows Azure Security Resource Provider has this application id everywhere, and in each tenant an object id of its own."""

CHECKED = "ROUTER_CHECKED"
"""The variable that says when what was last looked at; or SKIP."""

SKIP = "skip"
"""What somebody sets it to whom a look stops by mistake."""

FRESH = timedelta(minutes=15)
"""How long that holds: `azd up` runs both hooks, and packages the code between them."""

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def main() -> int:
    """Sets them; 1 and one line a problem where rules, a choice, the look-up or what is there would let the deployment fail.

    What `azd up` looked at a moment ago is not looked at again.
    """
    return _prepare(os.environ)


def first() -> int:
    """The same, and it always looks: whoever mended what was said calls `azd up` again."""
    return _prepare({**os.environ, CHECKED: SKIP if os.environ.get(CHECKED) == SKIP else ""})


def _prepare(environment: Mapping[str, str]) -> int:
    now = datetime.now(UTC)
    try:
        names = secret_names(RULES, now)
        refuse_wrong(environment)
        if environment.get(NAMES) != names:
            _set_in_azd(NAMES, names)
        if not environment.get(DEFENDER, "").strip():
            _set_in_azd(DEFENDER, _look_up())
        code = _check(environment, now)
        if code == 0 and not (environment.get(FIRST) or environment.get(DEPLOYED)):
            _set_in_azd(FIRST, now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        return code
    except UserError as fault:
        print(fault, file=sys.stderr)
        return 1


def _check(environment: Mapping[str, str], now: datetime) -> int:
    stamp = environment.get(CHECKED, "")
    if stamp == SKIP:
        return 0
    wanted = wanted_by(environment)
    if wanted is None:
        print(
            "unknown: azd knows no subscription and region yet, so nothing was looked at; azd env set AZURE_SUBSCRIPTION_ID ID"
        )
        return 0
    if is_checked(stamp, wanted, now):
        return 0
    found = look(wanted)
    for one in found:
        print(one, file=sys.stderr if one.weight is Weight.STOPS else sys.stdout)
    if any(one.weight is Weight.STOPS for one in found):
        return 1
    _set_in_azd(CHECKED, f"{now.isoformat()} {_digest(wanted)}")
    return 0


def is_checked(stamp: str, wanted: Wanted, now: datetime) -> bool:
    """Whether the same was looked at a moment ago."""
    at, _, what = stamp.partition(" ")
    try:
        age = now - datetime.fromisoformat(at)
    except (ValueError, TypeError):
        return False
    return what == _digest(wanted) and timedelta() <= age < FRESH


def _digest(wanted: Wanted) -> str:
    return hashlib.sha256(repr(wanted).encode()).hexdigest()[:12]


def _set_in_azd(name: str, value: str) -> None:
    # Which environment is meant azd tells its hooks, and so itself, by AZURE_ENV_NAME.
    said = answer_of("azd", "env", "set", name, value)
    if said.code != 0:
        raise BadSetting(f"azd env set {name}: {said.why}")


def _look_up() -> str:
    try:
        said = answer_of(*LOOK_UP)
    except NoAnswer as fault:
        why = str(fault)
    else:
        if _GUID.fullmatch(found := said.out.strip()):
            return found
        why = said.why
    raise BadSetting(
        f"{DEFENDER}: could not be looked up ({why}); whoever may read the directory finds it with `{' '.join(LOOK_UP)}`; "
        f"then: azd env set {DEFENDER} ID"
    )


if __name__ == "__main__":
    sys.exit(main())
