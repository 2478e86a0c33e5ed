"""Answers that were refused or cut: what they would have named nobody knows, so the gate does not pass beside them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.coverage.builders import SQL_SERVER, SUBSCRIPTION, Json, document, judged, kubectl, pricing, resource
from tests.examples import some_of

SERVER = resource(SQL_SERVER, "Microsoft.Sql/servers")
LINK = "https://management.azure.com/subscriptions/1/providers/Microsoft.Sql/servers?$skiptoken=x"


def server(number: int) -> Json:
    """One of many servers, as Resource Graph has them."""
    return {"id": f"{SQL_SERVER}-{number}", "name": f"ledger-{number}", "type": "microsoft.sql/servers"}


def servers(first: int, many: int) -> list[Json]:
    """Some of them."""
    return [server(number) for number in range(first, first + many)]


def unanswered(*documents: object) -> dict[str, str]:
    """The documents that were not answered in full, each with the reason."""
    return dict(judged(*documents).unanswered)


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        ({"error": {"code": "AuthorizationFailed", "message": "no"}}, "AuthorizationFailed: no"),
        ({"Error": {"Message": "no"}}, "no"),
        ({"error": "Subscription Not Registered"}, "Subscription Not Registered"),
        ({"code": "SubscriptionNotFound", "message": "gone"}, "SubscriptionNotFound: gone"),
        ([{"value": [SERVER]}, {"error": {"code": "403"}}], "403"),
    ],
)
def test_an_answer_that_was_refused_is_named(refusal: object, why: str) -> None:
    """Alone, and among others."""
    assert unanswered(pricing("SqlServers"), refusal) == {"2.json": f"holds an answer that was refused: {why}"}


@pytest.mark.parametrize("other", [{"code": 3}, {"code": "a", "message": "b", "color": "red"}, {"error": None}, {}])
def test_what_is_no_error_is_none(other: Json) -> None:
    """Other documents have fields of these names, too."""
    assert unanswered(other) == {}


@pytest.mark.parametrize(
    "page",
    [
        {"data": [SERVER], "count": 1, "total_records": 3, "skip_token": "x"},
        {"data": [SERVER], "totalRecords": 3},
        {"data": [SERVER], "totalRecords": "3"},
        {"data": [SERVER], "TotalRecords": 3.0},
        {"data": [SERVER], "resultTruncated": "true"},
        {"data": [SERVER], "resultTruncated": True},
        {"data": [SERVER], "totalRecords": 1, "resultTruncated": 1},
        {"data": [SERVER], "totalRecords": 10**30},
        {"data": [SERVER], "totalRecords": -1},
        {"data": [SERVER], "totalRecords": {"value": 1}},
        {"data": [SERVER], "totalRecords": 1, "$skipToken": {"at": 2}},
        {"data": [SERVER], "totalRecords": 1, "count": 2},
        {"value": [SERVER], "nextLink": {"uri": LINK}},
        {**kubectl(), "kind": "NodeList", "metadata": {"continue": {"at": 2}}},
        {**kubectl(), "kind": "NodeList", "metadata": {"continue": "", "remainingItemCount": 3}},
        {"value": [SERVER], "nextLink": LINK},
        {"value": [SERVER], "@odata.nextLink": LINK},
        {**kubectl(), "kind": "NodeList", "metadata": {"continue": "x"}},
        servers(0, 100),
        servers(0, 1000),
    ],
)
def test_an_answer_that_was_cut_is_named(page: object) -> None:
    """Also where the token is missing, as where a query leaves the id out."""
    assert list(unanswered(pricing("SqlServers"), page)) == ["2.json"]


@pytest.mark.parametrize(
    "whole",
    [
        {"data": [SERVER], "count": 1, "total_records": 1, "skip_token": None},
        {"data": [SERVER], "resultTruncated": "false"},
        {"data": [SERVER], "totalRecords": "1", "resultTruncated": False, "count": "1"},
        {**kubectl(), "kind": "NodeList", "metadata": {"continue": "", "remainingItemCount": 0}},
        {"value": [SERVER], "nextLink": None},
        {"value": [SERVER], "nextLink": ""},
        servers(0, 99),
        servers(0, 101),
        [resource(f"{SQL_SERVER}-{number}", "Microsoft.Sql/servers") for number in range(100)],
    ],
)
def test_an_answer_that_is_whole_is_not(whole: object) -> None:
    """`az sql server list` has no limit, and writes types with capitals."""
    assert unanswered(whole) == {}


@given(st.integers(1, 4), st.integers(1, 30), st.data())
@settings(max_examples=some_of(60))
def test_all_pages_together_are_whole_and_fewer_are_not(pages: int, rows: int, data: st.DataObject) -> None:
    """In any order, and one given twice."""
    documents = [
        document(
            {
                "data": servers(number * rows, rows),
                "total_records": pages * rows,
                "skip_token": "x" if number + 1 < pages else None,
            },
            f"page-{number}.json",
        )
        for number in range(pages)
    ]
    order = data.draw(st.permutations(documents))
    assert unanswered(*order, order[0]) == {}
    if pages > 1:
        assert set(unanswered(*order[1:], order[1])) == {one.name for one in order[1:]}


def test_pages_of_arm_end_with_one_without_a_link() -> None:
    """Of the same type and subscription: another list is not the rest of it."""
    first = {"value": [SERVER], "nextLink": LINK}
    assert unanswered(first, {"value": [resource(f"{SQL_SERVER}-2", "Microsoft.Sql/servers")]}) == {}
    elsewhere = SQL_SERVER.replace(SUBSCRIPTION, "22222222-2222-2222-2222-222222222222")
    assert list(unanswered(first, {"value": [resource(elsewhere, "Microsoft.Sql/servers")]})) == ["1.json"]
    assert list(unanswered(first, {"value": [pricing("SqlServers")]})) == ["1.json"]


def test_two_lists_of_one_length_are_not_pages_of_one() -> None:
    """Both have two rows, and one was given."""
    one = {"data": [{"id": SQL_SERVER, "a": 1}], "totalRecords": 2, "skip_token": "x"}
    other = {"data": [{"id": f"{SQL_SERVER}-2", "b": 1}], "totalRecords": 2}
    assert set(unanswered(one, other)) == {"1.json", "2.json"}


@given(st.integers(2, 4), st.integers(1, 20), st.data())
@settings(max_examples=some_of(60))
def test_what_was_cut_of_two_lists_of_one_length_is_the_whole_of_neither(
    pages: int, rows: int, data: st.DataObject
) -> None:
    """Two queries project the same columns, and have as many rows: of each some pages are missing."""
    lists = [
        [
            document(
                {
                    "data": [
                        {**one, "id": f"{one['id']}-{type}", "type": type} for one in servers(number * rows, rows)
                    ],
                    "totalRecords": pages * rows,
                    "skip_token": "x" if number + 1 < pages else None,
                },
                f"{type}-{number}.json",
            )
            for number in range(pages)
        ]
        for type in ("microsoft.sql/servers", "microsoft.storage/storageaccounts")
    ]
    assert unanswered(*lists[0], *lists[1]) == {}
    given = [
        [page for page in pages if page is not missing]
        for pages, missing in ((one, data.draw(st.sampled_from(one))) for one in lists)
    ]
    assert set(unanswered(*given[0], *given[1])) == {page.name for page in (*given[0], *given[1])}


@pytest.mark.parametrize("second", [{"skip_token": None}, {"resultTruncated": "true"}])
def test_rows_of_two_cut_lists_are_more_than_one_has(second: Json) -> None:
    """Both are of one type, and stop at 100 of 150 rows; together they are more rows than either has."""
    first = {"data": servers(0, 100), "totalRecords": 150}
    assert set(unanswered(first, {"data": servers(200, 100), "totalRecords": 150, **second})) == {"1.json", "2.json"}


def test_a_whole_list_is_no_page_of_a_cut_one() -> None:
    """Of one length and one type: what was given whole stays so, and completes nothing."""
    cut = {"data": servers(0, 2), "totalRecords": 3, "skip_token": "x"}
    assert list(unanswered(cut, {"data": servers(5, 3), "totalRecords": 3})) == ["1.json"]
