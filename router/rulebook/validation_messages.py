"""What pydantic objects to, in the words of a rules file, which never repeat what was written: it may be a secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Set
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from router.rulebook.patterns import SECRET, WORDS
from router.rulebook.problems import INVALID, KeyPath

_SAID = {
    "missing": "is missing; add it",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "timezone_aware": "needs a zone, as in 2026-11-24T12:00:00Z",
    "datetime_from_date_parsing": "must be a time, such as 2026-11-24T12:00:00Z",
}

_CODES = {"missing": "missing-key", "extra_forbidden": "unknown-key"}
"""The codes of what pydantic objects to, where they say more than that a value is invalid."""


class Complaint(NamedTuple):
    """One value that is not what is wanted there."""

    path: KeyPath
    message: str
    code: str = INVALID


def complaints_of(
    model: type[BaseModel], value: object, scrubbed: Callable[[str], str] = str, beside: Collection[str] = ()
) -> Iterator[Complaint]:
    """What is wrong with each value that is not what a model wants; nothing for a sound value.

    `beside` are keys that another model reads there, for hints. Where a model finds words of its own, which may quote what
    they refuse, `scrubbed` has the last word.
    """
    try:
        model.model_validate(value)
    except ValidationError as error:
        known = property_names(model.model_json_schema()).union(beside)
        for detail in error.errors(include_url=False, include_input=False):
            if detail["type"] == "none_required":  # the other half of "or not given at all"
                continue
            kind, context = detail["type"], detail.get("ctx", {})
            path, written = _path_in(value, detail["loc"], kind)
            message = _find_words(kind, path, written, context, known) or scrubbed(_own_words(detail["msg"]))
            yield Complaint(
                _without_value(path) if kind == "extra_forbidden" else path, message, _code_for(kind, context)
            )


def find_sound[Model: BaseModel](model: type[Model], value: object) -> Model | None:
    """The value as the model, or None where it has complaints."""
    try:
        return model.model_validate(value)
    except ValidationError:
        return None


def property_names(schema: object) -> frozenset[str]:
    """Every key that a JSON Schema knows, at any depth."""
    names: set[str] = set()
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            names.update(part.get("properties", {}))
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return frozenset(names)


def hint(word: str, known: Collection[str]) -> str:
    """What a word was probably meant to be, as the end of a sentence; empty where nothing is close."""
    close = get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def must_be_text(value: object) -> str:
    """What to say of a value that is no text, and should be one; the value is not repeated."""
    if isinstance(value, bool):
        return "must be text, and is read as true or false (as on, off, yes and no are, too); put it in quotes"
    if isinstance(value, int | float):
        return "must be text, and is read as a number; put it in quotes"
    if isinstance(value, dict) and None in value.values():
        return "must be text, and is read as a mapping; put a text with { in quotes"
    if isinstance(value, list):
        return "must be one text, and is a list"
    return "has no value; give it one, or remove it" if value is None else "must be text"


def _must_be_list(value: object) -> str:
    remedy = "; put it in [ ]" if isinstance(value, str) else "; begin each entry with -" if value else ""
    return f"must be a list{remedy}"


def _must_be_one_of(expected: str, written: object) -> str:
    """What to say of a value that is none of some words, which are given as a choice in single quotes."""
    if isinstance(written, list):
        return f"must be one value and no list: {expected}"
    words = {word.lower(): word for word in re.findall("'([^']+)'", expected)}
    near = get_close_matches(written.lower(), words, n=1) if isinstance(written, str) else []
    return f"must be {expected}" + (f"; did you mean {words[near[0]]!r}?" if near else "")


def _without_value(path: KeyPath) -> KeyPath:
    """The path of a key in which there is more than a key, as in `key:value`, without what stands behind the colon."""
    return (*path[:-1], str(path[-1]).partition(":")[0])


def _path_in(value: object, location: KeyPath, type: str) -> tuple[KeyPath, object]:
    """pydantic's location without its own steps, such as the member of a union that it tried; and what is there."""
    path: list[str | int] = []
    for step in location:
        children: Mapping[Any, object] = value if isinstance(value, dict) else {}
        if isinstance(value, list):
            children = dict(enumerate(value))
        if step in children:
            path.append(step)
            value = children[step]
    return ((*path, location[-1]) if type == "missing" else tuple(path)), value


def _find_words(type: str, path: KeyPath, written: object, context: Mapping[str, Any], known: Set[str]) -> str | None:
    match type:
        case "string_type":
            return must_be_text(written)
        case "list_type" | "tuple_type":
            return _must_be_list(written)
        case "extra_forbidden":
            word = str(path[-1])
            if word.partition(":")[0] in known and ":" in word:
                return "has no space behind its colon; add one"
            return "is no key that belongs here" + (hint(word, known - {word}) or "; remove it")
        case "literal_error" | "enum":
            return _must_be_one_of(context["expected"], written)
        case "model_type" if _is_secret(context):
            return "must be {secret: NAME}; a secret itself is never written in rules"
        case "string_too_long":
            return f"must have at most {context['max_length']} characters"
        case "string_pattern_mismatch":
            return WORDS.get(context["pattern"], f"must look like {context['pattern']}")
        case _:
            return _SAID.get(type)


def _code_for(type: str, context: Mapping[str, Any]) -> str:
    is_literal = (type == "model_type" and _is_secret(context)) or context.get("pattern") == SECRET
    return "literal-secret" if is_literal else _CODES.get(type, INVALID)


def _is_secret(context: Mapping[str, Any]) -> bool:
    return str(context.get("class_name")).startswith("Secret")


def _own_words(message: str) -> str:
    words = message.removeprefix("Value error, ")
    return words[:1].lower() + words[1:]
