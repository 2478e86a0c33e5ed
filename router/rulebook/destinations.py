"""The entries of `destinations:`, checked by the kinds they name. What stands in them is never repeated in a problem."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from urllib.parse import parse_qsl, urlsplit

from router.domain.conversation import DestinationKind
from router.domain.evidence import Evidence, PropertyTable, property_key
from router.domain.rulebook import By, ByTag, DestinationSpec, Grouping, Lane, Limit
from router.domain.signals import Stream
from router.rulebook.documents import Document
from router.rulebook.folder import Folder
from router.rulebook.patterns import DURATION, NAME, SECRET, WORDS
from router.rulebook.policy_form import OPEN, GroupedForm, timedelta_for, window_for
from router.rulebook.problems import KeyPath
from router.rulebook.validation_messages import Complaint, complaints_of, find_sound, hint

_LISTS = {property_key(name): name for name in Evidence.__struct_fields__}
"""The names of the lists of evidence, by their keys."""


def doubts_about_withheld(written: object, table: PropertyTable) -> Iterator[tuple[KeyPath, str]]:
    """What to say of names in a `withhold`; nothing that is written there is repeated."""
    path: KeyPath = ()
    if isinstance(written, dict):
        path, written = ("properties",), written.get("properties")
    names = [name if isinstance(name, str) else "" for name in written] if isinstance(written, list) else []
    keys = [property_key(name) for name in names]
    known = {property_key(name): listed for name, listed in table.lists.items()}
    for number, key in enumerate(keys):
        if not key or key in _LISTS:
            continue
        if key not in known:
            yield (*path, number), f"is no list of evidence, and no property that is known{_hint(key, known)}"
        elif (many := f"{key}s") in _LISTS and many not in keys:
            yield (*path, number), f"is a property alone; the list of evidence is {_LISTS[many]!r}"


def _hint(key: str, known: Mapping[str, str]) -> str:
    close = get_close_matches(key, _LISTS, n=1, cutoff=0.8) or get_close_matches(key, known, n=1, cutoff=0.8)
    return f"; did you mean {_LISTS.get(close[0], close[0])!r}?" if close else "; look whether a message has it"


RECORD = "record"
"""The name of the destination that `record:` makes."""

WITHHOLD = "withhold"
"""The key of what a destination never gets; kinds that tell people know it."""

_SHORTEST_SECRET = 6
"""A text of fewer characters is no secret, and taking it out of a sentence would spoil the sentence."""
_PLACEHOLDER = re.compile(r"\{[A-Za-z]+(?:[._][A-Za-z]+)*\}")
"""A text that is nothing but the name of a placeholder is no secret, and is shown, as it may be misspelled."""
_TELLTALE = re.compile(r"sig|code|key|token|secret|password|pwd|auth", re.IGNORECASE)

_ALERTS_ONLY: frozenset[By | ByTag] = frozenset({By.CORRELATION, By.INCIDENT})
_FINDINGS_ONLY: frozenset[By | ByTag] = frozenset({By.CATEGORY, By.PACKAGE, By.CVE, By.RISK})

type KindsByName = Mapping[str, type[DestinationKind]]


def read_destination(
    folder: Folder,
    document: Document,
    path: KeyPath,
    entry: object,
    stream: Stream,
    kinds: KindsByName,
    properties: PropertyTable,
) -> DestinationSpec | None:
    """One destination; None, and problems, where its entry cannot be used. Names that it withholds may be warned about."""
    name = str(path[-1])
    faults = list(_faults_in(name, entry, stream, kinds))
    for inner, message, code in faults:
        folder.note(document, (*path, *inner), message, code=code)
    if faults or not isinstance(entry, dict):
        return None
    for inner, doubt in doubts_about_withheld(entry.get(WITHHOLD), properties):
        folder.note(document, (*path, WITHHOLD, *inner), doubt, "warning", code="unknown-property")
    kind = kinds[str(entry["kind"])]
    grouped = find_sound(GroupedForm, _grouped_in(entry)) or GroupedForm()
    return DestinationSpec(
        name=name,
        kind=kind.name,
        lane=kind.lane,
        config=find_sound(kind.Config, _config_in(entry, kind)),
        secrets=tuple(sorted({secret for _, secret in _secrets_in(entry, ())})),
        group=Grouping(tuple(dict.fromkeys(grouped.group.by)), window_for(grouped.group.window))
        if grouped.group is not None
        else None,
        limit=Limit(grouped.limit.most, timedelta_for(grouped.limit.window)) if grouped.limit is not None else None,
    )


def _faults_in(name: str, entry: object, stream: Stream, kinds: KindsByName) -> Iterator[Complaint]:
    if not re.fullmatch(NAME, name):
        yield Complaint((), WORDS[NAME])
    if not isinstance(entry, dict):
        yield Complaint((), "must be a mapping with a kind")
        return
    kind = kinds.get(str(entry.get("kind")))
    if kind is None:
        word = entry.get("kind")
        verb = "is missing; it is" if word is None else "must be"
        either = f"{verb} {_either(kinds)}{hint(word, kinds) if isinstance(word, str) else ''}"
        yield Complaint(("kind",), either, code="unknown-kind")
        return
    refused = list(_complaints(entry, kind))
    yield from refused
    if WITHHOLD in entry and kind.lane is Lane.ROWS:
        whole = "is for what people read; rows keep all that a message says, so remove it"
        yield Complaint((WITHHOLD,), whole, code="wrong-lane")
    yield from _literal_secrets(entry, {complaint.path for complaint in refused})
    yield from _grouping_faults(entry, kind, stream)
    if stream is Stream.CSPM and kind.lane is Lane.PAGE:
        pages = "pages people, and posture pages nobody; choose a kind for tickets or rows"
        yield Complaint(("kind",), pages, code="wrong-lane")
    elif name == RECORD and kind.lane is not Lane.ROWS:
        rowless = "writes no rows, and the record is nothing but rows; choose another kind"
        yield Complaint(("kind",), rowless, code="wrong-lane")


def _grouping_faults(entry: Mapping[str, object], kind: type[DestinationKind], stream: Stream) -> Iterator[Complaint]:
    written = _grouped_in(entry)
    long = [
        (key, "window")
        for key, part in written.items()
        if kind.lane is Lane.PAGE and isinstance(part, dict) and _is_long_for_pages(part.get("window"))
    ]
    uncalled = "is more than 1d, and what comes in that time may call nobody; give at most 1d"
    yield from (Complaint(path, uncalled) for path in long)
    yield from (one for one in complaints_of(GroupedForm, written) if one.path not in long)
    if kind.lane is Lane.ROWS:
        useless = "is for pages and tickets; rows are never held back, so remove it"
        yield from (Complaint((key,), useless, code="wrong-lane") for key in written)
    grouped = find_sound(GroupedForm, written)
    if grouped is None or grouped.group is None:
        return
    if grouped.group.window == OPEN and (stream is Stream.CWPP or kind.lane is Lane.PAGE):
        why = "alerts rarely say that they end" if stream is Stream.CWPP else "nobody is paged for what lasts"
        endless = f"is open, which is for tickets in cspm: {why}; choose a length, such as 30m"
        yield Complaint(("group", "window"), endless, code="wrong-grouping")
    for number, by in enumerate(grouped.group.by):
        if by in _ALERTS_ONLY and stream is Stream.CSPM:
            message = f"is {by}, which only alerts have; no finding would ever be grouped"
        elif by in _FINDINGS_ONLY and stream is Stream.CWPP:
            message = f"is {by}, which only findings have; group alerts by what they have"
        elif by is By.INCIDENT and len(grouped.group.by) > 1:
            message = "is incident, which keeps apart all that no incident names; let it stand alone"
        else:
            continue
        yield Complaint(("group", "by", number), message, code="wrong-grouping")


def _is_long_for_pages(window: object) -> bool:
    return (
        isinstance(window, str) and bool(re.fullmatch(DURATION, window)) and timedelta_for(window) > timedelta(days=1)
    )


def _grouped_in(entry: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in entry.items() if key in GroupedForm.model_fields}


def _complaints(entry: Mapping[str, object], kind: type[DestinationKind]) -> Iterator[Complaint]:
    texts = {text for _, text in _strings_in(entry, ()) if len(text) >= _SHORTEST_SECRET}

    def scrubbed(message: str) -> str:
        for text in sorted(texts, key=len, reverse=True):
            message = message if _PLACEHOLDER.fullmatch(text) else message.replace(text, "...")
        return message

    return complaints_of(kind.Config, _config_in(entry, kind), scrubbed, GroupedForm.model_fields)


def _literal_secrets(entry: Mapping[str, object], refused: set[KeyPath]) -> Iterator[Complaint]:
    for path, secret in _secrets_in(entry, ()):
        if not re.fullmatch(SECRET, secret) and not any(blamed[: len(path)] == path for blamed in refused):
            yield Complaint(path, WORDS[SECRET], code="literal-secret")
    for path, text in _strings_in(entry, ()):
        if "://" in text and _holds_secret(text):
            literal = "holds a password or a token; secrets are never written in rules: name one with {secret: NAME}"
            yield Complaint(path, literal, code="literal-secret")


def _holds_secret(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.password is not None or any(_TELLTALE.search(name) for name, _ in parse_qsl(parts.query))


def _config_in(entry: Mapping[str, object], kind: type[DestinationKind]) -> Mapping[str, object]:
    """What the kind's own model is given: the entry without what is said of groups, and without what it knows nothing of."""
    others = set(GroupedForm.model_fields)
    if "kind" not in kind.Config.model_fields:
        others.add("kind")
    if kind.lane is Lane.ROWS:
        others.add(WITHHOLD)  # which is refused there, in words of its own
    return {key: value for key, value in entry.items() if key not in others}


def _secrets_in(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Every `{secret: NAME}` under a value."""
    if isinstance(value, dict) and set(value) == {"secret"} and isinstance(value["secret"], str):
        yield path, value["secret"]
    else:
        for step, inner in _children(value):
            yield from _secrets_in(inner, (*path, step))


def _strings_in(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    for step, inner in _children(value):
        yield from _strings_in(inner, (*path, step))


def _children(value: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(value, dict):
        yield from ((str(key), inner) for key, inner in value.items())
    elif isinstance(value, list):
        yield from enumerate(value)


def _either(words: Mapping[str, object]) -> str:
    return " or ".join(repr(word) for word in sorted(words)) or "a kind of destination, and there is none"
