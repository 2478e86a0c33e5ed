"""ServiceNow's encoded queries (`sysparm_query`), as far as an integration uses them.

`^` is and, `^OR` or, `^NQ` starts a new query. A condition on a column that the table lacks, or with an unknown
operator, is ignored, as a base instance does unless glide.invalid_query.returns_no_rows is set:
https://www.servicenow.com/docs/r/api-reference/server-api-reference/c_GlideQueryConditionScopedAPI.html
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_CONDITION = re.compile(r"([a-z0-9_]+)(!=|=|NOT IN|IN|ISNOTEMPTY|ISEMPTY|STARTSWITH|LIKE)(.*)", re.DOTALL)
_HOLDS: Mapping[str, Callable[[str, str], bool]] = {
    "=": lambda have, want: have.lower() == want.lower(),
    "!=": lambda have, want: have.lower() != want.lower(),
    "IN": lambda have, want: have in want.split(","),
    "NOT IN": lambda have, want: have not in want.split(","),
    "ISEMPTY": lambda have, want: not have,
    "ISNOTEMPTY": lambda have, want: bool(have),
    "STARTSWITH": lambda have, want: have.lower().startswith(want.lower()),
    "LIKE": lambda have, want: want.lower() in have.lower(),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison.

    Attributes:
        column: the column.
        operator: the operator, as ServiceNow writes it.
        value: the value that the column is compared with.
    """

    column: str
    operator: str
    value: str

    def is_met(self, fields: Mapping[str, str]) -> bool:
        """Says whether a record's columns meet it."""
        return _HOLDS[self.operator](fields.get(self.column, ""), self.value)


type AnyOf = tuple[Condition, ...]
type AllOf = tuple[AnyOf, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A query.

    Attributes:
        alternatives: alternatives (`^NQ`) of conjunctions (`^`) of disjunctions (`^OR`).
        order: the columns to sort by, each with whether it is descending.
    """

    alternatives: tuple[AllOf, ...]
    order: tuple[tuple[str, bool], ...]

    def is_met(self, fields: Mapping[str, str]) -> bool:
        """Says whether a record's columns meet it."""
        return any(all(any(one.is_met(fields) for one in any_of) for any_of in all_of) for all_of in self.alternatives)

    def find_equal(self, column: str) -> str | None:
        """Finds the one value that the column must have for any record to meet the query."""
        if len(self.alternatives) == 1:
            for any_of in self.alternatives[0]:
                if len(any_of) == 1 and any_of[0].column == column and any_of[0].operator == "=":
                    return any_of[0].value
        return None


def parse(text: str, is_column: Callable[[str], bool]) -> Query:
    """Reads a query; total, as the vendor's own reader is."""
    order: list[tuple[str, bool]] = []
    alternatives = tuple(_all_of(part, is_column, order) for part in text.split("^NQ"))
    return Query(alternatives, tuple(order))


def _all_of(text: str, is_column: Callable[[str], bool], order: list[tuple[str, bool]]) -> AllOf:
    groups: list[list[Condition]] = []
    for term in text.split("^"):
        if term.startswith("ORDERBY"):
            column = term.removeprefix("ORDERBY").removeprefix("DESC")
            order.append((column, term.startswith("ORDERBYDESC")))
            continue
        is_or = term.startswith("OR") and bool(groups)
        found = _CONDITION.fullmatch(term.removeprefix("OR") if is_or else term)
        if not found or not is_column(found[1]):
            continue
        condition = Condition(found[1], found[2], found[3])
        if is_or:
            groups[-1].append(condition)
        else:
            groups.append([condition])
    return tuple(tuple(group) for group in groups)
