"""Which certificate authorities are trusted."""

from __future__ import annotations

import ssl

from router.app.settings import Settings
from router.domain.errors import BadFile


def trust_for(settings: Settings) -> ssl.SSLContext:
    """The system's authorities, and those of the file that the settings name; raises BadFile where it cannot be read."""
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        try:
            context.load_verify_locations(settings.ca_file)
        except OSError as fault:  # ssl's own errors are such, too
            raise BadFile(f"{settings.ca_file}: ALERT_ROUTER_CA_FILE names no readable file of certificates") from fault
    return context
