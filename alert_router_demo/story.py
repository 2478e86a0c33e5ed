"""What happens in the demo: samples are routed by the starter's rules to a SOC that is busy at first."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from copy import replace
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from textwrap import shorten

from rich.console import Console

from alert_router_demo.connection import connected
from alert_router_demo.shift import keep_open, with_links
from alert_router_demo.shown import lines_of_page, lines_of_ticket, summaries_of
from alert_router_demo.soc import Drop, Soc, Status
from router.app.optional_packages import PACKAGE
from router.app.settings import now
from router.cli.files import InputFile
from router.cli.incoming import batches_of, open_files
from router.cli.option_values import rules_given
from router.cli.printing import print_lines
from router.cli.run import DIED, print_report
from router.cli.run_job import Job, Report, at_work, messages_in
from router.cli.screen import print_table, screen, table_of
from router.domain.decisions import Outcome
from router.domain.readable import counted
from router.ingest.messages import Message
from router.rulebook.starter import STARTER
from router.store.conninfo import PostgresqlAddress

DEFAULT = Path(".state/demo")
"""Where the state is unless an option says it."""

PATIENCE = timedelta(seconds=20)
"""How long the demo waits for what the SOC turned away at first."""

LAG = 0.2
"""Seconds before the SOC's look-ups find a new ticket."""

_ASKED = "7ffad6bb-daba-403e-a599-b6aca85f6ca2"
"""The end of the id of the alert whose page is shown whole."""

_WIDTH = 100
"""Characters of a page's summary in the list of pages."""

_HERE = Path(__file__).parent
_FIRST_ACT = {"cwpp.ndjson": 14, "cspm.ndjson": 7}
"""The files of samples, and the last line of each that belongs to the first act."""


def run(options: Namespace) -> int:
    """Route the samples and print what came of it; 1 where a delivery died, else 0."""
    story = asyncio.run(_route(options))
    if not options.keep:
        _print_story(story)
        _print_next(screen(), options.state)
    return DIED if story.report.died else 0


