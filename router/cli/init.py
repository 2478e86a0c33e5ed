"""`alert-router init DIR`: a repository of rules of one's own, with the workflow that checks them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from argparse import Namespace
from collections.abc import Mapping
from itertools import filterfalse
from pathlib import Path

from router.cli.printing import print_lines
from router.domain.errors import BadFile
from router.rulebook.starter import REPOSITORY, STARTER

RULES = "rules"
WORKFLOW = ".github/workflows/alert-rules.yml"
STAGING = ".alert-router-init"
"""Where all is written before any of it is in its place; an init that was killed leaves it, and the next one takes it away."""

_FIXED = re.compile(r"^\./|@[0-9a-f]{40,64}(?:#|$)|#.*sha256=")
"""What is the same program for ever: a file of the repository, a commit, or a file with its digest."""

_LEFT_OUT = frozenset({"attack.yaml"})
"""What the program brings where a rules directory has none: it is kept up to date with the program."""


def init(options: Namespace) -> int:
    """Write the repository and say what comes next; raises BadFile, having written nothing, where rules are there already."""
    directory: Path = options.directory
    _refuse_rules(directory / RULES)
    origin, here = options.origin, _resolved(directory)
    top = _find_top(here)
    text = workflow_for(origin, (here / RULES).relative_to(top or here).as_posix())
    files = _files(text)
    there = [name for name in files if not _is_rule(name) and _exists(directory / name)]
    fresh = {name: data for name, data in files.items() if name not in there}
    try:
        _put(fresh, directory)
    except OSError as fault:
        raise BadFile(f"{fault.filename or directory}: cannot be written: {fault.strerror}") from fault
    enter = [] if directory.samefile(Path()) else [f"  cd {shlex.quote(str(directory))}"]
    print_lines(
        [
            f"{directory / RULES}: written, {sum(map(_is_rule, fresh))} files",
            *(f"{directory / name}: written" for name in fresh if not _is_rule(name)),
            *(f"{directory / name}: was there, and stays as it is" for name in there),
            *(_about(directory, origin, top, text) if WORKFLOW in fresh else []),
            "next:",
            *enter,
            *(f"  alert-router {command}" for command in ("rules check", "rules test", "explain alert.ndjson")),
        ]
    )
    return 0


def _files(workflow: str) -> Mapping[str, bytes]:
    """Return every file by its name in the repository."""
    paths = [path for path in sorted(STARTER.rglob("*")) if path.is_file() and path.name not in _LEFT_OUT]
    rules = {f"{RULES}/{path.relative_to(STARTER).as_posix()}": path.read_bytes() for path in paths}
    names = (".gitignore", "README.md", "alert.ndjson")
    beside = {name: (REPOSITORY / name.lstrip(".")).read_bytes() for name in names}
    return {**rules, WORKFLOW: workflow.encode("utf-8", "surrogateescape"), **beside}


def _refuse_rules(rules: Path) -> None:
    try:
        is_free = not _exists(rules) or (not rules.is_symlink() and rules.is_dir() and not any(rules.iterdir()))
    except OSError as fault:
        raise BadFile(f"{rules}: cannot be listed: {fault.strerror}") from fault
    if not is_free:
        raise BadFile(f"{rules}: is there already, and init overwrites nothing; name another directory")


def _put(files: Mapping[str, bytes], directory: Path) -> None:
    """Write files; the rules come last and all at once, so that an init that was interrupted can begin again."""
    staging = directory / STAGING
    directory.mkdir(parents=True, exist_ok=True)
    try:
        _remove(staging)
        for name, data in files.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_bytes(data)
        for name in filterfalse(_is_rule, files):
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).rename(directory / name)
        if (directory / RULES).is_dir():
            (directory / RULES).rmdir()
        (staging / RULES).rename(directory / RULES)
    finally:
        _remove(staging)


def _remove(directory: Path) -> None:
    if _exists(directory):
        shutil.rmtree(directory)


def _exists(path: Path) -> bool:
    return path.exists(follow_symlinks=False)


def _is_rule(name: str) -> bool:
    return name.startswith(f"{RULES}/")


def _about(directory: Path, origin: str | None, top: Path | None, text: str) -> list[str]:
    """Return what a reader of the workflow has to know."""
    workflow = directory / WORKFLOW
    if origin is None:
        number = next(number for number, one in enumerate(text.splitlines(), 1) if f"vars.{VARIABLE}" in one)
        line = (
            f"{workflow}:{number}: write there, behind ALERT_ROUTER:, where the alert router is, such as "
            f"git+https://HOST/OWNER/alert-router@COMMIT; or set the variable {VARIABLE} of the repository to that"
        )
    else:
        may_change = "" if _FIXED.search(origin) else ", which names no commit: what that is may change"
        line = f"{workflow}: checks with {origin}{may_change}"
    if top is None:
        return [line]
    return [line, f"{workflow}: GitHub looks for workflows at the top of a repository; move it to {top / WORKFLOW}"]


def _resolved(directory: Path) -> Path:
    try:
        return directory.resolve()
    except OSError as fault:  # the working directory may be gone
        raise BadFile(f"{directory}: cannot be found: {fault.strerror}") from fault


def _find_top(here: Path) -> Path | None:
    """Return the top of the repository that a directory lies in, unless it is the top itself."""
    if _exists(here / ".git"):
        return None
    return next((parent for parent in here.parents if _exists(parent / ".git")), None)


VARIABLE = "ALERT_ROUTER_SOURCE"
"""The variable of a repository that says where its workflow installs the program from."""

_ON_GITHUB = re.compile(r"git\+https://github\.com/(?P<repository>[\w.-]+/[\w.-]+?)(\.git)?@(?P<commit>[0-9a-f]{40})")


def workflow_for(origin: str | None, rules: str) -> str:
    """Return the workflow that checks the rules at a path from the top of a repository, with the program from an origin.

    A commit on GitHub is used as the action that it is; it brings the versions of the program's lock. What is anywhere else is
    installed; where nothing says what, the workflow asks for the repository's variable.
    """
    action = _ON_GITHUB.fullmatch(origin or "")
    if action is not None:
        return _filled("workflow-action.yml", ACTION=f"{action['repository']}@{action['commit']}", RULES=_quoted(rules))
    written = _quoted(origin) if origin is not None else f"${{{{ vars.{VARIABLE} }}}}"
    return _filled("workflow-install.yml", ORIGIN=written, RULES=_quoted(rules))


def _filled(template: str, **values: str) -> str:
    text = (REPOSITORY / template).read_text()
    # They stand behind a colon, and each once.
    return re.sub(rf"(?<=: )({'|'.join(values)})\b", lambda found: values[found[1]], text)


def _quoted(text: str) -> str:
    """Return a text as YAML writes it, in which JSON's strings are strings, too; plainly where it can be."""
    return text if re.fullmatch(r"[a-z][\w/.+:@-]*", text, re.IGNORECASE) else json.dumps(text, ensure_ascii=False)
