"""Which exception of coverage.yaml excuses that a source is silent: one on the rung that its silence puts in doubt. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from router.domain.coverage_manifest import CoverageManifest, Excuse
from router.domain.coverage_selectors import NamedWorkloads, SelectorIndex
from router.domain.expected_sources import ExpectedSource, expected_sources
from router.domain.source_turns import RUNGS


class SilenceExcuses:
    """The exceptions of a manifest, to be found by the sources whose silence they excuse."""

    def __init__(self, manifest: CoverageManifest, sources: Iterable[ExpectedSource]) -> None:
        self._excuses = manifest.excuses
        self._there = NamedWorkloads(one.workload for one in sources)
        self._index = SelectorIndex(one.selects for one in manifest.excuses)

    def find(self, one: ExpectedSource, now: datetime) -> Excuse | None:
        """The exception that excuses the silence of a source now, of several the one that ends last; None where none does."""
        there = (excuse for excuse in self.fitting(one) if now < excuse.exception.ends)
        return max(there, key=lambda excuse: excuse.exception.ends, default=None)

    def fitting(self, one: ExpectedSource) -> Iterator[Excuse]:
        """Those that excuse its silence until they end; that of a plan is its subscription's."""
        rung = RUNGS[one.source.kind]
        excuses = (self._excuses[position] for position in self._index.positions(one.workload))
        meant = (excuse for excuse in excuses if self._there.means(excuse.selects, one.workload))
        return (excuse for excuse in meant if not excuse.rungs or rung in excuse.rungs)


def numbers_about_silence(manifest: CoverageManifest) -> frozenset[int]:
    """The numbers of the exceptions that name the rung on which a source of the manifest may be silent.

    Where nothing is known of the stream nobody knows whether they excuse anything.
    """
    sources = expected_sources(manifest, ()).by_id.values()
    excuses = SilenceExcuses(manifest, sources)
    return frozenset(excuse.number for one in sources for excuse in excuses.fitting(one) if excuse.rungs)
