"""The certificate authority of one run, so that callers verify TLS as they do in production."""

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
