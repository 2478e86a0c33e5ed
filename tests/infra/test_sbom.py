"""The bill of materials names what the image's lock installs, and who asks for it."""

from infra.sbom import LOCK, bill_of
from router import __version__
from tests.docs.test_locks import ROOT, pins

A_LOCK = """
cffi==2.1.1 ; platform_python_implementation != 'PyPy' \\
    --hash=sha256:00
    # via cryptography
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:01
    # via click
cryptography==46.0.0 \\
    --hash=sha256:02 \\
    --hash=sha256:03
    # via
    #   -c requirements.txt
    #   alert-router (pyproject.toml)
    #   joserfc
joserfc[drafts]==1.8.0 \\
    --hash=sha256:04
    # via alert-router (pyproject.toml)
"""


def test_it_has_what_linux_gets_of_a_lock_and_who_asks_for_what() -> None:
    """Each package by its own URL, under which other lists know it; what another system gets is left out."""
    bill = bill_of(A_LOCK)
    cffi, cryptography, joserfc = (
        f"pkg:pypi/{name}" for name in ("cffi@2.1.1", "cryptography@46.0.0", "joserfc@1.8.0")
    )
    assert [one["purl"] for one in bill["components"]] == [cffi, cryptography, joserfc]
    assert {one["ref"]: one["dependsOn"] for one in bill["dependencies"]} == {
        "alert-router": [cryptography, joserfc],
        cffi: [],
        cryptography: [cffi],
        joserfc: [cryptography],
    }
    assert bill["metadata"]["component"]["version"] == __version__


def test_nothing_of_the_lock_is_missing_and_nothing_stands_alone() -> None:
    """All of today's lock is for Linux; each of its packages is asked for by another one, or by the program."""
    bill = bill_of((ROOT / LOCK).read_text())
    assert {one["name"]: one["version"] for one in bill["components"]} == pins(LOCK)
    assert {one["purl"] for one in bill["components"]} == {
        ref for one in bill["dependencies"] for ref in one["dependsOn"]
    }
