"""The alert router: Microsoft Defender for Cloud's exports in, a reasoned decision out, delivered.

Rooms, in the order in which a message walks through them, and the ground floor they stand on:

    eventhubs/     read, consume, publish
    parse/         bytes -> Alert | Finding | Quarantined                     pure
    rulebook/      rules/ -> Rulebook, and every problem with file and line
    decide/        (signal, rulebook, silences, now) -> Decision, Notice, explanation   pure
    ingest/        a batch of messages -> one transaction, with windows, limits and incidents in grouping/; on a clock, which
                   expected sources are silent
    store/         signals, decisions, deliveries, groups, what was taken of a hub, quarantine, documents (silences, holds, what
                   rules went through), in one SQL over two engines
    deliver/       claim, send, settle, retry, pause: the only network I/O to destinations
    destinations/  one file or folder for each kind; what they share in wording/                 pure
    coverage/      documents of Azure, kubectl and the state -> which workloads Defender watches; in live/, what to ask
                   Azure and clusters for them; in drill/, a test alert that is followed to every destination   pure
    telemetry/     metrics, traces and log records, derived from what rooms returned
    app/           settings, wiring, service, maintenance on a clock, what people hear of rules, health
    cli/           alert-router ...
    domain/        the ground floor: words as frozen values, protocols, errors
"""
