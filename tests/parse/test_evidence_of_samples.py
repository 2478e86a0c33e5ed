"""Nothing that names anything in a real message is lost on the way to the evidence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from router.decide.notice import unlisted_in
from router.domain.evidence import BOILERPLATE, Evidence, items_in
from router.domain.signals import Signal
from router.parse import evidence_of
from router.rulebook import load_catalogue
from tests.parse.samples import NAMING, names_in, properties_in, sample_signals


def _lost_of(signal: Signal) -> Iterator[tuple[str, str, str]]:
    """What names anything in a signal and stands nowhere, with where it came from."""
    catalogue = load_catalogue()
    evidence = evidence_of(signal, catalogue)
    extended = {name: str(value) for name, value in signal.extended.items()}
    unlisted = unlisted_in(extended, catalogue.properties, evidence)
    texts = [text for name in Evidence.__dataclass_fields__ for text in getattr(evidence, name)]
    told = "\n".join(texts).casefold()
    for type, name, value in names_in(signal):
        if value.strip().casefold() not in told:
            yield type, name, value
    for name, value in properties_in(signal):
        for item in items_in(value) if name not in unlisted else ():
            if item.casefold() not in told and not all(part.strip().casefold() in told for part in item.split(",")):
                yield "property", name, item


@pytest.mark.shared
def test_every_value_that_names_something_is_evidence_or_stands_behind_its_own_name() -> None:
    """Each naming property of each entity, and each extended property that is not boilerplate, of all real messages."""
    signals = sample_signals()
    assert len(signals) > 300
    assert sorted({lost for signal in signals for lost in _lost_of(signal)}) == []


@pytest.mark.shared
def test_the_names_of_every_entity_in_the_samples_are_known_here() -> None:
    """A type that is new in the samples needs a row in NAMING, unless nothing of it is a name."""
    types = {entity.type for signal in sample_signals() for entity in signal.entities}
    assert types - NAMING.keys() == set()


@pytest.mark.shared
def test_boilerplate_is_rare() -> None:
    """What is left out are a few names, most of which the notice says elsewhere."""
    table = load_catalogue().properties
    left_out = {
        name
        for signal in sample_signals()
        for name, value in signal.extended.items()
        if table.find_list(name, str(value)) == BOILERPLATE
    }
    assert left_out == {
        "alert Id",
        "Alert generation status",
        "assessedResourceType",
        "investigation steps",
        "killChainIntent",
        "OccuringDatacenter",
        "ProcessedBySentinel",
        "ReportingSystem",
        "resourceType",
        "ServiceId",
    }
