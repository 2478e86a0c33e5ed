"""The alert router: Microsoft Defender for Cloud's exports in, a reasoned decision out, delivered.

Rooms, in the order in which a message walks through them, and the ground floor they stand on:

    eventhubs/     read, consume, publish
    parse/         bytes -> Alert | Finding | Quarantined                     pure
    rulebook/      rules/ -> Rulebook, and every problem with file and line
    decide/        (signal, rulebook, silences, now) -> Decision, Notice, explanation   pure
    ingest/        a batch of messages -> one transaction; grouping/ inside: windows, limits, incidents
    store/         signals, decisions, deliveries, groups, hubs, quarantine, documents, in one SQL over two engines
    deliver/       claim, send, settle, retry, pause: the only network I/O to destinations
    destinations/  a file for each kind, with what it alone needs beside it; words in wording/   pure
    coverage/      which workloads Defender watches, whole: what is expected, documents, asking/ Azure and clusters for them,
                   judges/, report/, commands/; in drill/, a test alert that is followed to every destination
    telemetry/     metrics, traces and log records, derived from what rooms returned
    app/           settings, wiring, service, the clock, health; what people ask of a state and what they do to it
    console/       the web console: what stands and why, and what a person may do about it
    cli/           alert-router ...
    domain/        the ground floor: words as frozen values, protocols, errors
"""

__version__ = "0.1.0"
