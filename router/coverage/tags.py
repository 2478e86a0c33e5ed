"""The tags of resources that documents say, for owners that are found by tags."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from router.coverage.documents import CoverageDocument
from router.domain.tags import TagRows

_IN_AZURE = re.compile(r"/subscriptions/[^/]")


def tags_said_in(documents: Iterable[CoverageDocument]) -> Mapping[str, Mapping[str, str]]:
    """The tags of each resource, resource group and subscription of which documents say them, by its id in lower case.

    Empty for what they say has none; what has no field `tags`, or was not in an answer, is not there.
    """
    bodies = [body for document in documents for body in _bodies_with_tags(document)]
    untagged: dict[str, Mapping[str, str]] = {_id_of(body): {} for body in bodies}
    return untagged | TagRows(bodies).by_id


def tag_file_of(documents: Iterable[CoverageDocument]) -> bytes:
    """The tags that documents say as a file that owners.yaml may name, in the form in which `az graph query` prints them."""
    rows = [{"id": id, "tags": dict(tags)} for id, tags in sorted(tags_said_in(documents).items()) if tags]
    answer = {"count": len(rows), "data": rows, "skip_token": None, "total_records": len(rows)}
    return (json.dumps(answer, indent=2, ensure_ascii=False) + "\n").encode()


def _bodies_with_tags(document: CoverageDocument) -> Iterator[Mapping[str, object]]:
    for item in document.items:
        written = next((value for name, value in item.body.items() if name.lower() == "tags"), _ABSENT)
        if item.id is None or (written is not None and not isinstance(written, Mapping)):
            continue
        body = {"id": item.id, "tags": written}
        if _IN_AZURE.match(_id_of(body)):
            yield body


_ABSENT = ()
"""What stands for a field that is not there: it is no mapping."""


def _id_of(body: Mapping[str, object]) -> str:
    return "/" + str(body["id"]).strip().strip("/").lower()
