"""Masking: what looks like a credential is not told to people. Which forms that has stands in `credentials.toml`.

Rows are data, and are not masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from router.destinations.wording.escaping import name_of, read_table, texts_in, with_texts
from router.domain.notices import Notice

_VALUE_STANDS = {"apart": "(?&apart)", "either": "(?&apart)?", "glued": r"(?=\S)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialForm:
    """One form in which a credential is written: what `credentials.toml` says of it, with its parts put in."""

    name: str
    what: str
    source: str
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
    return CredentialForm(
        name=row["name"], what=row["what"], source=row["source"], signs=frozenset(row["signs"]), **patterns
    )


def _whole(pattern: str, parts: Mapping[str, str]) -> str:
    """A pattern in one line, with the parts that it names."""
    joined = "".join(line.strip() for line in pattern.splitlines()) if "\n" in pattern else pattern
    return re.sub(r"\(\?&(\w+)\)", lambda part: f"(?:{_whole(parts[part[1]], parts)})", joined)


MASK = "[masked]"
"""What stands where a credential stood."""

_TWO_MARKS = MASK * 2

_COMMAND_ENDS = re.compile(r"[\r\n;|&]|\s(?=(?:ssh|scp|sftp|rsync)\s)")


def masked(text: str) -> str:
    """A text in which every credential of a known form is replaced by a mark, and what stands around it stays."""
    return _masked_by(_every_sign(), text)


def _masked_by(signs: Iterable[str], text: str) -> str:
    lowered = text.lower()
    here = [sign for sign in signs if sign in lowered]
    if not here:
        return text
    whole = text
    for form in credential_forms():
        if not form.signs.isdisjoint(here):
            text = "".join(_pieces(form, text))
    # What two forms know each a part of is one credential.
    while text != whole and _TWO_MARKS in text:
        text = text.replace(_TWO_MARKS, MASK)
    return text


@cache
def _every_sign() -> frozenset[str]:
    return frozenset().union(*(form.signs for form in credential_forms()))


def masked_notice(notice: Notice) -> Notice:
    """A notice without credentials in any text; a link that carries one is left out whole."""
    # Most signs stand nowhere in a notice, and so need not be looked for in each of its many texts.
    lowered = "\n".join(set(texts_in(notice))).lower()
    signs = [sign for sign in _every_sign() if sign in lowered]
    if not signs and not any(name_of(name) in credential_names() for name in notice.extended):
        return notice

    def mask(text: str) -> str:
        return _masked_by(signs, text)

    # The lines of a remediation are those of one text: a private key, for one, has several.
    steps = "\n".join(notice.remediation)
    clean: Notice = with_texts(replace(notice, link=None, links=(), remediation=(), extended={}), mask)
    return replace(
        clean,
        link=notice.link if notice.link is not None and mask(notice.link) == notice.link else None,
        links=tuple(replace(one, text=mask(one.text)) for one in notice.links if mask(one.url) == one.url),
        remediation=notice.remediation if (told := mask(steps)) == steps else tuple(told.split("\n")),
        extended={
            mask(name): MASK if value and name_of(name) in credential_names() else mask(value)
            for name, value in notice.extended.items()
        },
    )


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
