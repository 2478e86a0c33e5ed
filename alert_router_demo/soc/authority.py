"""The certificate authority of one run, so that callers verify TLS as they do in production."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

type NewAuthority = Callable[[Path], tuple[Path, ssl.SSLContext]]
"""What makes an authority for 127.0.0.1 in a directory, as `new_authority` does."""


def new_authority(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """Makes an authority for 127.0.0.1; gives the file of its certificate (PEM) and the server's side of TLS."""
    import trustme  # a developer's package, which the demo does without

    authority = trustme.CA()
    certificate = directory / "ca.pem"
    authority.cert_pem.write_to_path(str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    return certificate, tls


async def encrypt(writer: asyncio.StreamWriter, tls: ssl.SSLContext) -> None:
    """Goes on in TLS, as the server.

    Raises:
        OSError: the handshake failed, or the connection went meanwhile.
    """
    in_clear = writer.transport
    try:
        await writer.start_tls(tls)
    except AttributeError:
        # asyncio leaves the writer without a transport where the connection went, and such a writer fails when it is collected.
        vars(writer)["_transport"] = in_clear
        raise ConnectionResetError("the connection went during the handshake") from None
