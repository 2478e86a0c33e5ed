"""Why the installation of Defender for Endpoint failed, by its exit code.

https://github.com/microsoft/mdatp-xplat/blob/master/linux/installation/mde_installer.sh
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExtensionFailure:
    """What an exit code means.

    Attributes:
        meaning: what went wrong.
        advice: what to do about it before it is installed again.
    """

    meaning: str
    advice: str


EXTENSION_FAILURES: Mapping[int, ExtensionFailure] = {
    1: ExtensionFailure("an internal error of the installer", "look at its log on the machine"),
    2: ExtensionFailure("wrong arguments", "remove the extension, and let Defender for Cloud install it anew"),
    3: ExtensionFailure("the installer lacked rights", "let the guest agent run as root"),
    4: ExtensionFailure(
        "no connection to the internet", "let the machine reach the addresses of Defender for Endpoint"
    ),
    5: ExtensionFailure("another product is in conflict with it", "remove the other product's fanotify or antivirus"),
    10: ExtensionFailure("the distribution is not supported", "move to one that is, or excuse the machine"),
    11: ExtensionFailure("the version of the distribution is not supported", "upgrade it, or excuse the machine"),
    12: ExtensionFailure("the machine is too small", "give it the memory and disk that Defender for Endpoint needs"),
    15: ExtensionFailure("what is installed is damaged", "remove the package mdatp"),
    20: ExtensionFailure("Defender for Endpoint is not installed", "look at the log of the installer on the machine"),
    21: ExtensionFailure("the package could not be installed", "look at what the package manager says on the machine"),
    22: ExtensionFailure("the package could not be removed", "look at what the package manager says on the machine"),
    23: ExtensionFailure("a package that it needs could not be installed", "mend the machine's package sources"),
    24: ExtensionFailure("the package source could not be set up", "let the machine reach packages.microsoft.com"),
    25: ExtensionFailure("an unknown channel", "remove the extension, and let Defender for Cloud install it anew"),
    30: ExtensionFailure("the onboarding script was not found", "let Defender for Cloud install it anew"),
    31: ExtensionFailure("onboarding failed", "look whether it is onboarded to another tenant"),
}
"""What each exit code means."""
