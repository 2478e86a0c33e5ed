"""Every page of the console, and everything that a form of it posts to."""

from __future__ import annotations

from router.console.application import Action, View
from router.console.standing import read_alerts, read_findings
from router.console.status import read_status_page

VIEWS = (
    View("/alerts", "alerts.html", read_alerts),
    View("/findings", "alerts.html", read_findings),
    View("/status", "status.html", read_status_page),
)

ACTIONS: tuple[Action, ...] = ()
