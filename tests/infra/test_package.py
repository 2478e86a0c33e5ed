"""The package that a release ships has what the app needs and nothing else, and is the same whoever makes it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

from infra.package import DEPENDENCIES, contents, digest, pack

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
