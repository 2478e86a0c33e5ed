"""The rules directory as it is read: each file once, with what is wrong with it and a hash of it all."""

from __future__ import annotations

import os
import stat
from codecs import BOM_UTF8
from collections.abc import Callable, Collection
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path, PurePosixPath

from router.rulebook.documents import Document, Parsed, Unreadable, parse
from router.rulebook.problems import INVALID, KeyPath, Level, Problem, in_order


class Folder:
    """A rules directory. Reading from it collects problems instead of raising."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.named = root.as_posix()
        self._digests: dict[str, bytes] = {}
        self._problems: list[Problem] = []

    def fork(self) -> Folder:
        """The same directory, with what was read and met so far; what either reads from now on is its own."""
        other = Folder(self._root)
        other._digests |= self._digests
        other._problems += self._problems
        return other

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong so far, by file and line."""
        return in_order(self._problems)

    @property
    def is_sound(self) -> bool:
        """Whether nothing worse than warnings has been met so far."""
        return all(problem.level == "warning" for problem in self._problems)

    @property
    def hash(self) -> str:
        """Sixteen hex digits that change when a file that was read changes, comes, goes or is renamed."""
        digest = blake2b(digest_size=8)
        for file, of_file in sorted(self._digests.items()):
            digest.update(file.encode("utf-8", "surrogateescape") + b"\0" + of_file)
        return digest.hexdigest()

    def has(self, file: str) -> bool:
        """Whether there is something of that name, so that what can be no file is blamed, and not passed over."""
        try:
            (self._root / file).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # reading it says why
            return True
        return True

    def files_in(self, directory: str) -> tuple[str, ...]:
        """The files of a directory by name; none where there is no directory. Hidden ones and Markdown do not count."""
        try:
            with os.scandir(self._root / directory) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not self.has(directory):
                return ()
            self.blame(directory, f"cannot be listed: {error.strerror}", code="unreadable")
            return ()
        return tuple(f"{directory}/{name}" for name in names if name[0] != "." and not name.lower().endswith(".md"))

    def find_near(self, file: str, but: Collection[str]) -> str | None:
        """A file with the same ending at the top, or in a directory there, whose name is nearly this."""
        ending = PurePosixPath(file).suffix
        there = (path for depth in ("", "*/") for path in self._root.glob(f"{depth}*{ending}") if path.is_file())
        names = {path.relative_to(self._root).as_posix() for path in there}.difference(but)
        return next(iter(get_close_matches(file, names, n=1, cutoff=0.8)), None)

    def read(self, file: str, parser: Callable[[str, str], Parsed] = parse) -> Document | None:
        """A file of the directory; None, and a problem, where it cannot be read."""
        return self._parsed(self._root, file, parser)

    def borrow(self, file: str, lender: Path, parser: Callable[[str, str], Parsed] = parse) -> Document | None:
        """The file of that name in another directory, hashed and judged as if it stood in this one."""
        return self._parsed(lender, file, parser)

    def read_bytes(self, file: str, missing: Callable[[], str]) -> bytes | None:
        """What is in a file that rules name; None, and a problem, where it cannot be read or a link leads out of the directory.

        `missing` is asked what to say where there is none.
        """
        try:
            leads_out = not (self._root / file).resolve().is_relative_to(self._root.resolve())
        except OSError as error:
            self.blame(file, f"cannot be read: {error.strerror}", code="unreadable")
            return None
        if leads_out:
            self.blame(file, "is a link out of the rules directory; put the file itself there", code="unreadable")
            return None
        return self._bytes_of(self._root, file, missing)

    def _bytes_of(self, root: Path, file: str, missing: Callable[[], str]) -> bytes | None:
        try:
            path = f"{root}/{file}"
            mode = os.stat(path).st_mode  # noqa: PTH116  Of 100,000 files a Path takes longer than reading them does.
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                # Reading from a pipe or a device may never end.
                self.blame(file, "is a pipe or a device; put a file there", code="unreadable")
                return None
            with open(path, "rb", buffering=0) as opened:  # noqa: PTH123  For the same reason.
                data = opened.read()
        except FileNotFoundError:
            dangling = (root / file).is_symlink()
            said = "is a link to a file that is not there; put the file itself there" if dangling else missing()
            self.blame(file, said, code="missing-file")
        except OSError as error:
            self.blame(file, f"cannot be read: {error.strerror}", code="unreadable")
        else:
            self._digests[file] = blake2b(data, digest_size=16).digest()
            return data
        return None

    def _parsed(self, root: Path, file: str, parser: Callable[[str, str], Parsed]) -> Document | None:
        try:
            text = self._text_of(root, file)
            return None if text is None else Document(self.named, file, text, *parser(text, file))
        except Unreadable as error:
            self.blame(file, str(error), error.line, code=error.code)
        return None

    def _text_of(self, root: Path, file: str) -> str | None:
        if (data := self._bytes_of(root, file, lambda: "is missing; add it")) is None:
            return None
        if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data:
            raise Unreadable("is UTF-16, or no text; save it as UTF-8", None)
        try:
            return (data := data.removeprefix(BOM_UTF8)).decode()
        except UnicodeDecodeError as error:
            raise Unreadable("is not UTF-8; save it as UTF-8", data.count(b"\n", 0, error.start) + 1) from error

    def blame(
        self, file: str, message: str, line: int | None = None, level: Level = "problem", code: str = INVALID
    ) -> None:
        """Notes a problem of a file as a whole."""
        self._problems.append(Problem(file, line, message, level, self.named, code))

    def note(
        self, document: Document, path: KeyPath, message: str, level: Level = "problem", code: str = INVALID
    ) -> None:
        """Notes a problem at a key path of a file."""
        self._problems.append(document.problem(path, message, level, code))
