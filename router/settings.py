"""The only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from router.domain.errors import MissingSecret


@dataclass(frozen=True, slots=True)
class Settings:
    """App settings by name; in Azure those that hold a secret are Key Vault references."""

    values: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @property
    def ca_file(self) -> str | None:
        """A file of certificate authorities to trust beside the system's: ALERT_ROUTER_CA_FILE."""
        return self.values.get("ALERT_ROUTER_CA_FILE") or None

    def secrets(self, names: Iterable[str]) -> dict[str, str]:
        """The secrets of those names; raises MissingSecret naming every one that has no value."""
        wanted = sorted(set(names))
        # Who stores a secret with `echo` stores a line end with it, which no header may hold.
        found = {name: self.values.get(name, "").strip() for name in wanted}
        missing = [name for name, value in found.items() if not value]
        if missing:
            what = (
                "this secret; give it as an app setting"
                if len(missing) == 1
                else "these secrets; give them as app settings"
            )
            raise MissingSecret(f"{', '.join(missing)}: the rules name {what} (environment variable)")
        return found
