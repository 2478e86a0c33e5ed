"""The process from which the others begin: it has imported the router, and forks once for each that is asked for."""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from tests.leash import leashed

_LARGEST = 1 << 20
_DESCRIPTORS = 5


def main() -> None:
    """Begins processes until whoever asks for them has hung up, or is gone; then those end, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=int(sys.argv[1]))
    rooms = pkgutil.walk_packages(importlib.import_module("router").__path__, "router.")
    for module in (*sys.argv[2:], *(one.name for one in rooms if not one.name.endswith("__main__"))):
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    woken, waking = os.pipe()
    for one in (woken, waking):
        os.set_blocking(one, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waking)
    ending: dict[int, int] = {}
    while True:
        ready = select.select([connection.fileno(), woken], [], [])[0]
        if woken in ready:
            os.read(woken, 64)
            _say_who_ended(ending)
        if connection.fileno() in ready:
            asked, descriptors, *_ = socket.recv_fds(connection, _LARGEST, _DESCRIPTORS)
            if not asked:
                return
            pid = os.fork()
            if pid == 0:
                _become(json.loads(asked), descriptors)
            ending[pid] = descriptors[3]
            for one in {*descriptors} - {descriptors[3]}:
                os.close(one)
            connection.send(str(pid).encode())


def _say_who_ended(ending: dict[int, int]) -> None:
    for pid in list(ending):
        gone, status = os.waitpid(pid, os.WNOHANG)
        if gone:
            os.write(ending[pid], os.waitstatus_to_exitcode(status).to_bytes(4, signed=True))
            os.close(ending.pop(pid))


def _become(asked: Mapping[str, Any], descriptors: Sequence[int]) -> NoReturn:
    """Runs a module as `python -m` would, and ends without taking apart what was imported before."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    leashed()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ends, further = descriptors[:3], descriptors[4:]
    for number, end in enumerate(ends):
        os.dup2(end, number)
    for one in descriptors[:4]:
        os.close(one)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    module, *words = asked["words"]
    sys.argv = [module, *(word.replace("{}", "".join(map(str, further))) for word in words)]
    sys.path[:0] = [asked["cwd"], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    through = bool(os.environ.get("PYTHONUNBUFFERED"))
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        errors = "backslashreplace" if name == "stderr" else "strict"
        stream = open(number, "w" if number else "r", encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        if number:
            stream.reconfigure(line_buffering=stream.isatty() or number == 2, write_through=through)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    code: object = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end_of_it:
        code = end_of_it.code
    except BaseException:  # noqa: BLE001  As the interpreter does.
        sys.excepthook(*sys.exc_info())
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else bool(code))


if __name__ == "__main__":
    main()