def _print_story(story: Story) -> None:
    job, report, held = story.job, story.report, story.held
    to = screen()
    to.print(
        f"\n  {report.tally.received} sample messages, the starter's rules, and a SOC on 127.0.0.1 that is busy at first"
    )
    print_report(job, report)
    _print_counts(to, held)
    _print_whole(to, "one page, as the pager got it", story.page)
    _print_whole(to, "one ticket, as ServiceNow got it", story.ticket)
    _print_end(to, story, job.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What came of the samples.

    Attributes:
        job: what was to be done.
        report: what was done.
        held: each vendor's name, what it holds, and what it answered.
        pages: the pages that the pager opened, each by its summary.
        tickets: how many tickets ServiceNow opened.
        page, ticket: one of each, in lines.
    """

    job: Job
    report: Report
    held: Sequence[tuple[str, str, str]]
    pages: Sequence[str]
    tickets: int
    page: Sequence[str]
    ticket: Sequence[str]


async def _route(options: Namespace) -> Story:
    state: Path | PostgresqlAddress = options.state
    async with Soc.running(lag=LAG, authority=None) as soc:
        _make_busy(soc)
        rules, settings = connected(rules_given(STARTER, None, now()), soc)
        if options.keep:
            settings = with_links(settings, options.listen)
        job = Job(
            rules=rules,
            only=None,
            state=state,
            decisions=options.decisions or (state / "decisions.ndjson" if isinstance(state, Path) else None),
            settings=settings,
            clock=None,
            patience=PATIENCE,
        )
        async with at_work(job) as work:
            for act in _acts():
                for batch in batches_of(act):
                    await work.take(batch)
                await work.release()
                await work.deliver()
            story = Story(
                job=job,
                report=await work.report(),
                held=_held(soc),
                pages=summaries_of(soc.pagerduty.pages),
                tickets=soc.servicenow.count(),
                page=list(lines_of_page(soc.pagerduty.pages)),
                ticket=list(lines_of_ticket(list(soc.servicenow.tickets))),
            )
        if options.keep:
            _print_story(story)
            await keep_open(soc, job, options.listen)
        return story


def _acts() -> tuple[list[Message], list[Message]]:
    """Return the samples in two acts, so that there is something to change and to resolve in the second."""
    with open_files([str(_HERE / "samples" / name) for name in _FIRST_ACT]) as files:
        named = [
            replace(file, name=name)
            for file, name in zip(files, _FIRST_ACT, strict=True)
            if isinstance(file, InputFile)
        ]
        messages = list(messages_in(named))
    first = [one for one in messages if one.arrival.place <= _FIRST_ACT[one.source.partition(":")[0]]]
    return first, [one for one in messages if one not in first]


def _make_busy(soc: Soc) -> None:
    soc.servicenow.faults.add(Status(429, retry_after="1"), times=3)
    soc.pagerduty.faults.add(Status(429), times=2)
    soc.logs.faults.add(Status(503, retry_after="1"))
    soc.webhook.faults.add(Drop())


def _held(soc: Soc) -> list[tuple[str, str, str]]:
    """Return what each vendor of the starter's rules holds and answered, and each other one that was asked."""
    return [
        (endpoint.name, f"{endpoint.count()} {endpoint.holds}", _answers(endpoint.answers))
        for endpoint in soc.endpoints
        if endpoint.answers or endpoint in (soc.servicenow, soc.pagerduty, soc.logs, soc.webhook)
    ]


def _print_counts(to: Console, rows: Sequence[tuple[str, str, str]]) -> None:
    """Print what the SOC itself saw: the proof that all of it went over HTTP."""
    to.print()
    print_table(to, table_of(("the SOC", "holds", "answered (status x times)"), rows))


def _print_whole(to: Console, title: str, lines: Sequence[str]) -> None:
    """Print what one reader read, whole; nothing where there was nothing new to tell."""
    if lines:
        to.print(f"\n  {title}", style="bold")
        print_lines(["", *(f"    {line}".rstrip() for line in lines)])


def _print_end(to: Console, story: Story, state: Path | PostgresqlAddress) -> None:
    """Print what all of it came to, counted at the SOC, which alerts paged, and a command that tells why."""
    tally = story.report.tally
    pages, tickets = counted(len(story.pages), "page"), counted(story.tickets, "ticket")
    held = f"{tally.outcomes[Outcome.SUPPRESSED]} held"
    to.print(f"\n  {counted(tally.received, 'message')}: {pages}, {tickets}, {held}", style="bold")
    print_lines(f"    page  {shorten(page, _WIDTH, placeholder='...')}" for page in story.pages)
    to.print("\n  next, why one of them is a page:")
    # A line that can be copied is printed as it is, however narrow the terminal.
    print_lines([f"  {_program()} explain {_ASKED} --state {shlex.quote(str(state))}"])


def _print_next(to: Console, state: Path | PostgresqlAddress) -> None:
    """Print the command that shows all of it in the browser."""
    more = "" if state == DEFAULT else f" --state {shlex.quote(str(state))}"
    to.print()
    print_lines([f"  {_program()} demo --keep{more} opens the console on what just happened"])


def _program() -> str:
    """Return what starts this program in the shell that started it."""
    typed = Path(sys.argv[0])
    if typed.stem != PACKAGE:
        return f"{shlex.quote(sys.executable)} -m router"
    found = shutil.which(PACKAGE)
    # `uvx` and `uv run` put it on the path of what they start, and not on that of the shell.
    is_on_path = found is not None and "UV" not in os.environ and typed.exists() and typed.samefile(found)
    return PACKAGE if is_on_path else shlex.quote(sys.argv[0])


def _answers(answers: Counter[str]) -> str:
    return ", ".join(f"{status} x {count}" for status, count in sorted(answers.items())) or "nothing"
