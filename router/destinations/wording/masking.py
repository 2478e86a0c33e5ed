"""Masking: what looks like a credential is not told to people. Which forms that has stands in `credentials.toml`.

Rows are data, and are not masked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from copy import replace
from functools import cache
from typing import Any

from router.destinations.wording.escaping import read_table, with_texts
from router.domain.evidence import bounded, items_in, property_key
from router.domain.notices import Notice
from router.domain.readable import remembered
from router.domain.values import Value

_VALUE_STANDS = {"apart": "(?&apart)", "either": "(?&apart)?", "glued": r"(?=\S)"}


class CredentialForm(Value, kw_only=True):
    """One form in which a credential is written: what `credentials.toml` says of it, with its parts put in."""

    name: str
    signs: frozenset[str]
    lead: str
    value: str
    tool: str | None = None


@cache
def credential_forms() -> tuple[CredentialForm, ...]:
    """The forms, in the order in which a text is gone through."""
    table = read_table("wording/credentials.toml")
    return tuple(_form(row, table["parts"]) for row in table["forms"])


@cache
def credential_names() -> frozenset[str]:
    """Names of properties, by their letters and digits, whose values are credentials whatever they look like."""
    return frozenset(read_table("wording/credentials.toml")["property_names"])


def _form(row: Mapping[str, Any], parts: Mapping[str, str]) -> CredentialForm:
    patterns = {key: row[key] for key in ("lead", "value", "tool") if key in row}
    if "programs" in row:
        names = "|".join(row["programs"]).replace(" ", r"[\s\"',]{1,6}")
        patterns["tool"] = rf"(?<![\w-])(?i:{names})(?:\.exe)?(?![\w-])"
        patterns["lead"] = rf"(?<=[\s\"'])(?:{'|'.join(row['options'])})" + _VALUE_STANDS[row["value_stands"]]
    patterns = {key: _whole(pattern, parts) for key, pattern in patterns.items()}
    return CredentialForm(name=row["name"], signs=frozenset(row["signs"]), **patterns)


def _whole(pattern: str, parts: Mapping[str, str]) -> str:
    """A pattern in one line, with the parts that it names."""
    joined = "".join(line.strip() for line in pattern.splitlines()) if "\n" in pattern else pattern
    return re.sub(r"\(\?&(\w+)\)", lambda part: f"(?:{_whole(parts[part[1]], parts)})", joined)


MASK = "[masked]"  # what stands where a credential stood

_COMMAND_ENDS = re.compile(r"[\r\n;|&]|\s(?=(?:ssh|scp|sftp|rsync)\s)")


@remembered
def masked(text: str) -> str:
    """A text in which every credential of a known form is replaced by a mark, and what stands around it stays."""
    lowered = _lowered(text)
    if not _finder(_every_sign())(lowered):
        return text
    whole = text
    for form in credential_forms():
        if _finder(form.signs)(lowered):
            text = "".join(_pieces(form, text))
    # What two forms know each a part of is one credential.
    while text != whole and MASK * 2 in text:
        text = text.replace(MASK * 2, MASK)
    return text


def _lowered(text: str) -> bytes:
    # A lone surrogate is no UTF-8, and stands in no sign.
    return text.lower().encode(errors="replace")


@cache
def _every_sign() -> frozenset[str]:
    return frozenset().union(*(form.signs for form in credential_forms()))


@cache
def _finder(signs: frozenset[str]) -> Callable[[bytes], bool]:
    """What finds out whether any of some signs stands in a text in lower case.

    The engine of pydantic looks for all of them in one pass, in a hundredth of the time that a look for each one takes.
    """
    from pydantic_core import SchemaValidator, core_schema  # for which no start waits

    return SchemaValidator(core_schema.str_schema(pattern="|".join(map(re.escape, sorted(signs))))).isinstance_python


def masked_notice(notice: Notice) -> Notice:
    """A notice without credentials in any text; a link that carries one is left out whole."""
    values = {
        name: MASK if value and _is_credential(name) else _masked_value(value)
        for name, value in notice.extended.items()
    }
    # Evidence has some properties in words already, in which a name no longer stands beside all that is below it.
    worded = {
        bounded(item): told
        for name, value in notice.extended.items()
        if values[name] not in (value, MASK)
        for item, told in _worded(value, values[name])
    }

    def mask(text: str) -> str:
        return worded.get(text) or masked(text)

    apart = {
        "link": lambda link: link if mask(link) == link else None,
        "links": lambda links: tuple(replace(one, text=mask(one.text)) for one in links if mask(one.url) == one.url),
        # The lines of a remediation are those of one text: a private key, for one, has several.
        "remediation": lambda steps: (
            steps if (told := mask(whole := "\n".join(steps))) == whole else tuple(told.split("\n"))
        ),
        "extended": lambda _: {mask(name): value for name, value in values.items()},
    }
    clean: Notice = with_texts(notice, mask, apart)
    return clean


_ESCAPED = "\\u00"  # how JSON may write any letter of a name

_DEPTH = 50  # levels of JSON that are looked through; what is nested more deeply is masked

_PAIRS = {"name": "value", "key": "value", "parametername": "parametervalue"}
"""Where a document writes a name, and where the value of it, in lower case."""


@remembered
def _is_credential(name: str) -> bool:
    """Whether the name of a property, or a step of the path that it is, says that the value is a credential."""
    return any(property_key(part) in credential_names() for part in (name, *name.split(".")))


@remembered
def _masked_value(value: str) -> str:
    """The value of a property. What stands below a name in JSON is masked however it is nested, listed or escaped."""
    is_escaped = _ESCAPED in value
    if value.lstrip()[:1] in ("{", "[") and (is_escaped or _finder(_every_sign())(_lowered(value))):
        try:
            document = json.loads(value, strict=False)
        except (ValueError, RecursionError):
            return masked(value)
        clean = _masked_in(document, _DEPTH)
        if is_escaped or clean != document:
            written = json.dumps(clean, ensure_ascii=False).encode(errors="replace").decode()
            told = masked(written)
            if clean != document or told != written:
                return told
    return masked(value)


def _masked_in(document: Any, depth: int) -> Any:
    """JSON in which a mark stands for all that is below the name of a credential, or beside it as its value."""
    if isinstance(document, list):
        return [_masked_in(item, depth - 1) for item in document] if depth else MASK
    if isinstance(document, str) and document.lstrip()[:1] in ("{", "["):
        try:
            held = json.loads(document, strict=False)
        except (ValueError, RecursionError):
            return document
        clean = _masked_in(held, depth - 1) if depth else MASK
        return document if clean == held else json.dumps(clean, ensure_ascii=False)
    if not isinstance(document, dict):
        return document
    if not depth:
        return MASK
    named = {
        _PAIRS[name.lower()]
        for name, held in document.items()
        if name.lower() in _PAIRS and isinstance(held, str) and _ends_as_credential(held)
    }
    masks = named.union(filter(_ends_as_credential, document))
    return {
        name: MASK if held and held is not True and masks & {name, name.lower()} else _masked_in(held, depth - 1)
        for name, held in document.items()
    }


def _ends_as_credential(name: str) -> bool:
    return property_key(name) in credential_names() or _name_pattern().search(name.strip()) is not None


@cache
def _name_pattern() -> re.Pattern[str]:
    return re.compile(_whole(r"(?&name)\Z", read_table("wording/credentials.toml")["parts"]))


def _worded(value: str, told: str) -> Iterator[tuple[str, str]]:
    """The words for what a value holds, each beside what is told of it; a mark alone where one stands for several."""
    words, clean = items_in(value), items_in(told)
    if len(words) == len(clean):
        yield from zip(words, clean, strict=True)
        return
    for one in words:
        stays = masked(one)
        yield one, stays if stays in clean else MASK


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of a form. It is compiled for the first text that has a sign of the form, so that no start waits for all."""
    return re.compile(pattern)


def _pieces(form: CredentialForm, text: str) -> Iterator[str]:
    """The pieces of a text, with the mark for every credential of a form."""
    done = 0
    for lead in _leads(form, text):
        if lead.start() < done:
            continue
        value = _compiled(form.value).match(text, lead.end())
        if value is None or value.lastgroup is None:
            continue
        yield text[done : value.start(value.lastgroup)]
        yield MASK
        done = value.end(value.lastgroup)
    yield text[done:]


def _leads(form: CredentialForm, text: str) -> Iterator[re.Match[str]]:
    """The places where a value of a form may follow; where a tool has to stand before them, those in a command of it."""
    if form.tool is None:
        yield from _compiled(form.lead).finditer(text)
        return
    end = 0
    for tool in _compiled(form.tool).finditer(text):
        if tool.start() >= end:
            ends = _COMMAND_ENDS.search(text, tool.end())
            end = ends.start() if ends is not None else len(text)
            yield from _compiled(form.lead).finditer(text, tool.end(), end)
