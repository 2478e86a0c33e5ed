"""The alert router: Microsoft Defender for Cloud's exports in, a reasoned decision out, delivered.

Three rooms, in the order in which a message walks through them, and the ground floor they stand on:

    accept/        bytes -> Alert | Finding | Quarantined                     pure
    decide/        (signal, rulebook, now) -> Decision, and the Notice of it  pure
    deliver/       sending, retry, dead letters: the only network I/O to destinations

    destinations/  one file per kind of destination                           pure
    rulebook/      rules/ -> Rulebook, and every problem with file and line
    store/         where ledger, outbox, record, quarantine and journal are kept
    hub/           Event Hubs: read again, consumed, published to
    telemetry/     metrics, traces and log records, derived from what rooms returned
    readings.py    what a message says: the signals in it, and what cannot be taken
    sightings.py   signals as they were seen, and the order in which their states held      pure
    folding.py     what a signal makes of its ledger row: a repeat, or its next turn        pure
    grouping/      takes turns into groups: who is alike, what a turn makes of a group, what is told of it
    intake.py      takes a batch through all of it, asks the ledger, fills the outbox
    taking/        takes in what a hub holds, each event once, whatever dies meanwhile
    watch/         what runs on a clock: holes in the journal, what nobody points at, what rules and limits held
    health.py      what works and what is late
    service.py     the router at work behind hubs and queues, for triggers and `serve`; once.py opens it at its first use,
                   and drain.py brings it to its end in order
    assembly/      the only wiring; settings.py is the only reader of the environment
    cli/           alert-router ...
    domain/        the ground floor: words as frozen values, protocols, errors
"""
