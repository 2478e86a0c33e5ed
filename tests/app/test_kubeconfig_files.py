"""Which kubeconfig files are read, and what is said of those that cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from router.app.kubeconfig_files import open_kubeconfig
from router.app.settings import Settings
from router.domain.errors import BadFile

CONTEXT = "contexts: [{name: %s, context: {cluster: a, user: b}}]\n"


def written(path: Path, name: str) -> Path:
    """A kubeconfig with a context of that name."""
    path.write_text(CONTEXT % name)
    return path


def test_the_file_that_is_named_is_the_only_one(tmp_path: Path) -> None:
    """As with kubectl --kubeconfig; it must be there."""
    settings = Settings({"KUBECONFIG": str(written(tmp_path / "other", "ledger"))})
    assert open_kubeconfig(written(tmp_path / "named", "payments"), settings).contexts == ("payments",)
    with pytest.raises(BadFile, match=r"gone: cannot be read: No such file"):
        open_kubeconfig(tmp_path / "gone", settings)


def test_else_those_that_kubeconfig_lists_and_that_are_there(tmp_path: Path) -> None:
    """In their order, each once."""
    files = [written(tmp_path / "a", "payments"), tmp_path / "gone", written(tmp_path / "b", "ledger"), tmp_path / "a"]
    settings = Settings({"KUBECONFIG": os.pathsep.join(["", *map(str, files)])})
    found = open_kubeconfig(None, settings)
    assert found.contexts == ("payments", "ledger")
    assert found.files == (str(files[0]), str(files[2]))


def test_else_that_of_kubectl() -> None:
    """In the home directory."""
    assert Settings({}).kubeconfigs == (Path.home() / ".kube" / "config",)
    assert Settings({"KUBECONFIG": ""}).kubeconfigs == Settings({}).kubeconfigs


@pytest.mark.parametrize("text", ["users: [{token: canary", "a: !!python/object:os.system x", "\0", "- " * 3 + "&a *b"])
def test_what_is_no_yaml_is_said_without_what_stands_there(tmp_path: Path, text: str) -> None:
    """It may be a token."""
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(BadFile, match=r"config: is no YAML, so no kubeconfig$"):
        open_kubeconfig(file, Settings({}))


def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    """Nor is what has no name of a file."""
    with pytest.raises(BadFile, match="cannot be read: Is a directory"):
        open_kubeconfig(tmp_path, Settings({}))
    with pytest.raises(BadFile, match="is no name of a file"):
        open_kubeconfig(Path("a\0b"), Settings({}))
