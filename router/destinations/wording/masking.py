"""Masking: what looks like a credential is not told to people. Which forms that has stands in `credential_forms`.

Rows are data, and are not masked; whoever reads them has the message itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from router.destinations.wording.credential_forms import CREDENTIAL_FORMS, CREDENTIAL_NAMES, CredentialForm
from router.destinations.wording.texts import name_of, with_texts
from router.domain.notices import Notice

MASK = "[masked]"
"""What stands where a credential stood."""

_COMMAND_ENDS = re.compile(r"[\r\n;|&]")
_SIGNS = tuple((form, form.signs) for form in CREDENTIAL_FORMS)


def masked(text: str) -> str:
    """A text in which every credential of a known form is replaced by a mark, and what stands around it stays."""
    lowered = text.lower()
    for form, signs in _SIGNS:
        for sign in signs:
            if sign in lowered:
                text = "".join(_pieces(form, text))
                break
    return text


def is_free_of_credentials(text: str) -> bool:
    """Whether there is nothing to mask in a text."""
    return masked(text) == text


def masked_notice(notice: Notice) -> Notice:
    """A notice without credentials in any text; a link that carries one is left out whole."""
    clean: Notice = with_texts(replace(notice, link=None, links=(), remediation=(), extended={}), masked)
    link = notice.link if notice.link is not None and is_free_of_credentials(notice.link) else None
    links = tuple(replace(one, text=masked(one.text)) for one in notice.links if is_free_of_credentials(one.url))
    return replace(
        clean,
        link=link,
        links=links,
        remediation=_masked_lines(notice.remediation),
        extended=_masked_properties(notice.extended),
    )


def _masked_lines(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines of one text: a private key, for one, has several."""
    text = "\n".join(lines)
    return lines if (clean := masked(text)) == text else tuple(clean.split("\n"))


def _masked_properties(properties: Mapping[str, str]) -> Mapping[str, str]:
    return {
        masked(name): MASK if value and name_of(name) in CREDENTIAL_NAMES else masked(value)
        for name, value in properties.items()
    }


def _pieces(form: CredentialForm, text: str) -> Iterator[str]:
    """The pieces of a text, with the mark for every credential of a form."""
    done = 0
    for lead in _leads(form, text):
        if lead.start() < done:
            continue
        value = form.value.match(text, lead.end())
        if value is None or value.lastgroup is None:
            continue
        yield text[done : value.start(value.lastgroup)]
        yield MASK
        done = value.end(value.lastgroup)
    yield text[done:]


def _leads(form: CredentialForm, text: str) -> Iterator[re.Match[str]]:
    """The places where a value of a form may follow; where a tool has to stand before them, those in a command of it."""
    if form.tool is None:
        yield from form.lead.finditer(text)
        return
    end = 0
    for tool in form.tool.finditer(text):
        if tool.start() >= end:
            ends = _COMMAND_ENDS.search(text, tool.end())
            end = ends.start() if ends is not None else len(text)
            yield from form.lead.finditer(text, tool.end(), end)
