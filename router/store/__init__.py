"""Where ledger, outbox, record and quarantine are kept."""
