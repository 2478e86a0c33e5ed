"""`alert-router run`: routes messages from files."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from router.app.rules import Rules, new_reader
from router.app.settings import Clock, Settings
from router.cli.decisions import decisions_at, entry_of
from router.cli.funnel import Tally, print_named, print_standings, print_tally
from router.cli.incoming import Source, Stdin, open_files
from router.cli.option_values import clock_for, rules_given, stream_for
from router.cli.run_job import Job, Report, batches_in, do
from router.cli.screen import progress_over, screen
from router.cli.stopping import Stop
from router.domain.catalogue import AttackTable
from router.domain.decisions import OUTCOMES, Outcome
from router.domain.errors import BadUsage
from router.domain.readable import counted
from router.ingest.messages import MessageReader

DIED = 1
"""The exit code where a delivery was given up on."""

HINDERED = 2
"""The exit code where all else was done, and something is missing among the settings that is no mere "not yet"."""


def run(options: Namespace) -> int:
    """Route files until nothing is due now; 2 where a setting is missing that was there, 1 where a delivery died, else 0."""
    clock, only = clock_for(options.now), stream_for(options.stream)
    _refuse_to_overwrite(options.files, options.decisions)
    with open_files(options.files) as files:
        rules = rules_given(options.rules, only, clock())
        if options.dry_run:
            tally = asyncio.run(decide_only(files, new_reader(rules, only), clock, options.decisions))
            print_tally(screen(), tally, _attack_in(rules))
            print_named(screen(), tally)
            return 0
        job = Job(
            rules=rules,
            only=only,
            state=options.state,
            decisions=options.decisions,
            settings=Settings(),
            clock=clock if options.now is not None else None,
        )
        report = asyncio.run(do(job, files))
    print_report(job, report)
    if report.is_hindered:
        return HINDERED
    return DIED if report.died else 0


def print_report(job: Job, report: Report) -> None:
    """Print the funnel of a job, and where its decisions and its state are."""
    to = screen()
    print_tally(to, report.tally, _attack_in(job.rules), report.authors)
    if came := report.released.received:
        became = ", ".join(f"{OUTCOMES[Outcome(outcome)]} {n}" for outcome, n in report.released.outcomes.items())
        to.print(f"\n  {came} held until now came out, what held them ended or changed: {became}")
    if ended := report.ended.received:
        to.print(f"\n  {counted(ended, 'finding')} ended: not seen in two snapshots")
    print_standings(to, report.standings, report.made, job.state)
    if report.set_aside:
        rows = "row" if report.set_aside == 1 else "rows"
        see = f"see alert-router quarantine list --state {job.state}"
        to.print(f"\n  {report.set_aside} damaged {rows} of the state set aside; {see}")
    to.print()
    if job.decisions is not None:
        to.print(f"  decisions  {job.decisions}")
    to.print(f"  state      {job.state}")


def _attack_in(rules: Rules) -> AttackTable:
    return next(iter(rules.books.values())).attack


def _refuse_to_overwrite(files: Sequence[str], decisions: Path | None) -> None:
    if decisions is None or not decisions.exists():
        return
    if any(Path(name).exists() and decisions.samefile(name) for name in files):
        raise BadUsage(f"{decisions}: is one of the files to route; name another one with --decisions")


async def decide_only(sources: Sequence[Source], reader: MessageReader, clock: Clock, decisions: Path | None) -> Tally:
    """Return counts of the decisions on what is in some sources, and write them to the decisions file; raises BadFile."""
    tally = Tally()
    with ExitStack() as stack:
        written = stack.enter_context(decisions_at(decisions)) if decisions is not None else None
        is_awaited = any(isinstance(source, Stdin) for source in sources)
        size = None if is_awaited else sum(source.size for source in sources)
        advance = stack.enter_context(progress_over(size))
        async for batch in batches_in(sources, Stop()):
            now = clock()
            entries = [entry_of(part, reader, now) for message in batch for part in reader.read_message(message)]
            tally.add(entries)
            if written is not None:
                written.write(entries)
            advance(sum(len(message.body) for message in batch))
    return tally
