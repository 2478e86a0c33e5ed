"""The protocols that rooms are written against, one file for each user.

destinations    a kind of destination: `rulebook/`, `deliver/`
ingest          ledger, record, quarantine; a hub: `ingest/`
deliver         outbox, queues, observers: `deliver/`
store           all stores together: `app/`, `cli/`
"""
