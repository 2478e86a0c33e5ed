"""Sets in azd's environment what main.bicep needs and nobody should be asked: the secrets' names, and Defender's object id.

azd's hooks `preup` and `preprovision` run it: `azd up` reads the parameters before any `preprovision`, and `azd provision`
knows no `preup`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime

from infra.parameters import NAMES, RULES, refuse_wrong, secret_names
from router.domain.errors import BadSetting, UserError

DEFENDER = "DEFENDER_PRINCIPAL_ID"
LOOK_UP = ("az", "ad", "sp", "show", "--id", "8edd93e1-2103-40b4-bd70-6e34e586362d", "--query", "id", "--output", "tsv")
"""Windows Azure Security Resource Provider has this application id everywhere, and in each tenant an object id of its own."""

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def main() -> int:
    """Sets both; 1 and one line a problem where the rules or a choice are of no use, or the object id cannot be looked up."""
    try:
        names = secret_names(RULES, datetime.now(UTC))
        refuse_wrong(os.environ)
        if os.environ.get(NAMES) != names:
            _set_in_azd(NAMES, names)
        if not os.environ.get(DEFENDER):
            _set_in_azd(DEFENDER, _look_up())
    except UserError as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


def _set_in_azd(name: str, value: str) -> None:
    # Which environment is meant azd tells its hooks, and so itself, by AZURE_ENV_NAME.
    said = _answer("azd", "env", "set", name, value)
    if said.returncode != 0:
        raise BadSetting(f"azd env set {name}: {_first_line(said.stderr)}")


def _look_up() -> str:
    try:
        said = _answer(*LOOK_UP)
    except BadSetting as fault:
        why = str(fault)
    else:
        if _GUID.fullmatch(found := said.stdout.strip()):
            return found
        why = _first_line(said.stderr)
    raise BadSetting(
        f"{DEFENDER}: could not be looked up ({why}); whoever may read the directory finds it with `{' '.join(LOOK_UP)}`; "
        f"then: azd env set {DEFENDER} ID"
    )


def _answer(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # On Windows az is a batch file, which is found by its whole path only.
    path = shutil.which(program)
    if path is None:
        raise BadSetting(f"{program}: is not on the PATH")
    return subprocess.run([path, *arguments], cwd=RULES.parent, capture_output=True, text=True, check=False)  # noqa: S603


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "it said nothing")


if __name__ == "__main__":
    sys.exit(main())
