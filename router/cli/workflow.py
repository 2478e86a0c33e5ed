"""The workflow that checks rules of one's own on GitHub."""

from __future__ import annotations

import json
import re

from router.rulebook.starter import REPOSITORY

VARIABLE = "ALERT_ROUTER_SOURCE"
"""The variable of a repository that says where its workflow installs the program from."""

_ON_GITHUB = re.compile(r"git\+https://github\.com/(?P<repository>[\w.-]+/[\w.-]+?)(\.git)?@(?P<commit>[0-9a-f]{40})")


def workflow_for(origin: str | None, rules: str) -> str:
    """The workflow that checks the rules at a path from the top of a repository, with the program from an origin.

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
    """A text as YAML writes it, in which JSON's strings are strings, too; plainly where it can be."""
    return text if re.fullmatch(r"[a-z][\w/.+:@-]*", text, re.IGNORECASE) else json.dumps(text, ensure_ascii=False)
