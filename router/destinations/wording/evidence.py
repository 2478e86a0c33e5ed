"""What a signal is evidence of, by the names that people read."""

from __future__ import annotations

from collections.abc import Mapping

from router.domain.evidence import Evidence
from router.domain.notices import Notice

EVIDENCE = tuple(Evidence.__dataclass_fields__)
"""The names of the lists of evidence, in the order in which a responder asks for them."""

CODE = frozenset({"commands", "files", "hashes", "processes", "queries", "registry_keys", "registry_values"})
"""The lists whose texts people copy into a shell or a search: they are shown in letters of one width where there are any."""

_TITLES = {"ips": "IP addresses", "urls": "URLs"}


def evidence_of(notice: Notice) -> Mapping[str, tuple[str, ...]]:
    """The lists of evidence that are not empty, by name."""
    evidence = notice.evidence
    return {name: values for name in EVIDENCE if (values := getattr(evidence, name))}


def evidence_beside(notice: Notice) -> Mapping[str, tuple[str, ...]]:
    """The lists of evidence that are not empty, without the resource that the notice is about and names by itself."""
    told = (notice.resource or "").casefold()
    lists = evidence_of(notice)
    others = tuple(one for one in lists.get("resources", ()) if one.casefold() != told)
    return {name: values for name, values in {**lists, "resources": others}.items() if values}


def title_of(name: str) -> str:
    """What people read a list of evidence called."""
    return _TITLES.get(name) or name.replace("_", " ").capitalize()
