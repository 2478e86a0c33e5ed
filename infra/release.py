"""Makes what a release ships beside the package: the template that a button in a browser opens, a list of what the image is
made of, and the release's notes.

The template is azuredeploy.json with defaults for what a browser cannot find out: the secrets that the released rules name, and
the address of the released package. All addresses follow from the repository and the tag.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from infra.compiler import ROOT
from infra.package import PACKAGE, digest
from infra.parameters import secret_names
from infra.sbom import BILL, LOCK, bill_of
from infra.sources import TEMPLATE
from router.app.settings import now
from router.domain.errors import BadPolicy

TEMPLATE_TAG = "azuredeploy-"
"""What stands before a release's tag in the tag under which its template can be read."""

NOTES = "notes.md"


class NoParameter(Exception):
    """A parameter that the template does not have."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release by its repository (`owner/name`) and its tag."""

    repository: str
    tag: str

    @property
    def package(self) -> str:
        """Where Azure fetches the package: among the files of the release."""
        return f"https://github.com/{self.repository}/releases/download/{quote(self.tag, safe='')}/{PACKAGE}"

    @property
    def template(self) -> str:
        """Where a browser reads the template: a script of another page may not read the files of a release (CORS)."""
        tag = quote(TEMPLATE_TAG + self.tag, safe="")
        return f"https://raw.githubusercontent.com/{self.repository}/{tag}/{TEMPLATE}"

    @property
    def button(self) -> str:
        """What opens the portal with the template:
        https://learn.microsoft.com/azure/azure-resource-manager/templates/deploy-to-azure-button"""
        return f"https://portal.azure.com/#create/Microsoft.Template/uri/{quote(self.template, safe='')}"

    @property
    def page(self) -> str:
        """docs/deploy-from-a-repository.md as it was then."""
        return self._document("deploy-from-a-repository.md#deploy-without-azd")

    @property
    def serving(self) -> str:
        """docs/serve.md as it was then."""
        return self._document("serve.md#the-files-of-a-release")

    def _document(self, name: str) -> str:
        return f"https://github.com/{self.repository}/blob/{quote(self.tag, safe='')}/docs/{name}"

    def notes(self, sha256: str) -> str:
        """What stands on the page of the release."""
        return (
            f"[![Deploy to Azure](https://aka.ms/deploytoazurebutton)]({self.button})\n\n"
            "The button makes everything in `infra/`, with the code and the rules of this tag. It works while this repository "
            "is public, and then any stranger can read the rules, those that hold alerts back among them. "
            f"[Deploy without azd]({self.page}) has the private ways, and says what the form asks.\n\n"
            f"`{PACKAGE}` has the SHA-256 `{sha256}`; `make package` makes the same one of this tag with the same Python.\n\n"
            f"Image, chart and wheel are for [anywhere else]({self.serving}), which says how to verify who made what is here.\n"
        )


def released(template: Mapping[str, Any], defaults: Mapping[str, str]) -> dict[str, Any]:
    """A copy of a template with defaults for some of its parameters; raises NoParameter."""
    copy = deepcopy(dict(template))
    for name, value in defaults.items():
        if name not in copy["parameters"]:
            raise NoParameter(f"{TEMPLATE}: has no parameter {name}")
        copy["parameters"][name]["defaultValue"] = value
    return copy


def main(arguments: list[str] | None = None, rules: Path = ROOT / "rules") -> int:
    """Writes them beside the package; 1 and one line where the template lacks a parameter, or package or rules are missing."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.release", description="Makes what a release ships beside its package."
    )
    parser.add_argument("repository", metavar="OWNER/NAME", help="the repository on GitHub")
    parser.add_argument("tag", metavar="TAG", help="what is released")
    parser.add_argument("directory", metavar="DIRECTORY", type=Path, nargs="?", default=ROOT / "dist")
    asked = parser.parse_args(arguments)
    release = Release(asked.repository, asked.tag)
    try:
        defaults = {"secretNames": secret_names(rules, now()), "packageUri": release.package}
        template = released(json.loads((ROOT / "infra" / TEMPLATE).read_text("utf-8")), defaults)
        notes = release.notes(digest(asked.directory / PACKAGE))
    except FileNotFoundError as fault:
        print(f"{fault.filename}: is not there; run `make package`", file=sys.stderr)
        return 1
    except (NoParameter, BadPolicy) as fault:
        print(fault, file=sys.stderr)
        return 1
    text = json.dumps(template, indent=2, ensure_ascii=False)
    (asked.directory / TEMPLATE).write_text(text, "utf-8", newline="\n")
    (asked.directory / NOTES).write_text(notes, "utf-8", newline="\n")
    bill = json.dumps(bill_of((ROOT / LOCK).read_text("utf-8")), indent=1)
    (asked.directory / BILL).write_text(bill, "utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
