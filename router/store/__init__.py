"""Where everything is kept, in SQL: a module of functions for each topic, which take a transaction.

store                   the state, its transactions, and what differs between the engines; steps/: the tables
sqlite                  the file that one machine keeps; permissions: who may read it, and the witness of what it lost
postgresql              a server; bulk: one statement for many rows; conninfo: its address, and how it is connected to

ledger, signals         the latest state of each signal, what holds it, what rules can match of it
decisions               decisions on record, and what finds their signals; counts: how many of which sort each hour had
groups                  groups, their members, the alerts that incidents name, and openings
deliveries              what is owed, and its rows; claims: claiming and settling; dead_letters: what was given up on
delivery_lifecycle      the states of a delivery, and which of a signal's is next
delivery_status         how far deliveries have come, and what is due; destinations: who refuses our credentials, and is probed
partitions              what of a hub is taken in, tried and lost, and which process reads which partition
snapshots               the days on which the snapshots of a subscription came, and what came in neither of two
sources, rules          when each source was last heard of, and which are silent; since when rules are known, and their hits
documents, quarantine   silences, holds, facts; what was not understood, and rows that cannot be read
sessions                who is signed in to the console
forgetting, retention   what is old enough to go, and how long each thing stays; describing: the report on a state

codec                   values as columns hold them, and the columns of a row as values again; words.txt: what bodies have
"""
