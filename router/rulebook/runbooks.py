"""Runbooks by alert type: what owners.yaml and each policy may say of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import parse_qsl

from pydantic import AfterValidator, Field, StringConstraints

from router.domain.rulebook import Runbook
from router.domain.signals import Finding, Signal
from router.domain.urls import split_url
from router.rulebook.globs import compile_globs
from router.rulebook.when_form import Word

KEY = "runbooks"
LONGEST = 500
"""Characters of an address; ours, so that it is shown whole everywhere."""

_CREDENTIALS = frozenset(
    {"access_token", "api_key", "apikey", "auth", "client_secret", "code", "password", "pwd", "secret", "sig", "token"}
)
"""Parameters whose values open something, as their names say."""


def _page(text: str) -> str:
    """An address that people open. The router never asks it, so that it may have a query, as the pages of many wikis do."""
    if not text.lower().startswith("https://"):
        raise ValueError("must be an https URL")
    url = split_url(text)
    parameters = parse_qsl(url.query, keep_blank_values=True) + parse_qsl(url.fragment, keep_blank_values=True)
    if any(name.lower() in _CREDENTIALS for name, _ in parameters):
        raise ValueError("must carry no credential: everybody who is notified reads the address")
    return text


type PageUrl = Annotated[
    str,
    StringConstraints(max_length=LONGEST),
    AfterValidator(_page),
    Field(json_schema_extra={"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]://"}),
]
type Runbooks = dict[Word, PageUrl]


def compile_runbooks(written: Mapping[str, str]) -> tuple[Runbook, ...]:
    """The runbooks of a file in their order."""
    return tuple(_runbook(glob, url) for glob, url in written.items())


def _runbook(glob: str, url: str) -> Runbook:
    fits = compile_globs((glob,))

    def is_about(signal: Signal) -> bool:
        if fits(signal.type):
            return True
        return isinstance(signal, Finding) and (fits(signal.category) or any(map(fits, signal.categories)))

    return Runbook(is_about, url)
