"""Lists that come in pages: which of them were not given to their last page. Pure.

A list that was cut looks like a whole one: a gate that sees one page of two knows half.
https://learn.microsoft.com/azure/governance/resource-graph/concepts/work-with-data,
https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from router.coverage.fields import find, find_list, find_text, find_truth
from router.domain.resources import parse_resource_id
from router.domain.values import Value

_MORE = ("nextLink", "@odata.nextLink", "$skipToken", "skipToken", "skip_token")
_TOTALS = ("totalRecords", "total_records")
_STOPS = (100, 1000)
"""After how many rows a query of Resource Graph stops unless it is told otherwise, and at the most."""

_NO_TYPE = frozenset({""})
_LONGEST_NUMBER = 16
"""Digits beyond which a number counts nothing."""


class ListPage(Value, kw_only=True):
    """One page of a list in a file; `rows` tells its rows apart.

    Attributes:
        about: what tells its list from other lists.
        types: the types of its rows in lower case, where its list is not told from others by them already.
        total: how many rows the list has on all its pages; None where the page does not say it.
    """

    file: str
    about: tuple[str, ...]
    rows: frozenset[str]
    types: frozenset[str] = _NO_TYPE
    total: int | None = None
    has_more: bool

    @property
    def is_whole(self) -> bool:
        """Whether it says of itself that it is the whole list."""
        return not self.has_more and (self.total is None or self.total <= len(self.rows))


def page_of_answer(file: str, path: str, body: Mapping[str, object], rows: Sequence[object]) -> ListPage:
    """The page that an answer of ARM or Resource Graph is."""
    is_cut = find(body, "resultTruncated") is not None and find_truth(body, "resultTruncated") is not False
    totals = [_number(find_text(body, name)) for name in _TOTALS if find(body, name) is not None]
    total = totals[0] if totals else None
    given = _number(find_text(body, "count"))
    # A number that cannot be read may say anything; fewer rows than the page itself counts were lost.
    is_cut = is_cut or None in totals or (bool(totals) and given is not None and given != len(rows))
    return ListPage(
        file=file,
        about=_about(rows) if total is None else (str(total), *_columns(rows)),
        rows=_names(rows, path),
        types=_NO_TYPE if total is None else (frozenset(map(_type, rows)) - _NO_TYPE) or _NO_TYPE,
        total=total,
        has_more=is_cut or any(_is_given(find(body, name)) for name in _MORE),
    )


def page_of_kubernetes(file: str, path: str, listed: Mapping[str, object], given: str | None) -> ListPage:
    """The page that a list of the API of Kubernetes is."""
    rows = _names(find_list(listed, "items") or [], path)
    has_more = any(_is_given(find(listed, "metadata", name)) for name in ("continue", "remainingItemCount"))
    return ListPage(file=file, about=(given or "", find_text(listed, "kind") or ""), rows=rows, has_more=has_more)


def page_of_rows(file: str, path: str, rows: Sequence[object]) -> ListPage:
    """The page that bare rows are: `Search-AzGraph`, and `az graph query` before 2021, print neither total nor token."""
    # Resource Graph alone writes types in lower case.
    types = [find_text(row, "type") if find(row, "id") is not None else None for row in rows]
    has_more = len(rows) in _STOPS and all(type is not None and type == type.lower() for type in types)
    return ListPage(file=file, about=("rows", *_columns(rows)), rows=_names(rows, path), has_more=has_more)


def cut_lists(pages: Iterable[ListPage]) -> Iterator[tuple[str, str]]:
    """The documents that hold lists of which the rest was not given, each with the reason."""
    lists: dict[tuple[str, ...], list[ListPage]] = defaultdict(list)
    for page in pages:
        lists[page.about].append(page)
    for of_one in lists.values():
        if of_one[0].total is not None:
            # Without the pages that were given twice.
            different = {(page.rows, page.has_more): page for page in of_one if not page.is_whole}
            for same in _of_shared_types(different.values()):
                yield from _cut_with_total(same, of_one)
        elif all(page.has_more for page in of_one):
            # A list that does not say how long it is ends with a page after which none follows.
            many = len(frozenset[str]().union(*(page.rows for page in of_one)))
            yield from ((page.file, f"was cut: {many:,} rows were given") for page in of_one)


def _cut_with_total(pages: Sequence[ListPage], given: Sequence[ListPage]) -> Iterator[tuple[str, str]]:
    """The pages of a list whose length is known, where they are not all there.

    Pages of two lists of one length look alike. Those of one have no row in common and are as many as it says, so that what
    was cut of one list does not fill up the other: `given` has those, too, that were given twice.
    """
    total = pages[0].total or 0
    last = sum(not page.has_more for page in pages)
    many = sum(len(page.rows) for page in pages)
    rows = len(frozenset[str]().union(*(page.rows for page in pages)))
    if last and rows == many == last * total:
        return
    said = f"{rows:,} of {total:,} rows" if rows < total else f"{rows:,} rows, which are not those of whole lists,"
    repeated = {page.rows for page in pages}
    yield from ((page.file, f"was cut: {said} were given") for page in given if page.rows in repeated)


def _of_shared_types(pages: Iterable[ListPage]) -> Iterator[list[ListPage]]:
    """The pages in groups that have types in common: a query has few types, so that its pages share one or another."""
    groups: list[tuple[frozenset[str], list[ListPage]]] = []
    for page in pages:
        near = [(types, group) for types, group in groups if types & page.types]
        apart = [(types, group) for types, group in groups if not types & page.types]
        types = page.types.union(*(types for types, _ in near))
        groups = [*apart, (types, [*(one for _, group in near for one in group), page])]
    yield from (group for _, group in groups)


def _about(rows: Sequence[object]) -> tuple[str, ...]:
    """The type and the subscription of what a list without a total holds; its columns, where the rows have no type."""
    first = rows[0] if rows else None
    type = _type(first)
    return (type, (parse_resource_id(find_text(first, "id")).subscription or "").lower()) if type else _columns(rows)


def _type(row: object) -> str:
    """The type that a row says, else that its id says; empty where neither does."""
    return (find_text(row, "type") or parse_resource_id(find_text(row, "id")).type or "").lower()


def _columns(rows: Sequence[object]) -> tuple[str, ...]:
    first = rows[0] if rows else None
    return tuple(sorted(map(str, first))) if isinstance(first, Mapping) else ()


def _names(rows: Sequence[object], path: str) -> frozenset[str]:
    """The ids of the rows; of those without one, where they stand."""
    return frozenset((find_text(row, "id") or f"{path}[{at}]").lower() for at, row in enumerate(rows))


def _is_given(value: object) -> bool:
    """Return whether the value is not empty."""
    return value not in (None, "", 0, "0") and str(value).strip() != ""


def _number(text: str | None) -> int | None:
    digits = (text or "").removesuffix(".0")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < _LONGEST_NUMBER else None
