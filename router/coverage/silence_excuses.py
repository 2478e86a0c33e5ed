"""Which exceptions of a manifest are about silent sources: what a gate says of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from router.domain.coverage import CoverageException
from router.domain.coverage_manifest import CoverageManifest, Excuse
from router.domain.coverage_selectors import SelectorIndex
from router.domain.expected_sources import ExpectedSource, expected_sources
from router.domain.source_excuses import find_silence_excuse, is_about_silence


class SilenceExcuses:
    """The exceptions of a manifest, to be found by the sources of which there may be thousands."""

    def __init__(self, manifest: CoverageManifest) -> None:
        self._excuses = manifest.excuses
        self._index = SelectorIndex(one.selects for one in manifest.excuses)

    def find(self, one: ExpectedSource, now: datetime) -> CoverageException | None:
        """The exception that excuses the silence of a source now; None where none does."""
        excuse = find_silence_excuse(one, self.fitting(one), now)
        return excuse.exception if excuse is not None else None

    def fitting(self, one: ExpectedSource) -> Iterator[Excuse]:
        """Those that mean the source, on whatever rung."""
        return (self._excuses[position] for position in self._index.positions(one.workload))


def numbers_about_silence(manifest: CoverageManifest) -> frozenset[int]:
    """The numbers of the exceptions that name the rung on which a source of the manifest may be silent.

    Where nothing is known of the stream nobody knows whether they excuse anything.
    """
    excuses = SilenceExcuses(manifest)
    return frozenset(
        excuse.number
        for one in expected_sources(manifest, ()).by_id.values()
        for excuse in excuses.fitting(one)
        if excuse.rungs and is_about_silence(excuse, one)
    )
