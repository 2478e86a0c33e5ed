"""Makes the template that a release ships: azuredeploy.json, with defaults for what a button in a browser cannot find out.

Those are the secrets that the released rules name, and the address of the released package. Nothing else is changed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from infra.compiler import ROOT
from infra.sources import TEMPLATE
from router.assembly import load_rules, now, secret_names_of
from router.domain.errors import BadPolicy
from router.domain.signals import Stream

NO_SECRET = "none"
"""What the template is given where the rules name no secret: an empty value would be a forgotten one."""


class NoParameter(Exception):
    """A parameter that the template does not have."""


def released(template: Mapping[str, Any], defaults: Mapping[str, str]) -> dict[str, Any]:
    """A copy of a template with defaults for some of its parameters; raises NoParameter."""
    copy = deepcopy(dict(template))
    for name, value in defaults.items():
        if name not in copy["parameters"]:
            raise NoParameter(f"{TEMPLATE}: has no parameter {name}")
        copy["parameters"][name]["defaultValue"] = value
    return copy


def secret_names(rules: Path) -> str:
    """The secrets that rules name, as the template takes them; raises BadPolicy."""
    books = load_rules(rules, list(Stream), now()).books
    return ",".join(sorted(secret_names_of(books.values()))) or NO_SECRET


def main(arguments: list[str] | None = None) -> int:
    """Writes the copy; 1 and one line where the template lacks a parameter or the rules are of no use."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.release", description="Makes the template that a release ships."
    )
    parser.add_argument("package", metavar="PACKAGE_URI", help="where the package of this release will be")
    parser.add_argument("to", metavar="FILE", type=Path, help="the template to write")
    asked = parser.parse_args(arguments)
    try:
        defaults = {"secretNames": secret_names(ROOT / "rules"), "packageUri": asked.package}
        template = released(json.loads((ROOT / "infra" / TEMPLATE).read_text("utf-8")), defaults)
    except (NoParameter, BadPolicy) as fault:
        print(fault, file=sys.stderr)
        return 1
    asked.to.write_text(json.dumps(template, indent=2, ensure_ascii=False), "utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
