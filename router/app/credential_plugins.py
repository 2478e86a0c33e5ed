"""Runs credential plugins of a kubeconfig as kubectl runs them: no shell, and the variables that they are promised.

What a plugin says on stderr goes to the terminal where a person may be asked, and is thrown away elsewhere: it may hold
anything, and our own lines hold no secret.
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from router.coverage.live.credential_plugins import (
    INFO,
    Credential,
    CredentialPlugin,
    InteractiveMode,
    find_credential,
    info_for,
)
from router.domain.errors import BadFile
from router.domain.texts import one_line

_PATIENCE = 60.0
"""Seconds for a plugin to answer."""

_PATIENCE_WITH_PEOPLE = 300.0
"""The same where a person may have to sign in."""

_LAST_WORDS = 1.0
"""Seconds for a program that was ended to be gone."""

_LONGEST = 1024 * 1024
"""Bytes that a plugin may print."""


async def run_plugin(
    plugin: CredentialPlugin, cluster: Mapping[str, object], environment: Mapping[str, str], where: str
) -> Credential:
    """What a plugin gives out for a cluster; raises BadFile, which begins with `where`, where it gives out nothing."""
    is_interactive = plugin.mode is not InteractiveMode.NEVER and sys.stdin is not None and sys.stdin.isatty()
    if plugin.mode is InteractiveMode.ALWAYS and not is_interactive:
        raise BadFile(
            f"{where}: {_named(plugin)} wants to ask somebody, and nobody is at a terminal; use another way to sign in"
        )
    variables = {
        **environment,
        **plugin.variables,
        INFO: info_for(plugin, cluster, is_interactive=is_interactive),
    }
    process = await _started(plugin, variables, where, is_interactive=is_interactive)
    seconds = _PATIENCE_WITH_PEOPLE if is_interactive else _PATIENCE
    code: int | None = None
    try:
        async with asyncio.timeout(seconds):
            printed = await _printed(process)
            if len(printed) > _LONGEST:  # it would wait for ever for somebody to read the rest
                raise BadFile(f"{where}: {_named(plugin)} printed more than {_LONGEST >> 20} MB")
            code = await process.wait()
    except TimeoutError:
        raise BadFile(f"{where}: {_named(plugin)} gave nothing out within {seconds:.0f} s") from None
    finally:
        if code is None:
            await _end(process, has_own_session=not is_interactive)
    if code != 0:
        raise BadFile(f"{where}: {_named(plugin)} ended with {code}; `kubectl get nodes` with this context shows why")
    credential = find_credential(printed, plugin.version)
    if credential is None:
        raise BadFile(
            f"{where}: {_named(plugin)} printed no ExecCredential of {plugin.version} with a token or a certificate"
        )
    return credential


async def _started(
    plugin: CredentialPlugin, variables: Mapping[str, str], where: str, *, is_interactive: bool
) -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            _program(plugin, variables),
            *plugin.arguments,
            env=variables,
            stdin=None if is_interactive else DEVNULL,
            stdout=PIPE,
            stderr=None if is_interactive else DEVNULL,
            # What it starts is ended with it; who asks at a terminal must stay in the session of that.
            start_new_session=not is_interactive,
            limit=_LONGEST,
        )
    except (OSError, ValueError) as fault:  # not there, not allowed, or a name that no program has
        hint = f"; {one_line(plugin.install_hint.strip())}" if plugin.install_hint else "; install it"
        raise BadFile(f"{where}: {_named(plugin)} cannot be run ({type(fault).__name__}){hint}") from fault


def _program(plugin: CredentialPlugin, variables: Mapping[str, str]) -> str:
    """The program: on the path, or, where its name has a folder, relative to that of its kubeconfig."""
    if Path(plugin.command).name != plugin.command:
        return str(Path(plugin.named_in).parent / plugin.command)
    found = shutil.which(plugin.command, path=variables.get("PATH"))
    if found is None:
        raise FileNotFoundError(plugin.command)
    return found


async def _printed(process: Process) -> bytes:
    """What a plugin prints, and one byte more than it may."""
    chunks, size = [], 0
    if process.stdout is not None:
        while size <= _LONGEST and (chunk := await process.stdout.read(_LONGEST)):
            chunks.append(chunk)
            size += len(chunk)
    return b"".join(chunks)


async def _end(process: Process, *, has_own_session: bool) -> None:
    """Ends a plugin that nobody waits for any more, with what it started.

    What has left its session may hold its output open, and is not waited for.
    """
    with suppress(ProcessLookupError, PermissionError):
        if has_own_session:
            os.killpg(process.pid, signal.SIGKILL)
        elif process.returncode is None:
            process.kill()
    with suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS):
            while process.stdout is not None and await process.stdout.read(_LONGEST):
                pass  # its output is closed only once it was read to its end
            await process.wait()


def _named(plugin: CredentialPlugin) -> str:
    return f"its exec plugin {one_line(Path(plugin.command).name)}"
