"""Many selectors of a manifest at once, of which thousands may name one workload each. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from router.domain.coverage import Workload, WorkloadKind
from router.domain.coverage_manifest import WorkloadSelector, is_called
from router.domain.globs import covers_glob, is_glob


class SelectorIndex:
    """Finds the selectors that fit a workload without asking each of thousands that name one workload."""

    def __init__(self, selectors: Iterable[WorkloadSelector]) -> None:
        # By a name and a subscription; None stands for globs, which are asked one by one.
        self._by_name: dict[tuple[str | None, str | None], list[tuple[int, WorkloadSelector]]] = {}
        for position, selector in enumerate(selectors):
            names = {*map(str.lower, selector.named), *([None] if selector.globs else [])}
            has_globs = any(map(is_glob, selector.subscriptions))
            for key in product(names, [None] if has_globs else {*map(str.lower, selector.subscriptions)}):
                self._by_name.setdefault(key, []).append((position, selector))

    def positions(self, workload: Workload) -> list[int]:
        """The positions of those that fit, in order."""
        subscriptions = (None, (workload.subscription or "").lower())
        found: set[int] = set()
        for name, subscription in product({*map(str.lower, workload.names)}, subscriptions):
            for position, selector in self._by_name.get((name, subscription), ()):
                if selector.fits_but_for_its_name(workload):
                    found.add(position)
        for subscription in subscriptions:
            for position, selector in self._by_name.get((None, subscription), ()):
                if position not in found and selector.fits_but_for_its_name(workload):
                    found |= {position} if any(is_called(workload, glob) for glob in selector.globs) else set()
        return sorted(found)


class SelectorsAbove:
    """Selectors, one below the other, of which it is asked whether they leave anything to those that come after them."""

    def __init__(self) -> None:
        self._named: dict[str, list[tuple[int, WorkloadSelector]]] = {}
        self._with_globs: list[tuple[int, WorkloadSelector]] = []

    def add(self, position: int, selector: WorkloadSelector) -> None:
        """Adds the next one."""
        for name in selector.named:
            self._named.setdefault(name.lower(), []).append((position, selector))
        if selector.globs:
            self._with_globs.append((position, selector))

    def find_covering(
        self, kinds: Iterable[WorkloadKind], names: Iterable[str], subscriptions: Iterable[str]
    ) -> frozenset[int]:
        """The positions of those that together fit all that globs of names and subscriptions fit; none where they do not."""
        found: set[int] = set()
        for kind, name, subscription in product(kinds, names, subscriptions):
            named = () if is_glob(name) else self._named.get(name.lower(), ())
            for position, above in (*self._with_globs, *named):
                if _covers(above, kind, name, subscription):
                    found.add(position)
                    break
            else:
                return frozenset()
        return frozenset(found)


def _covers(above: WorkloadSelector, kind: WorkloadKind, name: str, subscription: str) -> bool:
    return (
        (not above.kinds or kind in above.kinds)
        and any(covers_glob(glob, subscription) for glob in above.subscriptions)
        and any(covers_glob(glob, name) for glob in above.names)
    )
