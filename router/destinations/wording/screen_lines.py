"""Lines of a phone's screen: how many a text takes, and its beginning that takes no more than there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap

WIDTH = 45
"""Characters of a line on a phone."""

_FAR_TOO_LONG = 100 * WIDTH
"""Characters of a text that fits on no screen, however it is broken: where it breaks need not be found."""

CUT = "…"
"""What stands where a line was cut."""

_PROGRAM = re.compile(r'"[^"]*"|(?:(?!\s[-/\\"])[^"])*?\.(?:exe|com|cmd|bat|ps1|dll)\b|\S+', re.IGNORECASE)
"""What a command line runs: it is quoted, ends as programs of Windows do, or ends at a blank."""
_ROOT = re.compile(r'"?(?:[a-z]:|%\w+%|~)?(?P<separator>[\\/])[\\/]*', re.IGNORECASE)
"""How the path of a file begins."""
_LONGEST_PATH = 1_000  # characters
_DIGEST = re.compile(r"(?<=@sha256:[0-9a-fA-F]{12})[0-9a-fA-F]+")
"""What is left out of an image's digest; twelve digits tell it from others."""
_BEGINNING = 20
"""How many characters of a value are worth to be told."""


@dataclass(frozen=True, slots=True)
class Line:
    """A paragraph or a fact, that takes a line of the screen or a few.

    Attributes:
        text: what it says.
        name: what the fact is called; empty for a paragraph.
        is_code: whether people copy the text into a shell or a search.
        more: what follows the text and is not part of it: how many more values there are.
    """

    text: str
    name: str = ""
    is_code: bool = False
    more: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.text}{self.more}" if self.name else f"{self.text}{self.more}"

    @property
    def height(self) -> int:
        """How many lines of the screen it takes."""
        return height_of(str(self))


def height_of(text: str) -> int:
    """How many lines a text takes where it is broken between words, and in a word that is longer than a line."""
    if len(text) > _FAR_TOO_LONG:
        return len(text) // WIDTH
    return len(wrap(text, WIDTH)) if len(text) > WIDTH else bool(text)


def total(lines: Iterable[Line]) -> int:
    """How many lines of the screen they take together."""
    return sum(line.height for line in lines)


def fitted(text: str, lines: int, name: str = "", *, mark: str = CUT) -> str:
    """A text on one line that takes at most `lines` lines of the screen behind its name, cut where it must be."""
    label = f"{name}: " if name else ""
    longest = lines * WIDTH - len(label)
    # Of a text of a megabyte only the beginning is looked at.
    enough = 4 * longest + WIDTH
    words = one_line(text[:enough])
    if len(words) <= longest and len(text) <= enough and height_of(label + words) <= lines:
        return words
    while longest > len(mark) and height_of(f"{label}{words[: longest - len(mark)]}{mark}") > lines:
        longest -= 1
    return f"{words[: longest - len(mark)].rstrip()}{mark}"


def fitted_path(path: str, lines: int, name: str) -> str:
    """A path of names behind its own name: without what it is a part of, outermost first, before its end is cut."""
    # Of a path of a megabyte only what may fit is looked at.
    _, separator, end = path[-lines * WIDTH :].partition("/")
    while separator and height_of(f"{name}: {CUT}/{end}") > lines:
        _, separator, end = end.partition("/")
    return f"{CUT}/{end}" if separator else fitted(path, lines, name)


def listed(values: Sequence[str], name: str, most: int, *, is_code: bool) -> tuple[Line, Sequence[str]]:
    """As many values as fit into that many lines, with how many more there are; and those that are whole.

    Of what people copy, programs lose the middle of their paths where not all fit, and the beginning of the first value that
    does not fit is told as well: what comes before it is often what started it.
    """
    # Two characters are a comma and a blank.
    enough = most * WIDTH // 2
    texts = list(values[: enough + 1])
    if is_code and not _fits(_several(texts, len(values) - len(texts), name, is_code=True), most):
        texts = [without_middle(text, is_path=name == "Files") for text in texts]
    count, line = min(len(texts), enough), Line("", name)
    while count and not _fits(line := _several(texts[:count], len(values) - count, name, is_code=is_code), most):
        count -= 1
    if count < len(texts) and (is_code or not count):
        longer = _with_beginning(texts[:count], texts[count], len(values) - count - 1, name, most, is_code=is_code)
        if not count or len(longer.text) - len(line.text) >= _BEGINNING:
            line = longer
    return line, [value for text, value in zip(texts[:count], values, strict=False) if text == value]


def _several(values: Sequence[str], others: int, name: str, *, is_code: bool) -> Line:
    return Line(", ".join(values), name, is_code, f" and {others} more" if others else "")


def _with_beginning(before: Sequence[str], value: str, others: int, name: str, most: int, *, is_code: bool) -> Line:
    """Values, and behind them as much of another as fits; of a path by itself, as the name of an image, the end."""
    is_path = " " not in value and not is_code and "://" not in value
    cut = _end_of_path if is_path else shortened
    length = most * WIDTH - len(str(_several([*before, ""], others, name, is_code=is_code)))
    while (
        not _fits(line := _several([*before, cut(value, length)], others, name, is_code=is_code), most) and length > 0
    ):
        length -= 1
    return line


def _fits(line: Line, most: int) -> bool:
    return len(str(line)) <= most * WIDTH and line.height <= most


def without_middle(command: str, *, is_path: bool = False) -> str:
    """A command line whose program is told without the middle of its path: `c:\\…\\regsvr32.exe /s`; or such a path alone."""
    found = None if is_path else _PROGRAM.match(command[:_LONGEST_PATH])
    program = found[0] if found is not None else command
    root = _ROOT.match(program)
    at = max(program.rfind("/"), program.rfind("\\")) + 1
    if root is None or at <= root.end() or at == len(program):
        return command
    return f"{root[0]}{CUT}{root['separator']}{program[at:]}{command[len(program) :]}"


def shortened(text: str, limit: int) -> str:
    """A text of at most `limit` characters."""
    return text if len(text) <= limit else f"{text[: max(limit - len(CUT), 0)].rstrip()}{CUT}"


def _end_of_path(path: str, limit: int) -> str:
    """A path of at most `limit` characters: without what it is a part of, outermost first, before its end is cut."""
    if len(path) <= limit:
        return path
    separator = "\\" if "\\" in path else "/"
    _, found, end = path[-max(limit - len(CUT), 1) :].partition(separator)
    if not found:
        _, found, end = path.rpartition(separator)
    return shortened(f"{CUT}{separator}{end}" if found else path, limit)


def one_line(text: str) -> str:
    """A text without line breaks and with single blanks; of the digest behind an image's name only the beginning."""
    words = " ".join(text.split())
    return _DIGEST.sub(CUT, words) if "@sha" in words else words
