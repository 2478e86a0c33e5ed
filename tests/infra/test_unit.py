"""The systemd unit, as systemd itself reads it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import page
from tests.infra.predicted import INFRA

UNIT = INFRA / "systemd" / "alert-router.service"


@pytest.mark.tools
def test_systemd_takes_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    """Nothing in it is unknown or misspelled, and it is exposed as little as the page says."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    here = tmp_path / UNIT.name
    here.write_text(re.sub("^ExecStart=[^ ]+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE))
    said = subprocess.run([analyze, "verify", "--man=no", here], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")
    said = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", here], capture_output=True, text=True, check=True
    )
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", said.stdout)
    (written,) = re.findall(r"exposure of ([\d.]+)", page("docs/serve.md").section("With systemd"))
    assert float(exposure) <= float(written)
