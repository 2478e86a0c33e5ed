"""Every page of the console, and everything that a form of it posts to."""

from __future__ import annotations

from starlette.applications import Starlette

from router.console import repairs
from router.console.application import Action, Console, View, new_application
from router.console.changes import read_changes
from router.console.coverage import read_coverage
from router.console.decisions import read_decisions, write_decisions
from router.console.rendering import Pages
from router.console.report import show_report
from router.console.resource import read_resource
from router.console.roles import Role
from router.console.rules import read_rule, read_rules, read_what_ends
from router.console.signals import read_signal, show_body
from router.console.silences import end, extend, make, read_new, read_silence, read_silences
from router.console.standing import read_alerts, read_findings, read_status, read_status_page

VIEWS = (
    View("/alerts", "alerts.html", read_alerts),
    View("/findings", "alerts.html", read_findings),
    View("/decisions", "decisions.html", read_decisions, write_decisions),
    View("/signals/{key}", "signal.html", read_signal),
    View("/resource", "resource.html", read_resource),
    View("/silences", "silences.html", read_silences),
    View("/silences/new", "silence_new.html", read_new),
    View("/silences/{id}", "silence.html", read_silence),
    View("/rules", "rules.html", read_rules),
    View("/rules/{stream}", "rule.html", read_rule),
    View("/ends", "ends.html", read_what_ends),
    View("/coverage", "coverage.html", read_coverage),
    View("/dead-letters", "dead_letters.html", repairs.read_letters),
    View("/quarantine", "quarantine.html", repairs.read_quarantine),
    View("/destinations", "destinations.html", repairs.read_destinations),
    View("/changes", "changes.html", read_changes),
    View("/report", "report.html", show_report),
    View("/status", "status.html", read_status_page),
)

ACTIONS = (
    Action("/signals/{key}/body", show_body),
    Action("/silences/new", make),
    Action("/silences/{id}/extend", extend),
    Action("/silences/{id}/end", end),
    Action("/dead-letters/redrive", repairs.redrive),
    Action("/dead-letters/discard", repairs.discard_letters, Role.ADMIN),
    Action("/quarantine/retake", repairs.retake),
    Action("/quarantine/discard", repairs.discard_entries, Role.ADMIN),
    Action("/quarantine/show", repairs.show_entry),
    Action("/destinations/hold", repairs.hold),
    Action("/destinations/release", repairs.release),
)


def new_console(console: Console, pages: Pages) -> Starlette:
    """Return the application with all of them."""
    return new_application(console, pages, VIEWS, ACTIONS, read_status)
