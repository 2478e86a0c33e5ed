"""What a title speaks of: the address of a login, the domain of a sinkhole, the malware, the query, the account."""

from __future__ import annotations

import re
from dataclasses import replace

from router.destinations.wording.briefing import Briefing, Fact
from router.destinations.wording.headlines import headline_of
from router.destinations.wording.screen_lines import one_line, shortened
from router.domain.memoize import remembered

_MOST, _TELLING = 4, 2  # facts of a subject, and those that a summary tells
_SHORTEST, _LONGEST = 20, 200  # characters of a subject in a summary

_FROM = ("Locations", "Attackers", "IP addresses", "Accounts")
_BY = ("Commands", "Processes", "Queries")

_SPOKEN_OF = (
    (r"malware|malicious file|virus|trojan|\bworm|eicar", ("Malware", "Blobs")),
    (r"domain|\bdns\b|sinkhole", ("Domains",)),
    (r"phish|\burls?\b|web ?(?:page|site|app|shell|finger)|scanner", ("URLs", "Domains", "User agents")),
    (r"sql|quer|injection|payload", ("Queries",)),
    (r"registry", ("Registry values", "Registry keys")),
    (r"log[ -]?(?:in|on|ged)|sign(?:ed)?[ -]?in|brute|spray|authenticat|\brdp\b|\bssh\b", _FROM),
    (r"account creation|new user|addition of", ("Accounts", "Commands", "Processes")),
    (
        r"command|script|shell|process|execut|running|\.exe\b|min(?:er|ing)\b|ransom|dropper|dump",
        ("Commands", "Processes"),
    ),
    (r"\bips?\b|address|location|\btor\b|proxy|anonym|countr|data|cloud provider|access|volume|session", _FROM),
    (r"image|registr|min(?:er|ing)\b", ("Images", "Image")),
    (r"files?\b|upload|blob|delet|storage", ("Blobs", "Storage containers", "Commands", "Processes", "Files", "URLs")),
    (r"malware|ransom|trojan|backdoor|binary", ("Files",)),
    (r"secret|vault|certificate|(?<!registry )\bkeys?\b", ("Secrets", "Accounts")),
    (
        r"user|account|principal|identit|credential|password|operation|invocation|\bapi\b",
        ("Accounts", "Operations", *_FROM),
    ),
    (r"\brole|binding|permission|privilege", ("Roles", "Service accounts", "Accounts")),
    (
        r"container|\bpods?\b|namespace|kubernetes|\bk8s|service|dashboard|webhook",
        ("Services", "Workloads", "Pods", "Containers", "Images"),
    ),
    (r"connect|communicat|network|traffic|machine|outgoing|incoming|\bscan", ("Domains", "Connections", *_FROM)),
    (r"injection|attack|exploit|attempt|block", ("URLs", *_FROM)),
    (r"applicat", ("Applications",)),
    (r"mail|phish", ("Emails", "Mailboxes")),
    (r"threat", ("Threats",)),
    (r"update|vulnerab|cve|image", ("Package", "CVEs", "Image")),
)
"""What words of a title speak of, by the names of facts; the first rows go before others."""

_WORDS = tuple((re.compile(words, re.IGNORECASE), names) for words, names in _SPOKEN_OF)


@remembered
def _names_in(title: str) -> tuple[str, ...]:
    """The names of the facts that a title speaks of, each once."""
    return tuple(dict.fromkeys(name for words, names in _WORDS if words.search(title) for name in names))


def subject_of(briefing: Briefing) -> tuple[Fact, ...]:
    """The facts that the title speaks of, as far as they are known; else how it was done, or who did it."""
    facts = {fact.name: fact for fact in briefing.evidence}
    # An address stands before its place.
    placed = {value.partition(": ")[0] for value in (facts["Locations"].values if "Locations" in facts else ())}
    names = [
        name for name in _names_in(briefing.notice.title) if name in facts and not placed.issuperset(facts[name].values)
    ]
    known = names or [name for name in _BY if name in facts] or [name for name in _FROM if name in facts]
    return tuple(facts[name] for name in known[:_MOST])


def summary_of(briefing: Briefing, limit: int) -> str:
    """The headline in at most `limit` characters, with the subject behind the title as far as there is room for it."""
    parts = headline_of(briefing.notice)
    values = (one_line(fact.values[0]) for fact in subject_of(briefing)[:_TELLING])
    subject = ", ".join(value for value in values if value and value not in parts.location)
    whole = parts.within(limit)
    room = min(limit - len(whole) - len(": "), _LONGEST)
    if not subject or room < min(len(subject), _SHORTEST):
        return whole
    return replace(parts, title=f"{parts.title}: {shortened(subject, room)}").within(limit)
