"""How each `--help` ends: examples to copy, and what the exit codes mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

PROGRAM = "alert-router"


class HelpText(NamedTuple):
    """What stands below the options of a command.

    Attributes:
        examples: command lines to copy, each with what it does.
        found: what exit code 1 means; None where the command has none.
        failed: what exit code 2 means.
    """

    examples: Mapping[str, str]
    found: str | None = None
    failed: str = "could not be done; one line on standard error says why"


_DIED = "done, but a delivery died, or a row of the state was set aside"
_FAULTY = "done, and there is a problem"
_LACKING = "could not start or go on; or all else was done, but a destination lacks a setting that it had before"

HELP: Mapping[str, HelpText] = {
    "": HelpText(
        {
            "alert-router demo": "see what it does, on samples",
            "alert-router rules check": "look at the rules in rules/",
            "alert-router run --dry-run alerts.ndjson": "decide what is in a file; nothing is sent",
        },
        "done, and it found what it looks for: a problem, a failed example, a dead delivery",
    ),
    "init": HelpText(
        {
            "alert-router init my-rules": "rules to start from, an alert to try them on, and a workflow",
            "alert-router init . --from git+https://HOST/OWNER/alert-router@COMMIT": "say what the workflow checks with",
        }
    ),
    "run": HelpText(
        {
            "alert-router run alerts.ndjson findings.csv": "route two files",
            "alert-router run --dry-run --now 2027-01-01T00:00:00Z alerts.ndjson": "decide as of another day; send nothing",
            "az graph query -q QUERY | alert-router run --stream cspm -": "route what another program prints",
        },
        _DIED,
        _LACKING,
    ),
    "demo": HelpText({"alert-router demo": "route the samples; the state is kept in .state/demo"}, _DIED, _LACKING),
    "explain": HelpText(
        {
            "alert-router explain alert.json": "each step of each decision",
            "alert-router explain alert.json --notice oncall": "what the destination oncall is told",
            "alert-router explain alert.json --state .state": "the same, with the silences of that state",
            "alert-router explain 2517_ab12cd --state .state": "the life of that signal, and why it paged nobody",
            "alert-router explain INC0010009": "of the signal that a ticket tells of",
        },
        failed="could not be done, or no signal is meant, or more than one; one line on standard error says why",
    ),
    "rules": HelpText(
        {"alert-router rules check": "what is wrong", "alert-router rules test": "whether the examples come true"},
        "done, and there is a problem, or an example failed",
    ),
    "rules check": HelpText(
        {
            "alert-router rules check": "the rules in rules/",
            "alert-router rules check --strict --format github": "beside the lines of a pull request",
            "alert-router rules check --now 2027-03-01T00:00:00Z": "what will have ended by then",
        },
        f"{_FAULTY}, or with --strict a warning",
    ),
    "rules test": HelpText(
        {
            "alert-router rules test": "the examples in rules/",
            "alert-router rules test mine --format junit > examples.xml": "for GitLab, Azure DevOps or Jenkins",
        },
        "done, and an example failed, or there is a problem",
    ),
    "rules list": HelpText(
        {
            "alert-router rules list --expiring 30d": "which rules and silences end soon",
            "alert-router rules list --name scanner-sql-bruteforce": "what a rule has held, and who is told when it ends",
            "alert-router rules list --state .state --unused 30d": "which held nothing for so long, or never",
            "alert-router rules list --format json": "all of them, for programs",
        }
    ),
    "rules preview": HelpText(
        {
            "alert-router rules preview rules/cwpp/suppressions/scanner.json": "of what was decided in the last 30 days",
            "alert-router rules preview new.yaml --stream cwpp --since 7d": "of the last 7 days, wherever the file stands",
            "alert-router rules preview new.yaml --stream cwpp --fail-on High": "end with 1 if that would have been held",
            "alert-router rules preview new.yaml --stream cspm": "of a file that stands elsewhere",
        },
        "done, and it would have held, or would hold now, a signal as grave as --fail-on says",
    ),
    "rules schema": HelpText(
        {
            "alert-router rules schema --out .schemas": "a file for each, for editors",
            "alert-router rules schema policy": "print one",
        }
    ),
    "coverage": HelpText(
        {
            "alert-router coverage check azure payments=payments.json": "what az printed, and kubectl of payments",
            "alert-router coverage init azure --out rules/coverage.yaml": "write down what is expected",
        }
    ),
    "coverage check": HelpText(
        {
            "alert-router coverage check pricings.json clusters.json payments=payments.json": "what az and kubectl printed",
            "alert-router coverage check azure payments=payments ledger=ledger": "a directory each of Azure and two clusters",
            "alert-router coverage check azure --context payments --context 'aks-*'": "ask clusters instead of kubectl",
            "alert-router coverage check azure --allow-unknown": "gaps alone fail, for those who begin",
            "alert-router coverage check --state .state": "what a router knows, from messages and drills, without any file",
            "alert-router coverage check --live payments=payments.json": "ask Azure, beside what kubectl printed",
        },
        "done, and there is a gap",
        "something is unknown, could not be read, or there was nothing to judge",
    ),
    "coverage report": HelpText(
        {
            "alert-router coverage report azure payments=payments.json --out coverage.html": "a page to show, of the same files"
        }
    ),
    "coverage init": HelpText(
        {
            "alert-router coverage init azure payments=payments.json": "print a draft of what is expected",
            "alert-router coverage init azure --out rules/coverage.yaml": "write it, unless there is a file",
            "alert-router coverage init --live --context 'aks-*'": "of what Azure and clusters answer, without any file",
        }
    ),
    "drill": HelpText(
        {
            "alert-router drill --subscription ID --bundle VirtualMachines": "of the router of that state; it asks first",
            "alert-router drill --subscription ID --bundle KeyVaults --yes --heartbeat": "by a schedule",
            "alert-router drill --cluster aks-payments": "the test alert of a cluster, a real one",
        },
        "done, and the drill failed, did not prove all, or nobody could be told that it passed",
        "nothing was raised: nobody is signed in, or wanted it; one line on standard error says why",
    ),
    "attack": HelpText({"alert-router attack layer": "what of ATT&CK nobody hears of, of the state in .state"}),
    "attack layer": HelpText(
        {
            "alert-router attack layer": "a table of the blind spots, by the last 30 days of the state in .state",
            "alert-router attack layer --since 90d --out layer.json": "a layer for the Navigator",
            "alert-router attack layer decisions.ndjson --format json > layer.json": "from a decisions file",
        }
    ),
    "silences": HelpText(
        {
            "alert-router silences add --host web-1 --for 2h --reason 'patching, CHG-1234'": "two hours without web-1",
            "alert-router silences list": "what is silenced, the soonest end first",
        }
    ),
    "silences add": HelpText(
        {
            "alert-router silences add --host web-1 --for 2h --reason patching": "what names the machine web-1",
            "alert-router silences add --resource sql-prod --for 4h --reason CHG-12": "a resource",
            "alert-router silences add --type VM_X --entity ip.address=10.0.0.0/24 --for 1d --reason scan": "a range",
            "alert-router silences add --resource 'web-*' --every 'Sat 02:00-04:00 UTC' --for 60d --reason CHG-13": "weekly",
        }
    ),
    "silences list": HelpText(
        {
            "alert-router silences list": "what is silenced, and what is going to be",
            "alert-router silences list --expired --format json": "what was, for programs",
        }
    ),
    "silences extend": HelpText(
        {"alert-router silences extend 4f2a --for 2h": "two hours longer; an id may be shortened"}
    ),
    "silences end": HelpText({"alert-router silences end 4f2a": "now; what it holds and still stands comes out"}),
    "state": HelpText(
        {
            "alert-router state": "of the state in .state",
            "alert-router state --state postgresql://soc@HOST/alerts --format json": "of a state in PostgreSQL",
        }
    ),
    "state upgrade": HelpText(
        {
            "alert-router state upgrade --state postgresql://soc@HOST/alerts": "begin a state in a database of its own",
        }
    ),
    "state backup": HelpText(
        {"alert-router state backup /backups/alerts.db": "of the state in .state, also beside a run"}
    ),
    "dead-letters": HelpText(
        {
            "alert-router dead-letters list": "what was given up on",
            "alert-router dead-letters redrive --all": "try all of it again",
        }
    ),
    "dead-letters list": HelpText({"alert-router dead-letters list --state .state": "by when they were given up on"}),
    "dead-letters show": HelpText({"alert-router dead-letters show 4f2a": "an id may be shortened"}),
    "dead-letters redrive": HelpText(
        {
            "alert-router dead-letters redrive 4f2a 77c1": "two of them; the next run sends them",
            "alert-router dead-letters redrive --all": "all of them",
        }
    ),
    "dead-letters discard": HelpText({"alert-router dead-letters discard 4f2a": "forget one"}),
    "quarantine": HelpText(
        {
            "alert-router quarantine list": "what was not understood",
            "alert-router quarantine retake --all": "read all of it again",
        }
    ),
    "quarantine list": HelpText({"alert-router quarantine list --format json": "for a program"}),
    "quarantine show": HelpText({"alert-router quarantine show 4f2a": "an id may be shortened"}),
    "quarantine retake": HelpText({"alert-router quarantine retake 4f2a": "one of them, with today's code"}),
    "quarantine discard": HelpText({"alert-router quarantine discard --all": "forget all of it"}),
    "destinations": HelpText(
        {
            "alert-router destinations list": "how each is: held, paused, owed, dead",
            "alert-router destinations hold oncall --for 2h --reason 'the pager is moved'": "nobody is paged meanwhile",
        },
    ),
    "destinations list": HelpText(
        {
            "alert-router destinations list --stream cwpp": "those of alerts",
            "alert-router destinations list --format json": "for a program",
        }
    ),
    "destinations hold": HelpText(
        {
            "alert-router destinations hold oncall --for 2h --reason 'the pager is moved'": "2 hours from now",
            "alert-router destinations hold tickets --stream cspm --for 1h30m --reason CHG-17": "a queue of tickets",
        }
    ),
    "destinations release": HelpText(
        {"alert-router destinations release oncall": "before the hold ends by itself, or a pause"}
    ),
    "send": HelpText(
        {"alert-router send --to cwpp alerts.ndjson": "publish a file to the hub cwpp"}, "the hub did not take all"
    ),
    "serve": HelpText(
        {"alert-router serve --rules rules": "until Ctrl-C or SIGTERM"},
        failed="could not start; one line on standard error says why",
    ),
    "completion": HelpText(
        {
            "alert-router completion bash > ~/.local/share/bash-completion/completions/alert-router": "for the next shell",
            "alert-router completion zsh > ~/.zfunc/_alert-router": "where ~/.zfunc is in $fpath",
            "alert-router completion fish > ~/.config/fish/completions/alert-router.fish": "for the next shell",
        }
    ),
}
"""By the words behind the program's name."""

_INTERRUPTED = {"130": "interrupted by Ctrl-C", "141": "nobody reads what it says", "143": "terminated"}


def epilog_for(program: str) -> str | None:
    """How the help of a program such as `alert-router rules check` ends; None where nothing is written of it."""
    text = HELP.get(program.removeprefix(PROGRAM).strip())
    if text is None:
        return None
    codes = {"0": "done", **({"1": text.found} if text.found else {}), "2": text.failed, **_INTERRUPTED}
    width = max(map(len, text.examples))
    examples = [f"  {line.ljust(width)}  # {what}" for line, what in text.examples.items()]
    return "\n".join(
        ["examples:", *examples, "", "exit codes:", *(f"  {code.ljust(3)}  {what}" for code, what in codes.items())]
    )
