"""Takes messages in: a batch of them becomes rows of the ledger, deliveries in the outbox and entries of the record.

messages        what a message says: observations of signals, and what cannot be taken
observations    signals as they were seen, and the order in which their states held; pure
transitions     what an observation makes of its signal's row: a repeat, or the next turn; pure
intake          takes a batch through all of it, each step safe to repeat
event_intake    takes what a hub holds, each event once, whatever dies meanwhile; with epochs, poison and exclusive beside it
gaps            finds sequence numbers that nobody took in, and takes them or reports them lost
held            decides again what a suppression rule held, when the rule ends
waiting_groups  lets groups open that waited for room under a limit
"""
