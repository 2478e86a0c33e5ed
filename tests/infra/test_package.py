"""The package and the template that a release ships have what the app needs and nothing else."""

import json
import os
import re
from collections.abc import Mapping
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zipfile import ZipFile

import pytest

from infra.package import DEPENDENCIES, PACKAGE, contents, digest, pack
from infra.parameters import secret_names
from infra.release import NoParameter, Release, main, released
from infra.sbom import BILL, LOCK, bill_of
from router.app.settings import now
from tests.builders import RULES
from tests.infra.predicted import ROOT, TEMPLATE

PROJECT = {
    "function_app.py": "app",
    "host.json": "{}",
    "requirements.txt": "",
    "router/app/service.py": "service",
    "router/__pycache__/service.cpython-313.pyc": "compiled",
    "rules/cwpp/policy.yaml": "stream: cwpp",
    "rules/tags/resources.json": "[]",
    "rules/cwpp/.policy.yaml.swp": "an editor's",
    "rules/.schemas/policy.json": "{}",
    "tests/test_service.py": "test",
    "infra/main.bicep": "",
}
INSTALLED = {
    "orjson/__init__.py": "orjson",
    "orjson/bin/kept.py": "a folder within a package",
    "orjson-3.dist-info/METADATA": "Name: orjson",
    "orjson-3.dist-info/RECORD": "bin/orjson,sha256=of a path",
    "bin/orjson": "#!/home/somebody/.venv/bin/python",
    ".lock": "",
}


def written(directory: Path, files: Mapping[str, str]) -> Path:
    """A directory with files."""
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


def test_the_package_has_the_app_and_what_it_brings_along(tmp_path: Path) -> None:
    """No compiled files, no hidden ones, nothing that names the interpreter of whoever built it."""
    files = contents(written(tmp_path / "project", PROJECT), written(tmp_path / "installed", INSTALLED))
    assert sorted(files) == [
        ".python_packages/lib/site-packages/orjson-3.dist-info/METADATA",
        ".python_packages/lib/site-packages/orjson/__init__.py",
        ".python_packages/lib/site-packages/orjson/bin/kept.py",
        "function_app.py",
        "host.json",
        "requirements.txt",
        "router/app/service.py",
        "rules/cwpp/policy.yaml",
        "rules/tags/resources.json",
    ]


def test_made_twice_it_is_the_same(tmp_path: Path) -> None:
    """Wherever, whenever and in whatever order its files came; a file that says otherwise makes another one. Names are sorted,
    and everybody may read, since Azure mounts it as it is."""
    digests = []
    for place, files, time, right in (
        ("here", PROJECT, 0, 0o600),
        ("there", dict(reversed(PROJECT.items())), 1_700_000_000, 0o755),
        ("elsewhere", {**PROJECT, "rules/cwpp/policy.yaml": "stream: cspm"}, 0, 0o600),
    ):
        project = written(tmp_path / place, files)
        for name in files:
            os.utime(project / name, (time, time))
            (project / name).chmod(right)
        package = tmp_path / "dist" / f"{place}.zip"
        pack(contents(project, written(tmp_path / f"{place}-installed", INSTALLED)), package)
        digests.append(digest(package))
    assert digests[0] == digests[1] != digests[2]
    with ZipFile(package) as made:
        infos = made.infolist()
        assert made.testzip() is None
    assert [one.filename for one in infos] == sorted(one.filename for one in infos)
    assert {(one.date_time, one.external_attr >> 16) for one in infos} == {((1980, 1, 1, 0, 0, 0), 0o100644)}
    assert any(one.filename.startswith(DEPENDENCIES) for one in infos)


DEFAULTS = {"secretNames": "A_KEY,B_KEY", "packageUri": "https://example.com/alert-router.zip"}


def test_defaults_are_put_in_and_nothing_else_is_changed() -> None:
    """Whatever else the template has stays as it was compiled; one without the parameter is refused."""
    template = deepcopy(TEMPLATE)
    template["parameters"] |= {"secretNames": {"type": "string"}, "packageUri": {"type": "string", "defaultValue": ""}}
    before = deepcopy(template)
    copy = released(template, DEFAULTS)
    assert template == before
    assert {name: copy["parameters"][name].pop("defaultValue") for name in DEFAULTS} == DEFAULTS
    before["parameters"]["packageUri"].pop("defaultValue")
    assert copy == before
    # A button that asks for something else would deploy an empty app.
    for missing in DEFAULTS:
        without: dict[str, Any] = {"parameters": {name: {} for name in DEFAULTS if name != missing}}
        with pytest.raises(NoParameter, match=f"^azuredeploy.json: has no parameter {missing}$"):
            released(without, DEFAULTS)


def test_what_is_shipped_is_made_of_what_is_compiled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the package, by one command: a template that asks for neither, and notes with the button; without a package
    nothing is made, since notes would name one that is not there."""
    assert main(["soc/router", "v1.0", str(tmp_path)], RULES) == 1
    assert capsys.readouterr().err == f"{tmp_path / PACKAGE}: is not there; run `make package`\n"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / PACKAGE).write_bytes(b"package")
    assert main(["soc/router", "v1.0", str(tmp_path)], RULES) == 0
    parameters = json.loads((tmp_path / "azuredeploy.json").read_text())["parameters"]
    assert parameters["secretNames"]["defaultValue"] == secret_names(RULES, now())
    assert parameters["packageUri"]["defaultValue"] == Release("soc/router", "v1.0").package
    assert parameters.keys() == TEMPLATE["parameters"].keys()
    assert (tmp_path / "notes.md").read_text() == Release("soc/router", "v1.0").notes(sha256(b"package").hexdigest())
    assert json.loads((tmp_path / BILL).read_text()) == bill_of((ROOT / LOCK).read_text())


def test_the_button_opens_the_template_of_this_repository_and_tag(subtests: pytest.Subtests) -> None:
    """Whatever the tag holds, the portal gets one address, and each address leads to the tag."""
    for tag in ("v1.0", "v1 (of two)", "v1#/%"):
        with subtests.test(tag):
            release = Release("soc/router", tag)
            (button,) = re.findall(r"\]\((https://portal[^)]*)\)", release.notes("0"))
            assert "any stranger can read the rules" in release.notes("0")
            before, _, address = button.partition("/uri/")
            assert before == "https://portal.azure.com/#create/Microsoft.Template"
            assert re.fullmatch(r"[\w.%~-]+", address)
            assert unquote(address) == release.template
            host, *path = map(unquote, release.template.removeprefix("https://").split("/"))
            assert host == "raw.githubusercontent.com"
            assert path == ["soc", "router", f"azuredeploy-{tag}", "azuredeploy.json"]
            package = [unquote(part) for part in release.package.split("/")[3:]]
            assert package == ["soc", "router", "releases", "download", tag, PACKAGE]


def test_the_notes_lead_to_sections_that_are_there_and_to_the_template() -> None:
    """A heading that was renamed would leave the reader at the top; one section shows where a template lies."""
    release = Release("soc/router", "v1.0")
    for address in (release.page, release.serving):
        name, _, anchor = address.rpartition("/docs/")[2].partition("#")
        headings = re.findall(r"^## (.*)$", (ROOT / "docs" / name).read_text(), re.MULTILINE)
        assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
        assert address in release.notes("0")
    page = (ROOT / "docs" / "deploy-from-a-repository.md").read_text()
    assert Release("OWNER/REPOSITORY", "v1").template in page
