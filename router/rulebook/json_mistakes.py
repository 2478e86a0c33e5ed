"""What is wrong with a text that is not JSON, in words that say what to do. Nothing of a value is repeated."""

from __future__ import annotations

import json

_CLOSING = {"{": "}", "[": "]"}


def explain_json_error(text: str, error: json.JSONDecodeError) -> tuple[int, str]:
    """The line of a mistake, and what to say of it."""
    at, said = error.pos, error.msg
    char = text[at : at + 1]
    if text.lstrip()[:1].isalnum():
        return error.lineno, "does not begin with { or [ as JSON does; if it is YAML, let its name end in .yaml"
    if char == "" and not said.startswith(("Unterminated", "Invalid")) and (opened := _find_unclosed(text)):
        bracket, line = opened
        return line, f"opens a {bracket} that nothing closes; add the {_CLOSING[bracket]}"
    if char and char in "}]" and said.startswith("Expecting ',' delimiter") and (opened := _find_unclosed(text[:at])):
        bracket, line = opened
        return line, f"opens a {bracket} that a {char} closes; a {_CLOSING[bracket]} is missing, or wrong"
    if said.startswith("Extra data"):
        goes_on = (
            "begins a second document; a file is one" if char in _CLOSING else "goes on behind its end; remove that"
        )
        return error.lineno, goes_on
    if said.startswith("Expecting ',' delimiter") and char not in ("/", "#"):
        before = text[:at].rstrip()
        line = before.count("\n") + 1
        if line < error.lineno:
            return line, "has no comma at its end, before what follows"
        return line, 'has no comma between two values, or a text with a quotation mark in it, which is written \\"'
    return error.lineno, _words_for(said, char)


def _words_for(said: str, char: str) -> str:
    """What to say by the parser's own words and the character at which it stopped."""
    if "trailing comma" in said:
        return "has a comma before the end of a list or an object; remove it"
    if "escape" in said:
        return "has a backslash that means nothing; write it twice"
    if "control character" in said:
        return (
            "has a tab in a text; write \\t"
            if char == "\t"
            else "opens a quotation mark that is not closed on its line"
        )
    if "Unterminated" in said:
        return "opens a quotation mark that nothing closes"
    if char in ("/", "#"):
        return "has a comment, and JSON has none; remove it, or say it in a `comment`"
    if char == "'":
        return "has single quotes, and JSON has double ones; write double ones"
    if char and char in "\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb":
        return 'has a typographic quotation mark; write a plain one: "'
    if "property name" in said:
        return "has a key without double quotes; add them"
    if "':' delimiter" in said:
        return "has no colon behind a key; add it"
    if "Expecting value" in said and char and char in ",]}":
        return f"has no value before its {char}"
    return "has a value that is neither in double quotes nor a number, true, false or null; put a text in double quotes"


def _find_unclosed(text: str) -> tuple[str, int] | None:
    """The innermost bracket that nothing closes, and its line."""
    waiting: list[tuple[str, int]] = []
    line, is_text, is_escaped = 1, False, False
    for char in text:
        line += char == "\n"
        if is_text:
            is_text, is_escaped = is_escaped or char != '"', char == "\\" and not is_escaped
        elif char == '"':
            is_text = True
        elif char in _CLOSING:
            waiting.append((char, line))
        elif waiting and char in "}]":
            waiting.pop()
    return waiting[-1] if waiting else None
