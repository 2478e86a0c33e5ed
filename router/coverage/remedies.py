"""The command lines that answer a question or mend a gap. Whatever a document named is quoted for the shell. Pure.

https://learn.microsoft.com/cli/azure/reference-index#az-rest
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping

from router.domain.resources import parse_resource_id


def command_line(*words: str) -> str:
    """A line for the shell whose words stay what they are, whatever stands in them."""
    return " ".join(shlex.quote(word) for word in words)


def file_name(name: str) -> str:
    """A file, without what its name ends in, for the answer of something that is called so."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or "answer"


def rest_get(path: str, version: str) -> str:
    """The line that asks Azure Resource Manager for what is at a path."""
    return command_line("az", "rest", "--method", "get", "--url", f"{path}?api-version={version}")


def rest_put(path: str, version: str, body: Mapping[str, object]) -> str:
    """The line that puts a body at a path."""
    url = f"{path}?api-version={version}"
    return command_line("az", "rest", "--method", "put", "--url", url, "--body", json.dumps(body))


def resource_words(id: str | None) -> tuple[str, ...]:
    """The words by which `az` is told a resource: group, name and subscription; none where its id does not say them."""
    parts = parse_resource_id(id)
    if not (parts.resource_group and parts.name and parts.subscription):
        return ()
    return ("--resource-group", parts.resource_group, "--name", parts.name, "--subscription", parts.subscription)


_CONNECTORS = "resources | where type =~ 'microsoft.security/securityconnectors'"
ASK_CONNECTORS = command_line("az", "graph", "query", "-q", _CONNECTORS, "--first", "1000", "-o", "json")
"""The line that asks for every connector to another cloud."""
