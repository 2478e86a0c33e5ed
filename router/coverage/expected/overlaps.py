"""What entries of coverage.yaml say in vain, found by comparing them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import product

from router.coverage.expected.doubts import Doubt, RungsOf
from router.coverage.expected.manifest import (
    DEFAULT_RUNGS,
    SPOKEN_OF_RUNGS,
    CoverageManifest,
    Excuse,
    Expectation,
    WorkloadSelector,
)
from router.coverage.expected.selectors import SelectorsAbove
from router.domain.coverage import WorkloadKind
from router.domain.patterns import is_glob
from router.rulebook.globs import may_meet


def covered_entries(manifest: CoverageManifest) -> Iterator[Doubt]:
    """A warning for each entry that is never reached, since those above it fit all that it fits."""
    above = SelectorsAbove()
    for entry in manifest.expectations:
        selects = entry.selects
        if by := above.find_covering(_kinds(selects), selects.names, selects.subscriptions):
            numbers = " and ".join(f"expect[{number - 1}]" for number in sorted(by))
            fits = "fits" if len(by) == 1 else "fit"
            said = f"is never reached: {numbers} above {fits} all that it fits; move it up, or remove it"
            yield Doubt(("expect", entry.number - 1), said, "warning", "covered-entry")
        above.add(entry.number, selects)


def exceptions_in_vain(manifest: CoverageManifest, rungs_of: RungsOf) -> Iterator[Doubt]:
    """A warning for each exception that no entry needs: they expect other workloads, or other rungs of them."""
    expectations = _ExpectationsByName(manifest.expectations)
    for excuse in manifest.excuses:
        if not any(_is_needed(excuse, entry, rungs_of) for entry in expectations.candidates(excuse.selects.names)):
            said = "excuses nothing: no entry expects such a workload on such a rung"
            yield Doubt(("exceptions", excuse.number - 1), said, "warning", "exception-in-vain")


class _ExpectationsByName:
    """Expectations by the names that they give without a wildcard, for the same reason."""

    def __init__(self, expectations: Iterable[Expectation]) -> None:
        self._all = tuple(expectations)
        self._with_globs = [entry for entry in self._all if entry.selects.globs]
        self._named: dict[str, list[Expectation]] = defaultdict(list)
        for entry in self._all:
            for name in entry.selects.named:
                for text in _texts(name):
                    self._named[text].append(entry)

    def candidates(self, names: Collection[str]) -> Iterable[Expectation]:
        """Those that may expect a workload of these names."""
        if any(map(is_glob, names)):
            return self._all
        return [*self._with_globs, *(entry for name in names for text in _texts(name) for entry in self._named[text])]


def _is_needed(excuse: Excuse, entry: Expectation, rungs_of: RungsOf) -> bool:
    expected = entry.rungs if entry.rungs is not None else DEFAULT_RUNGS | SPOKEN_OF_RUNGS
    had = {rung for kind in _kinds(excuse.selects) & _kinds(entry.selects) for rung in rungs_of(kind)}
    return (
        not had.isdisjoint(expected & excuse.rungs if excuse.rungs else expected)
        and _may_meet(excuse.selects.names, entry.selects.names)
        and _may_meet(excuse.selects.subscriptions, entry.selects.subscriptions)
    )


def _may_meet(some: Iterable[str], others: Collection[str]) -> bool:
    """Whether something may fit one of some globs and one of others, be it by its name or by its id."""
    return any(
        may_meet(here, there) for one in some for other in others for here, there in product(_texts(one), _texts(other))
    )


def _texts(name: str) -> tuple[str, ...]:
    """A name in lower case; of an id also what stands behind its last slash, which is the name that it ends in."""
    lowered = name.lower()
    return (lowered, lowered.rpartition("/")[2]) if "/" in lowered else (lowered,)


def _kinds(selector: WorkloadSelector) -> frozenset[WorkloadKind]:
    return selector.kinds or frozenset(WorkloadKind)
