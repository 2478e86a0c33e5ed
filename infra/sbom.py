"""Makes the bill of materials of the image's Python packages, from the lock that it is installed by, in CycloneDX 1.6.

What the base of the image has beside them is in the list that BuildKit attests to the image itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from packaging.markers import Marker

from router import __version__
from router.app.optional_packages import PACKAGE

BILL = "alert-router.cdx.json"
"""The file of a release that holds it: names that end so are CycloneDX's, https://cyclonedx.org/specification/overview/."""

LOCK = "requirements-serve.txt"

IMAGE = {"implementation_name": "cpython", "os_name": "posix", "platform_system": "Linux", "sys_platform": "linux"}
"""Where the image runs; by its processor no package of the lock is chosen."""

_PIN = re.compile(r"([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)(?:\s*;([^\\\n]+))?")
_OWN = f"{PACKAGE} (pyproject.toml)"


class Pin(NamedTuple):
    """A package of a lock, its version, and who asks for it, by their names."""

    name: str
    version: str
    wanted_by: frozenset[str]

    @property
    def url(self) -> str:
        """The package by its name everywhere: https://github.com/package-url/purl-spec."""
        return f"pkg:pypi/{self.name}@{self.version}"


def pins_of(lock: str) -> Iterator[Pin]:
    """What a lock installs in the image, in its order."""
    for block in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE):
        if (found := _PIN.match(block)) and (found[3] is None or Marker(found[3]).evaluate(dict(IMAGE))):
            said = re.findall(r"^    #(?: via|  )\s*(\S.*)$", block, re.MULTILINE)
            yield Pin(found[1], found[2], frozenset(said))


def bill_of(lock: str) -> Mapping[str, Any]:
    """The document: each package with its version, and which of them ask for which."""
    pins = list(pins_of(lock))
    own = {"type": "application", "bom-ref": PACKAGE, "name": PACKAGE, "version": __version__}
    refs = {_OWN: PACKAGE, **{one.name: one.url for one in pins}}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": own | {"licenses": [{"license": {"id": "MIT"}}]}},
        "components": [
            {"type": "library", "bom-ref": one.url, "name": one.name, "version": one.version, "purl": one.url}
            for one in pins
        ],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(one.url for one in pins if asking in one.wanted_by)}
            for asking, ref in refs.items()
        ],
    }
