"""The alert rules for Prometheus. tests/cli/test_serve.py asks whether what they and the dashboard mention is told at all."""

import shutil
import subprocess

import pytest

from tests.infra.watching import RULES, alerts, panels


@pytest.mark.tools
def test_each_alert_fires_and_is_quiet() -> None:
    """By Prometheus's own tool, which Debian has as `promtool`."""
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed")
    tests = RULES.with_suffix(".test.yaml")
    done = subprocess.run([promtool, "test", "rules", str(tests)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    text = tests.read_text()
    assert [one.where for one in alerts() if text.count(f'alertname="{one.where}"') < 2] == []


def test_queries_keep_routers_apart_and_dashboards_choose_one() -> None:
    """Gauges tell of the whole state and are the same in every process: one that is added up would count each as often."""
    for query in alerts():
        assert "{{ $labels.namespace }}" not in query.expression
        assert "job, namespace" in query.expression or "absent_over_time" in query.expression, query.where
    for query in panels():
        assert all(("job", "$job") in pairs for pairs in query.series().values()), query.where
