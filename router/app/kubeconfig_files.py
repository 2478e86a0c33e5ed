"""Reads kubeconfig files, and the files that they name."""

from __future__ import annotations

from pathlib import Path

import yaml

from router.app.settings import Settings
from router.coverage.live.kubeconfig import Kubeconfig, LocalFile, Pem, kubeconfig_of
from router.domain.errors import BadFile

_LARGEST = 16 * 1024 * 1024
"""Bytes beyond which a file is none of these."""


def open_kubeconfig(file: Path | None, settings: Settings) -> Kubeconfig:
    """The kubeconfig that was named, else those of the settings as one; raises BadFile where one cannot be read.

    Of several that KUBECONFIG lists those count that are there, as for kubectl.
    """
    if file is not None:
        return kubeconfig_of([(str(file), _parsed(file))])
    return kubeconfig_of([(str(path), _parsed(path)) for path in settings.kubeconfigs if path.exists()])


def read_pem(pem: Pem, where: str) -> bytes:
    """Certificates or a key; raises BadFile, which begins with `where`, where their file cannot be read."""
    return pem if isinstance(pem, bytes) else read_beside(pem, where)


def read_beside(file: LocalFile, where: str) -> bytes:
    """A file that a kubeconfig names; raises BadFile, which begins with `where`, where it cannot be read."""
    return _read(Path(file.named_in).parent / file.path, f"{where}: {file.path}")


def _parsed(path: Path) -> object:
    try:
        # Aliases are not counted here: who writes this file is who runs this program.
        return yaml.safe_load(_read(path, str(path)))
    except (yaml.YAMLError, ValueError, RecursionError):  # whose text may quote a token
        raise BadFile(f"{path}: is no YAML, so no kubeconfig") from None


def _read(path: Path, said: str) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(_LARGEST + 1)
    except OSError as error:
        raise BadFile(f"{said}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # a zero byte in its name
        raise BadFile(f"{said!r}: is no name of a file") from error
    if len(found) > _LARGEST:
        raise BadFile(f"{said}: is larger than 16 MB, so no file of a kubeconfig")
    return found
