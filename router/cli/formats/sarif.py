"""Annotations as a SARIF 2.1.0 log, as GitHub's code scanning reads it.

An alert there lives as long as its rule, its file and its fingerprint are the same, so none of them may change when lines
move: codes are for ever, files are named from the working directory, and a fingerprint has no line number in it.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import PurePath
from urllib.parse import quote

from router.cli.formats.values import Annotation
from router.domain.legible import legible

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_POSITIONS = re.compile(r"\[\d+\]")


def log_of(
    tool: str, version: str | None, category: str, codes: Mapping[str, str], annotations: Sequence[Annotation]
) -> dict[str, object]:
    """The log of one run. `codes` describes each code that an annotation may have; `category` tells it from other runs."""
    numbers = {code: number for number, code in enumerate(codes)}
    seen: Counter[str] = Counter()
    results = []
    for annotation in annotations:
        fingerprint = _fingerprint_of(annotation)
        seen[fingerprint] += 1
        results.append(_result(annotation, numbers, f"{fingerprint}:{seen[fingerprint]}"))
    driver: dict[str, object] = {"name": tool, "rules": [_rule(code, said) for code, said in codes.items()]}
    if version is not None:
        driver["version"] = version
    run = {"tool": {"driver": driver}, "automationDetails": {"id": f"{tool}/{category}/"}, "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, said: str) -> dict[str, object]:
    text = {"text": said}
    name = "".join(word.capitalize() for word in code.split("-"))
    return {"id": code, "name": name, "shortDescription": text, "fullDescription": text, "help": text}


def _result(annotation: Annotation, numbers: Mapping[str, int], fingerprint: str) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": annotation.code,
        "level": annotation.level,
        "message": {"text": _plain(annotation.message)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _artifact(annotation.path),
                    "region": {"startLine": annotation.line or 1},
                }
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
    }
    if annotation.code in numbers:
        result["ruleIndex"] = numbers[annotation.code]
    return result


def _artifact(path: str) -> dict[str, str]:
    if PurePath(path).is_absolute():
        return {"uri": f"file://{'' if path.startswith('/') else '/'}{quote(_bytes_of(path), safe='/:')}"}
    return {"uri": quote(_bytes_of(path)), "uriBaseId": "%SRCROOT%"}


def _bytes_of(path: str) -> bytes:
    """The bytes of a file's name, also those that are no UTF-8."""
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a pair of UTF-16, which no file system of ours gives
        return path.encode("utf-8", "surrogatepass")


def _plain(text: str) -> str:
    """Words alone: SARIF takes `[words](address)` for a link."""
    return legible(text).replace("](", "] (")


def _fingerprint_of(annotation: Annotation) -> str:
    """What stays the same when lines move, and when another entry of a list comes before."""
    message = _POSITIONS.sub("[]", annotation.message)
    words = "\0".join((annotation.code, annotation.path, message))
    return blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
