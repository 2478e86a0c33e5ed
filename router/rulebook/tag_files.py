"""The files of tags that owners.yaml names: what `az graph query` says of resources, resource groups and subscriptions.

Beside files, or instead of them, it may name the tags that `coverage check --live` read, which lie in the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath

from router.domain.tag_rows import TagRows
from router.domain.tags import NO_TAGS, Tags
from router.domain.texts import one_line
from router.rulebook.documents import Document, Unreadable
from router.rulebook.folder import Folder
from router.rulebook.graph_answers import AnswerPage, PartialAnswer, pages_in, parts_among
from router.rulebook.problems import Level

KEY = "tags"

LIVE = "live"
"""What stands among the files for the tags that `coverage check --live` read; a file of that name is `./live`."""

_QUERY = "az graph query --first 1000 -o json -q 'resources | union resourcecontainers | project id, tags'"
"""A query may unite these two tables: https://learn.microsoft.com/azure/governance/resource-graph/concepts/query-language"""


type _Complaint = tuple[str, str, int | None, Level, str]
"""What `Folder.blame` takes."""


class TagFiles:
    """Reads tag files. What both streams name is read twice, and understood once."""

    def __init__(self) -> None:
        self._read: Mapping[str, bytes] = {}
        self._tags = NO_TAGS
        self._complaints: Sequence[_Complaint] = ()

    def read(self, folder: Folder, document: Document, files: Sequence[str]) -> Tags:
        """The tags in the files that a document names under KEY; notes what cannot be used."""
        read: dict[str, bytes] = {}
        for number, name in enumerate(files):
            file = PurePosixPath(name).as_posix()
            is_twice = name in files[:number] if name == LIVE else file in read
            if (fault := _find_fault(name) or ("is named twice; remove one" if is_twice else None)) is not None:
                folder.note(document, (KEY, number), fault, code="tag-file-name")
            elif (
                name != LIVE
                and (data := folder.read_bytes(file, partial(_missing, folder, document, number, files))) is not None
            ):
                read[file] = data
        if read != self._read:
            self._read = read
            self._tags, self._complaints = _understand(read)
        for complaint in self._complaints:
            folder.blame(*complaint)
        return self._tags


def _missing(folder: Folder, document: Document, number: int, files: Sequence[str]) -> str:
    """What to say of a file that is not there: where it is named, which file may be meant, and how to make it."""
    near = folder.find_near(files[number], but=files)
    remedy = f"did you mean {near}? Otherwise make it" if near else "make it"
    return f"is missing, and {document.position_of((KEY, number))} names it; {remedy}: {_QUERY} > FILE"


def _find_fault(name: str) -> str | None:
    """Why a name is not that of a file in the rules directory; None for one that may be."""
    if not name.isprintable():
        return "has a character that no file's name should have"
    if "\\" in name:
        return "must have / between directories, on Windows too"
    parts = PurePosixPath(name).parts
    if name.startswith("/") or PureWindowsPath(name).drive or ".." in parts or not parts:
        return "must be a file in the rules directory, named from there, such as tags/resources.json"
    if any(part.startswith(".") for part in parts):
        return "is hidden by the dot that it begins with, and hidden files are not deployed; give it another name"
    if not {"*", "?"}.isdisjoint(name):
        return "must be the name of one file; give each its line"
    return None


def _understand(read: Mapping[str, bytes]) -> tuple[Tags, Sequence[_Complaint]]:
    by_id: dict[str, Mapping[str, str]] = {}
    complaints: list[_Complaint] = []
    pages: list[tuple[str, AnswerPage]] = []
    for file, data in read.items():
        try:
            found = pages_in(data)
        except Unreadable as error:
            complaints.append((file, str(error), error.line, "problem", "unreadable"))
            continue
        pages += ((file, page) for page in found)
        rows = TagRows(row for page in found for row in page.rows)
        complaints += ((file, words, None, "warning", "unusable-tag-row") for words in rows.complaints())
        if not rows.by_id:
            complaints.append((file, "has no tag; ask for `project id, tags`", None, "warning", "no-tags"))
        contradicted = _add(by_id, rows.by_id)
        if contradicted:
            complaints.append((file, _contradiction(contradicted), None, "warning", "contradictory-tags"))
    complaints += ((part.file, _cut(part), None, "warning", "partial-tag-file") for part in parts_among(pages))
    return Tags(by_id), complaints


def _add(by_id: dict[str, Mapping[str, str]], later: Mapping[str, Mapping[str, str]]) -> Sequence[str]:
    """Adds the tags of a later file; returns the ids of which it says something else than earlier files."""
    contradicted = []
    for id in by_id.keys() & later.keys():
        both = by_id[id].keys() & later[id].keys()
        if any(by_id[id][name] != later[id][name] for name in both):
            contradicted.append(id)
    by_id.update((id, {**by_id[id], **tags} if id in by_id else tags) for id, tags in later.items())
    return sorted(contradicted)


def _contradiction(ids: Sequence[str]) -> str:
    others = f" (and {len(ids) - 1} more like it)" if len(ids) > 1 else ""
    return f"gives a tag of {one_line(ids[0])} another value than an earlier file{others}; the later one counts"


def _cut(part: PartialAnswer) -> str:
    if part.total is None:
        return (
            f"may hold a part only, since the answer breaks off after {part.rows} rows; keep the whole answer, and "
            "ask for the next page with its skip_token"
        )
    return (
        f"holds {part.rows} of {part.total} rows, and what is missing has no tags; ask with --first 1000, and for the next "
        "page with --skip-token"
    )
