"""What can be written where clusters may be asked: `--context` and `--kubeconfig`."""

from __future__ import annotations

from router.cli.argument_parser import Parser
from router.cli.argument_types import file_in

_CONTEXT = (
    "ask the cluster of that context of the kubeconfig, and read only; again for another one, and with * or ? for several. "
    "NAME= says what Azure calls the cluster, where its context is called otherwise"
)
_KUBECONFIG = "the kubeconfig of the contexts (default: those that KUBECONFIG lists, else ~/.kube/config)"


def add_contexts(parser: Parser) -> None:
    """Adds `--context` and `--kubeconfig`."""
    parser.add_argument("--context", metavar="[NAME=]CONTEXT", action="append", default=[], help=_CONTEXT)
    parser.add_argument("--kubeconfig", metavar="FILE", type=file_in, help=_KUBECONFIG)
