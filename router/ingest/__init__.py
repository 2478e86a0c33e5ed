"""Takes messages in: a batch of them becomes signals, deliveries and decisions on record.

messages        reads a message into observations of signals, or into why it is not understood
observations    signals as messages describe them, and the order in which their states held; pure
transitions     what an observation changes in its signal's row, and which destinations its turn notifies; pure
state_cache     silences and rulebooks by tags, as every worker knows them
intake          ingests a batch of messages in one transaction; decides again what was held, when that ends
event_intake    ingests the events of a hub, each exactly once, and quarantines one that kills its worker
gaps            finds sequence numbers that were not taken in, and ingests them or reports them lost
coverage_notes  keeps what messages say of coverage: coverage_facts, coverage_mentions
snapshot_ends   ends the findings that two snapshots of their subscription came without
silent_sources  finds expected sources that are silent       source_messages  the messages that say so; pure
"""
