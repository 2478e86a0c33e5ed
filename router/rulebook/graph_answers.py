"""What `az graph query` printed: its rows, and whether they are all that it found.

    az graph query     {"count", "data", "skip_token", "total_records"}
    Resource Graph     {"totalRecords", "count", "data", "facets", "resultTruncated", "$skipToken"}
    a REST list        {"value", "nextLink"}

`data` is a list of objects, or in the older form a table: {"columns": [{"name", "type"}], "rows": [[...]]}. A file may also
hold a bare list, as `--query data` prints it, an object on each line, or several of these one after the other: an answer of
more than 1,000 rows comes in pages.
https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from router.rulebook.documents import Unreadable

_PAGE_LENGTHS = (100, 1_000)
"""How many rows a page has unless --first says otherwise, and how many it has at most."""

_BLANK = re.compile(r"\s*")
_DECODER = json.JSONDecoder()


class AnswerPage(NamedTuple):
    """A page of an answer.

    Attributes:
        rows: its rows; a sound one is an object.
        total: how many rows the answer has, where the page says so.
        goes_on: whether it says, or looks as if, another page follows.
    """

    rows: list[object]
    total: int | None = None
    goes_on: bool = False


class PartialAnswer(NamedTuple):
    """What there is of an answer that is not there as a whole.

    Attributes:
        file: the file of its last page.
        rows: how many of its rows there are.
        total: how many it has, where it says so.
    """

    file: str
    rows: int
    total: int | None


def pages_in(data: bytes) -> list[AnswerPage]:
    """The pages in a file, in their order, and last the rows that stand by themselves; raises Unreadable."""
    pages: list[AnswerPage] = []
    single: list[object] = []
    for document in _documents_in(_text_of(data)):
        if (page := _find_page(document)) is not None:
            pages.append(page)
        else:
            single.append(document)
    return [*pages, AnswerPage(single)] if single else pages


def parts_among(pages: Iterable[tuple[str, AnswerPage]]) -> Iterator[PartialAnswer]:
    """The answers that are not whole among pages with the names of their files. Pages of one answer follow each other."""
    answer: _AnswerSoFar | None = None
    for file, page in pages:
        if answer is not None and answer.is_continued_by(file, page):
            answer = answer.continued_by(file, page)
            continue
        if answer is not None and answer.is_part:
            yield answer.part
        answer = _AnswerSoFar(PartialAnswer(file, len(page.rows), page.total), page.goes_on)
    if answer is not None and answer.is_part:
        yield answer.part


class _AnswerSoFar(NamedTuple):
    """An answer as far as its pages were met; its total is the lowest that they say, since resources come and go meanwhile."""

    part: PartialAnswer
    goes_on: bool

    @property
    def is_part(self) -> bool:
        return self.goes_on or (self.part.total is not None and self.part.rows < self.part.total)

    def is_continued_by(self, file: str, page: AnswerPage) -> bool:
        if not self.goes_on:
            return False
        if page.total is None or self.part.total is None:
            return page.total is self.part.total and file == self.part.file
        # The answer to another question has another total.
        return abs(page.total - self.part.total) * 10 <= self.part.total

    def continued_by(self, file: str, page: AnswerPage) -> _AnswerSoFar:
        totals = [total for total in (self.part.total, page.total) if total is not None]
        return _AnswerSoFar(
            PartialAnswer(file, self.part.rows + len(page.rows), min(totals, default=None)), page.goes_on
        )


def _text_of(data: bytes) -> str:
    try:
        # PowerShell redirects in UTF-16.
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError as error:
        raise Unreadable("is not UTF-8; save it as UTF-8", None) from error


def _documents_in(text: str) -> Iterator[object]:
    end = _after_blanks(text, 0)
    if end == len(text):
        raise Unreadable("is empty; az says why on its standard error", None)
    try:
        while end < len(text):
            document, end = _DECODER.raw_decode(text, end)
            yield document
            end = _after_blanks(text, end)
    except json.JSONDecodeError as error:
        raise Unreadable(f"is not JSON, as az writes it with -o json: {error.msg}", error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"cannot be read: {error}", None) from error


def _after_blanks(text: str, start: int) -> int:
    blank = _BLANK.match(text, start)
    return blank.end() if blank else start


def _find_page(document: object) -> AnswerPage | None:
    """The page that a document is; None for a row that stands by itself."""
    if isinstance(document, list):
        return AnswerPage(document, goes_on=len(document) in _PAGE_LENGTHS)
    if not isinstance(document, dict):
        return None
    members = {key.lower().removeprefix("$").replace("_", ""): value for key, value in document.items()}
    rows = _find_rows(members.get("data", members.get("value")))
    if rows is None or "id" in members:
        return None
    total = members.get("totalrecords")
    # Resource Graph writes it as a text. The last page says it too, so that a total says more.
    is_cut = total is None and str(members.get("resulttruncated")).lower() == "true"
    return AnswerPage(
        rows,
        total=total if isinstance(total, int) else None,
        goes_on=is_cut or bool(members.get("skiptoken") or members.get("nextlink")),
    )


def _find_rows(data: object) -> list[object] | None:
    """The rows as objects, whatever the form of a result; None for what is neither form."""
    if isinstance(data, list):
        return data
    if not isinstance(data, dict):
        return None
    table = {key.lower(): value for key, value in data.items()}
    columns, rows = table.get("columns"), table.get("rows")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return None
    names = [str(column.get("name")) if isinstance(column, dict) else "" for column in columns]
    return [dict(zip(names, row, strict=False)) if isinstance(row, list) else row for row in rows]
