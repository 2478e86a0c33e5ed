"""The files of tags that owners.yaml names: what `az graph query` says of resources, resource groups and subscriptions.

An answer is {"data": [{"id", "tags"}], "total_records", "skip_token"}; one of more than 1,000 rows comes in pages, which follow
each other in one file. A bare list of such rows will do, too, and so will rows after each other. Beside files, or instead of
them, owners.yaml may name the tags that `coverage check --live` read, which lie in the state.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath

from router.domain.tags import NO_TAGS, TagRows, Tags
from router.rulebook.documents import Document, Unreadable
from router.rulebook.folder import Folder

KEY = "tags"

LIVE = "live"
"""What stands among the files for the tags that `coverage check --live` read; a file of that name is `./live`."""

_QUERY = "az graph query --first 1000 -o json -q 'resources | union resourcecontainers | project id, tags'"
"""A query may unite these two tables: https://learn.microsoft.com/azure/governance/resource-graph/concepts/query-language"""

_NUMBER = re.compile(r"[0-9]{1,15}")


def read_tags(folder: Folder, document: Document, files: Sequence[str]) -> Tags:
    """The tags in the files that a document names under KEY; notes what cannot be used."""
    read: dict[str, bytes] = {}
    for number, name in enumerate(files):
        file = PurePosixPath(name).as_posix()
        is_twice = name in files[:number] if name == LIVE else file in read
        if (fault := _find_fault(name) or ("is named twice; remove one" if is_twice else None)) is not None:
            folder.note(document, (KEY, number), fault, code="tag-file-name")
        elif name != LIVE:
            data = folder.read_bytes(file, partial(_missing, folder, document, number, files))
            read |= {file: data} if data is not None else {}
    return _understand(folder, read) if read else NO_TAGS


def _missing(folder: Folder, document: Document, number: int, files: Sequence[str]) -> str:
    """What to say of a file that is not there: where it is named, which file may be meant, and how to make it."""
    near = folder.find_near(files[number], but=files)
    remedy = f"did you mean {near}? Otherwise make it" if near else "make it"
    return f"is missing, and {document.position_of((KEY, number))} names it; {remedy}: {_QUERY} > FILE"


def _find_fault(name: str) -> str | None:
    """Why a name is not that of a file in the rules directory; None for one that may be."""
    parts = PurePosixPath(name).parts
    if not name.isprintable() or "\\" in name or not {"*", "?"}.isdisjoint(name):
        return "must be the name of one file, with / between directories; give each file its line"
    if name.startswith("/") or PureWindowsPath(name).drive or ".." in parts or not parts:
        return "must be a file in the rules directory, named from there, such as tags/resources.json"
    if any(part.startswith(".") for part in parts):
        return "is hidden by the dot that it begins with, and hidden files are not deployed; give it another name"
    return None


def _understand(folder: Folder, read: Mapping[str, bytes]) -> Tags:
    """The tags of all files; notes what is wrong with them. Where two say something of one resource, the later counts."""
    by_id: dict[str, Mapping[str, str]] = {}
    for file, data in read.items():
        try:
            found, missing = _rows_in(data)
        except Unreadable as error:
            folder.blame(file, str(error), error.line, code="unreadable")
            continue
        rows = TagRows(found)
        for fault, numbers in rows.faults.items():
            others = f" (and {len(numbers) - 1} more like it)" if len(numbers) > 1 else ""
            folder.blame(file, f"row {numbers[0]} {fault}{others}", level="warning", code="unusable-tag-row")
        if not rows.by_id:
            folder.blame(file, "has no tag; ask for `project id, tags`", level="warning", code="no-tags")
        if missing is not None:
            folder.blame(file, missing, level="warning", code="partial-tag-file")
        by_id.update((id, {**by_id[id], **tags} if id in by_id else tags) for id, tags in rows.by_id.items())
    return Tags(by_id)


def _rows_in(data: bytes) -> tuple[list[object], str | None]:
    """The rows of all pages in a file, and what to say where these are not all that were found."""
    rows: list[object] = []
    total, goes_on = 0, False
    for page in _documents_in(data):
        answer = page if isinstance(page, dict) else {"data": page}
        # az and Resource Graph spell the names each in their own way: skip_token, $skipToken.
        said = {name.lower().replace("_", "").removeprefix("$"): value for name, value in answer.items()}
        found = said.get("data")
        if not isinstance(found, list):
            rows.append(page)
            continue
        rows += found
        numbers = [str(said.get(name)) for name in ("totalrecords", "count")]
        total = max(total, *(int(number) if _NUMBER.fullmatch(number) else 0 for number in numbers))
        # The last of several pages may say that it was cut, too, so that their total counts for more.
        is_cut = str(said.get("resulttruncated")).lower() == "true" and total <= len(found)
        goes_on = is_cut or bool(said.get("skiptoken") or said.get("nextlink") or said.get("@odata.nextlink"))
    if not goes_on and len(rows) >= total:
        return rows, None
    return rows, (
        f"holds {len(rows)} of {total if total > len(rows) else 'more'} rows, and what is missing has no tags; ask with "
        "--first 1000, and append the next page, which --skip-token asks for"
    )


def _documents_in(data: bytes) -> list[object]:
    """The documents of JSON that follow each other in a file; PowerShell redirects in UTF-16."""
    try:
        text = data.decode(json.detect_encoding(data)).rstrip()
        documents: list[object] = []
        start = 0
        while (start := len(text) - len(text[start:].lstrip())) < len(text):
            document, start = json.JSONDecoder().raw_decode(text, start)
            documents.append(document)
    except UnicodeDecodeError as error:
        raise Unreadable("is not UTF-8; save it as UTF-8", None) from error
    except json.JSONDecodeError as error:
        raise Unreadable(f"is not JSON, as az writes it with -o json: {error.msg}", error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"cannot be read: {error}", None) from error
    if not documents:
        raise Unreadable("is empty; az says why on its standard error", None)
    return documents
