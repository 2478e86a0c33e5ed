"""The alert router: Microsoft Defender for Cloud's exports in, a reasoned decision out, delivered.

Three rooms, in the order in which a message walks through them, and the ground floor they stand on:

    accept/        bytes -> Alert | Finding | Quarantined                     pure
    decide/        (signal, rulebook, now) -> Decision, and the Notice of it  pure
    deliver/       sending, retry, dead letters: the only network I/O to destinations

    destinations/  one file per kind of destination                           pure
    rulebook/      rules/ -> Rulebook, and every problem with file and line
    store/         where ledger, outbox, record and quarantine are kept
    intake.py      takes a batch through accept and decide, asks the ledger, fills the outbox
    watch/         what runs on a clock: what a rule held comes out when the rule ends
    assembly.py    the only wiring; settings.py is the only reader of the environment
    cli/           alert-router ...
    domain/        the ground floor: words as frozen values, protocols, errors
"""
