"""TLS to API servers of Kubernetes, verified as kubectl verifies it: chain, names and dates.

Where a kubeconfig names an authority, nobody else is trusted. Many authorities of clusters lack an extension that Python 3.13
has begun to insist on, and kubectl has not, so that flag is not set. https://docs.python.org/3/whatsnew/3.13.html#ssl
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from router.app.settings import Settings
from router.app.trust import trust_for
from router.domain.errors import BadFile


def trust_in(authority: bytes | None, settings: Settings, where: str) -> ssl.SSLContext:
    """The context that trusts an authority alone, or, without one, whom this program trusts elsewhere.

    Raises BadFile, which begins with `where`, where the authority is none.
    """
    if authority is None:
        return trust_for(settings)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=authority.decode("ascii"))
    except (ssl.SSLError, ValueError) as fault:
        raise BadFile(f"{where}: its certificate-authority is no certificate in PEM; write it anew") from fault
    return context


def present_certificate(context: ssl.SSLContext, certificate: bytes, key: bytes, where: str) -> None:
    """Has a context present a client certificate; raises BadFile, which begins with `where`, where it is none.

    Python reads them from files only, so they lie for that moment in a folder that nobody else can open.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "client.pem"
        file.touch(mode=0o600)
        file.write_bytes(certificate.rstrip() + b"\n" + key)
        try:
            # Without a password OpenSSL would ask for it at the terminal.
            context.load_cert_chain(file, password=lambda: b"\0")
        except (ssl.SSLError, ValueError):  # whose text says nothing that helps
            raise BadFile(
                f"{where}: its client certificate and key are no pair in PEM, or the key has a password"
            ) from None
