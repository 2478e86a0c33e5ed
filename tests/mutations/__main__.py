"""Breaks statements of `router/`, one at a time, runs the tests that reach each, and says which break no test notices.

    .venv/bin/python -m tests.mutations                      # which of 300 breaks no test notices
    .venv/bin/python -m tests.mutations --against COMMIT     # which were noticed at COMMIT and are no longer: exits with 1

Copies are broken: one of the checkout, with what is not committed yet, and one of COMMIT, with its own tests. A break at COMMIT
is found here by its function, whichever module has that now, by its kind, and by the text of its statement.

The tests run once in each tree, all but `soak` or those below `--tests`, and the lines that each reaches are recorded, also
those of processes that it starts and does not kill. Of the tests that reach a break the most specific run first: at most 200,
and at most a minute of CPU. Where more reach it, half of these are spread over the rest.
Answers stay in `.state/mutations/`: the next run begins where Ctrl-C ended this one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.mutations.breaks import Break, choose, find_counterpart
from tests.mutations.trees import Answer, CannotTry, Tree

ROOT = Path(__file__).parents[2]
_MEMORY = Path("/dev/shm")  # noqa: S108  A directory of its own is made there.


def main(arguments: Sequence[str] | None = None, checkout: Path = ROOT) -> int:
    """Print the breaks that no test of a checkout notices, and return the exit code."""
    summary, _, more = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        "tests.mutations", description=summary, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", metavar="COMMIT", help="the commit whose noticed breaks must be noticed here")
    parser.add_argument(
        "--tests", metavar="PATH", nargs="+", default=[], help="only tests below these paths (default: all)"
    )
    parser.add_argument("--count", type=int, default=300, help="statements to break (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which statements (default: %(default)s)")
    parser.add_argument("--only", metavar="PATH", default="router/", help="only of files whose path begins with this")
    parser.add_argument(
        "--jobs", type=int, default=os.process_cpu_count() or 1, help="trials at a time (default: cores)"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mutations-", dir=_MEMORY if _MEMORY.is_dir() else None) as scratch:
        # The server of a test that root runs is another user's, and its programs are in the copy.
        Path(scratch).chmod(0o711)
        try:
            here = Tree(checkout, None, Path(scratch, "here"), options.jobs, options.tests)
            if options.against is None:
                _report(here.answers_to(choose(here.sources, options.seed, options.count, options.only)))
                return 0
            there = Tree(checkout, options.against, Path(scratch, "there"), options.jobs, options.tests)
            return _compare(there, here, choose(there.sources, options.seed, options.count, options.only))
        except (CannotTry, subprocess.CalledProcessError) as fault:
            print(fault, file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("stopped: the next run begins here", file=sys.stderr)
            return 130


def _report(answers: Mapping[Break, Answer]) -> None:
    unnoticed = {one: answer for one, answer in answers.items() if answer.reaching and not answer.noticed_by}
    unreached = [one for one, answer in answers.items() if not answer.reaching]
    noticed = len(answers) - len(unnoticed) - len(unreached)
    print(
        f"{len(answers)} breaks: {noticed} noticed, {len(unnoticed)} not noticed, {len(unreached)} not reached by any test"
    )
    _list("not noticed", (f"{one} ({_tried(answer)})" for one, answer in unnoticed.items()))
    _list("not reached", map(str, unreached))


def _compare(there: Tree, here: Tree, breaks: Sequence[Break]) -> int:
    before = there.answers_to(breaks)
    noticed = {one: answer.noticed_by for one, answer in before.items() if answer.noticed_by}
    pairs = {one: find_counterpart(one, here.sources) for one in noticed}
    gone = [one for one, other in pairs.items() if other is None]
    after = here.answers_to([other for other in pairs.values() if other])
    lost = {one: other for one, other in pairs.items() if other and not after[other].noticed_by}
    still = len(noticed) - len(gone) - len(lost)
    print(f"{len(breaks)} breaks at {there.name}: {len(noticed)} noticed there, {len(breaks) - len(noticed)} not")
    print(
        f"of those noticed there {still} are noticed here, {len(lost)} no longer, {len(gone)} are gone with their code"
    )
    _list(
        "noticed no longer",
        (f"{other} ({_tried(after[other])}; there by {noticed[one]})" for one, other in lost.items()),
    )
    _list("gone", map(str, gone))
    return 1 if lost else 0


def _tried(answer: Answer) -> str:
    if not answer.reaching:
        return "no test reaches it"
    return f"{answer.tried} tests passed; {answer.reaching} reach it"


def _list(title: str, lines: Iterable[str]) -> None:
    if lines := sorted(lines):
        print(f"\n{title}:", *lines, sep="\n  ")


if __name__ == "__main__":
    sys.exit(main())
