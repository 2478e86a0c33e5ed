-- The tables of the state, as PostgreSQL writes them. `sqlite.py` says what SQLite makes of it: PLACE numbers the rows of a table.
-- Instants are microseconds since 1970, UTC.

-- `since` is when it began to stand, routed or held, and is kept once it is over. What rules can match and a body that is held
-- come last: who asks for the rest reads over neither.
CREATE TABLE IF NOT EXISTS signals (
    place BIGINT NOT NULL, enqueued BIGINT, changed BIGINT, heard BIGINT, closed_at BIGINT, review_at BIGINT, since BIGINT,
    part INTEGER NOT NULL, severity INTEGER, turn INTEGER NOT NULL,
    resolved INTEGER NOT NULL, deleted INTEGER NOT NULL, forwarded INTEGER NOT NULL,
    key TEXT PRIMARY KEY, stream TEXT NOT NULL, status TEXT, measure TEXT, origin TEXT NOT NULL,
    outcome TEXT NOT NULL, open TEXT NOT NULL, grouped TEXT NOT NULL,
    owner TEXT, cluster TEXT, subscription TEXT, kind TEXT, named BIGINT, in_snapshot BIGINT, snapshot_days TEXT,
    held_by TEXT, held_until BIGINT, held_since BIGINT, held_messages BIGINT, held_rulebook TEXT, held_source TEXT,
    type TEXT NOT NULL, rule_fields BYTEA, held_body BYTEA,
    CHECK ((held_by IS NULL) = (held_until IS NULL))
);

-- What a turn tells, once for all its deliveries.
CREATE TABLE IF NOT EXISTS notices (
    key TEXT NOT NULL, turn INTEGER NOT NULL, type TEXT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (key, turn, type)
);

CREATE TABLE IF NOT EXISTS deliveries (
    place PLACE, born BIGINT NOT NULL, due BIGINT NOT NULL, settled BIGINT, turn INTEGER NOT NULL, opened INTEGER NOT NULL,
    attempts INTEGER NOT NULL, redriven INTEGER NOT NULL, lost INTEGER NOT NULL DEFAULT 0,
    id TEXT NOT NULL, stream TEXT NOT NULL, destination TEXT NOT NULL, lane TEXT NOT NULL, key TEXT NOT NULL,
    change TEXT NOT NULL, type TEXT NOT NULL, state TEXT NOT NULL, receipt BYTEA, error TEXT, trace TEXT,
    reference TEXT, errors TEXT, claim TEXT
);
-- Each delivery is written three times within seconds: the dead rows of that go soon.
--postgresql ALTER TABLE deliveries SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

-- A destination that refuses our credentials is paused. Under its name, a colon and a secret's is an owner's key that it refused.
CREATE TABLE IF NOT EXISTS destinations (
    stream TEXT NOT NULL, name TEXT NOT NULL, lane TEXT, paused_since BIGINT, probe_at BIGINT, error TEXT,
    delivered BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (stream, name)
) WITHOUT ROWID;

-- `message` is the key of the message where that is another: of a further decision on it. What is not known is empty.
CREATE TABLE IF NOT EXISTS decisions (
    place PLACE, at BIGINT NOT NULL, turn INTEGER, key TEXT NOT NULL UNIQUE, message TEXT, signal TEXT,
    stream TEXT NOT NULL, outcome TEXT NOT NULL,
    severity TEXT NOT NULL, plan TEXT NOT NULL, type TEXT NOT NULL, rule TEXT NOT NULL, body BYTEA NOT NULL
);

-- What finds a signal, and what says how often the same happened at a resource: `at` was the latest decision that was no repeat.
CREATE TABLE IF NOT EXISTS lookups (
    at BIGINT NOT NULL, signal TEXT PRIMARY KEY, stream TEXT NOT NULL, id_end TEXT NOT NULL, resource_end TEXT,
    id TEXT NOT NULL, resource TEXT, type TEXT, sample INTEGER
) WITHOUT ROWID;

-- A cell may be longer than an index holds: its row is found by a digest of it.
CREATE TABLE IF NOT EXISTS counts (
    hour BIGINT NOT NULL, id TEXT NOT NULL, cell TEXT NOT NULL, count BIGINT NOT NULL, PRIMARY KEY (hour, id)
) WITHOUT ROWID;

-- Of a suppression rule, a shadow rule or a silence: since when it is known, or was missing first, and what it held.
CREATE TABLE IF NOT EXISTS rules (
    stream TEXT NOT NULL, name TEXT NOT NULL, known_since BIGINT, gone_since BIGINT,
    hits BIGINT NOT NULL DEFAULT 0, first_hit BIGINT, last_hit BIGINT,
    PRIMARY KEY (stream, name)
) WITHOUT ROWID;

-- What people heard of the lives of rules, silences and holds, `at` when, and `until` when it may come up again.
CREATE TABLE IF NOT EXISTS told (
    stream TEXT NOT NULL, event TEXT NOT NULL, at BIGINT NOT NULL, until BIGINT NOT NULL,
    PRIMARY KEY (stream, event)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, id TEXT NOT NULL, at BIGINT NOT NULL, body BYTEA NOT NULL, version BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- What people did. The subject is the id of a silence, a delivery or an entry in quarantine, or a destination's name.
CREATE TABLE IF NOT EXISTS changes (
    place PLACE, at BIGINT NOT NULL, author TEXT NOT NULL, action TEXT NOT NULL, stream TEXT, subject TEXT NOT NULL,
    reason TEXT NOT NULL, detail TEXT NOT NULL
);

-- Who is signed in to the console: `id` and `attempt` are digests of what a browser has.
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, attempt TEXT NOT NULL UNIQUE, name TEXT NOT NULL, subject TEXT NOT NULL, role TEXT NOT NULL,
    since BIGINT NOT NULL, seen BIGINT NOT NULL, until BIGINT NOT NULL
);

-- When each source was last heard of, by sort, and when that was `written` last; of each sort of watcher with the type of its last alert.
-- `silent_since` is set where people were told that it is silent; `since` where it is expected and was never heard of.
CREATE TABLE IF NOT EXISTS sources (
    kind TEXT NOT NULL, id TEXT NOT NULL, subject TEXT NOT NULL, plan TEXT NOT NULL, subscription TEXT,
    written BIGINT NOT NULL, heard BIGINT NOT NULL, posture BIGINT, snapshot BIGINT, healthy BIGINT, alert BIGINT, real_alert BIGINT,
    node_sensor BIGINT, audit_log BIGINT, sql_sensor BIGINT, azure BIGINT, other BIGINT,
    node_sensor_type TEXT, audit_log_type TEXT, sql_sensor_type TEXT, azure_type TEXT, other_type TEXT,
    since BIGINT, healthy_since BIGINT, silent_since BIGINT, missing_since BIGINT, allowed BIGINT,
    turn BIGINT NOT NULL DEFAULT 0, name TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (kind, id)
) WITHOUT ROWID;

-- When rows of snapshots of a subscription's findings came on a day, counted from 1970, and, once it is judged, whether their
-- snapshot counts.
CREATE TABLE IF NOT EXISTS snapshots (
    subscription TEXT NOT NULL, day BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL, counts BIGINT,
    PRIMARY KEY (subscription, day)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS quarantine (
    id TEXT PRIMARY KEY, source TEXT NOT NULL, stream TEXT, at BIGINT NOT NULL,
    origin TEXT NOT NULL, place BIGINT NOT NULL, part BIGINT NOT NULL, enqueued BIGINT,
    code TEXT NOT NULL, words TEXT NOT NULL, at_fault TEXT, body BYTEA NOT NULL
);

-- The row of a destination is the lock of its groups, members, named alerts and openings.
CREATE TABLE IF NOT EXISTS admissions (
    stream TEXT NOT NULL, destination TEXT NOT NULL, PRIMARY KEY (stream, destination)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS groups (
    stream TEXT NOT NULL, destination TEXT NOT NULL, key TEXT NOT NULL,
    window_key TEXT, is_open BIGINT NOT NULL, waits TEXT, sample BIGINT NOT NULL, gravity BIGINT NOT NULL,
    standing BIGINT NOT NULL, total BIGINT NOT NULL, note_due BIGINT, at BIGINT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (stream, destination, key)
);
--postgresql ALTER TABLE groups SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);

CREATE TABLE IF NOT EXISTS members (
    stream TEXT NOT NULL, destination TEXT NOT NULL, signal TEXT NOT NULL,
    group_key TEXT NOT NULL, turn BIGINT NOT NULL, stands BIGINT NOT NULL, group_turn BIGINT, at BIGINT NOT NULL,
    PRIMARY KEY (stream, destination, signal)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS named_alerts (
    stream TEXT NOT NULL, destination TEXT NOT NULL, key TEXT NOT NULL, group_key TEXT NOT NULL, until BIGINT NOT NULL,
    PRIMARY KEY (stream, destination, key)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS openings (
    place PLACE, stream TEXT NOT NULL, destination TEXT NOT NULL, at BIGINT NOT NULL,
    pager TEXT, sample BIGINT NOT NULL, beyond BIGINT NOT NULL, gravity BIGINT NOT NULL
);

-- Partitions of hubs: `epoch` counts how often the hub was created, `begins` is the number from which on each must be taken in,
-- `owner` reads the partition outside Functions.
CREATE TABLE IF NOT EXISTS partitions (
    hub TEXT NOT NULL, partition TEXT NOT NULL, epoch BIGINT NOT NULL, created BIGINT, begins BIGINT,
    owner TEXT NOT NULL, claim TEXT NOT NULL,
    PRIMARY KEY (hub, partition)
) WITHOUT ROWID;

-- Sequence numbers that were taken in, in ranges with a gap between them: the hub got the last at `enqueued`, the first were
-- taken in `since` then, and more of them `at` last.
CREATE TABLE IF NOT EXISTS taken (
    hub TEXT NOT NULL, partition TEXT NOT NULL, epoch BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
    enqueued BIGINT NOT NULL, since BIGINT NOT NULL, at BIGINT NOT NULL,
    PRIMARY KEY (hub, partition, epoch, first)
) WITHOUT ROWID;

-- The one range that a process tries to take in, or died of.
CREATE TABLE IF NOT EXISTS tries (
    process TEXT PRIMARY KEY, hub TEXT NOT NULL, partition TEXT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
    began BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS losses (
    hub TEXT NOT NULL, partition TEXT NOT NULL, epoch BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL,
    at BIGINT NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (hub, partition, epoch, first)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS sweeps (
    hub TEXT PRIMARY KEY, at BIGINT NOT NULL
);

CREATE TABLE IF NOT EXISTS meta (
    name TEXT PRIMARY KEY, value TEXT NOT NULL
);

CREATE INDEX IF NOT EXISTS reviewing ON signals (review_at);
-- A severity that is not known counts as the gravest.
CREATE INDEX IF NOT EXISTS standing ON signals (stream, (CASE WHEN severity BETWEEN 1 AND 5 THEN severity ELSE 6 END), since, key)
    WHERE resolved=0 AND outcome IN ('routed', 'suppressed');
CREATE INDEX IF NOT EXISTS holding ON signals (stream, held_by, COALESCE(severity, 6), since, key) WHERE held_by IS NOT NULL;
CREATE INDEX IF NOT EXISTS held_until ON signals (stream, held_until) WHERE held_by IS NOT NULL;
CREATE INDEX IF NOT EXISTS held_under ON signals (stream, held_rulebook) WHERE held_by IS NOT NULL;
CREATE INDEX IF NOT EXISTS named ON signals (subscription, kind, named) WHERE resolved=0 AND subscription IS NOT NULL;
CREATE INDEX IF NOT EXISTS appeared ON signals (subscription, key) WHERE subscription IS NOT NULL;

CREATE INDEX IF NOT EXISTS due ON deliveries (stream, destination, due) WHERE state IN ('owed', 'claimed');
CREATE INDEX IF NOT EXISTS open_turns ON deliveries (key, destination, turn) WHERE state IN ('owed', 'claimed');
CREATE UNIQUE INDEX IF NOT EXISTS turns ON deliveries (key, destination, turn);
CREATE INDEX IF NOT EXISTS dead_ids ON deliveries (id) WHERE state = 'dead';
CREATE INDEX IF NOT EXISTS dead ON deliveries (stream, destination, COALESCE(settled, 0), place) WHERE state = 'dead';
CREATE INDEX IF NOT EXISTS died ON deliveries (COALESCE(settled, 0), place) WHERE state = 'dead';
-- Of what a destination took lately a report asks how much that was, and how soon: it reads no row for that.
CREATE INDEX IF NOT EXISTS settled ON deliveries (stream, destination, settled, state, change, attempts, born)
    WHERE state IN ('sent', 'skipped');
CREATE INDEX IF NOT EXISTS unknown ON deliveries (place)
    WHERE NOT (state IN ('sent', 'skipped', 'dead') OR (state IN ('owed', 'claimed') AND stream IN ('cwpp', 'cspm')));
CREATE INDEX IF NOT EXISTS acted_on ON deliveries (settled)
    WHERE destination='record' AND state IN ('sent', 'skipped') AND (redriven>0 OR state='skipped');
CREATE INDEX IF NOT EXISTS announced ON deliveries (settled)
    WHERE key >= 'about:' AND key < 'about~' AND state IN ('sent', 'skipped');
CREATE INDEX IF NOT EXISTS referred ON deliveries (reference) WHERE reference IS NOT NULL;

CREATE INDEX IF NOT EXISTS tried ON tries (hub, partition);

CREATE INDEX IF NOT EXISTS decided_again ON decisions (message) WHERE message IS NOT NULL;
CREATE INDEX IF NOT EXISTS decided_of ON decisions (signal, at) WHERE signal IS NOT NULL;
CREATE INDEX IF NOT EXISTS decided ON decisions (stream, outcome, at, place);
CREATE INDEX IF NOT EXISTS decided_on_type ON decisions (lower(type), stream, outcome, at, place);
CREATE INDEX IF NOT EXISTS decided_by ON decisions (stream, rule, at, place) WHERE rule<>'';
CREATE INDEX IF NOT EXISTS came_out ON decisions (stream, at, place) WHERE message IS NOT NULL AND outcome = 'routed';

CREATE INDEX IF NOT EXISTS id_ends ON lookups (id_end);
CREATE INDEX IF NOT EXISTS resource_ends ON lookups (resource_end, at DESC, signal DESC) WHERE resource_end IS NOT NULL;

CREATE INDEX IF NOT EXISTS ended_rules ON rules (COALESCE(last_hit, gone_since));
CREATE INDEX IF NOT EXISTS ended_events ON told (until);

CREATE INDEX IF NOT EXISTS windows ON groups (stream, destination, window_key) WHERE window_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS waiting ON groups (stream, destination, waits, sample, gravity DESC, at, key DESC) WHERE waits IS NOT NULL;
CREATE INDEX IF NOT EXISTS noting ON groups (stream, destination, note_due) WHERE note_due IS NOT NULL;
CREATE INDEX IF NOT EXISTS aging_groups ON groups (at) WHERE standing = 0;
CREATE INDEX IF NOT EXISTS memberships ON members (signal);
CREATE INDEX IF NOT EXISTS ended_members ON members (at) WHERE stands = 0;
CREATE INDEX IF NOT EXISTS ended_named_alerts ON named_alerts (until);
CREATE INDEX IF NOT EXISTS opened ON openings (stream, destination, at);

CREATE INDEX IF NOT EXISTS quarantined ON quarantine (at, id);
CREATE INDEX IF NOT EXISTS set_aside ON quarantine (stream) WHERE code = 'damaged';

CREATE INDEX IF NOT EXISTS dated ON documents (kind, at);
CREATE INDEX IF NOT EXISTS changed ON changes (at);
CREATE INDEX IF NOT EXISTS changes_about ON changes (subject, place);
CREATE INDEX IF NOT EXISTS ended_sessions ON sessions (until);
CREATE INDEX IF NOT EXISTS unjudged ON snapshots (last) WHERE counts IS NULL;
CREATE INDEX IF NOT EXISTS aging_snapshots ON snapshots (last);
CREATE INDEX IF NOT EXISTS last_heard ON sources (heard);
CREATE INDEX IF NOT EXISTS silent ON sources (silent_since) WHERE silent_since IS NOT NULL;

-- What a reader may ask: views are stable, tables are not. INSTANT writes microseconds as a time; none has a body.
CREATE VIEW IF NOT EXISTS v_decisions AS SELECT
    INSTANT(at) AS decided, at AS decided_at, NULLIF(stream, '') AS stream, outcome, NULLIF(severity, '') AS severity,
    NULLIF(plan, '') AS plan, NULLIF(type, '') AS type, NULLIF(rule, '') AS rule, signal, turn
FROM decisions;

CREATE VIEW IF NOT EXISTS v_signals AS SELECT
    s.key AS signal, s.stream, l.id, l.resource, l.type, s.outcome,
    CASE s.severity WHEN 1 THEN 'Informational' WHEN 2 THEN 'Low' WHEN 3 THEN 'Medium' WHEN 4 THEN 'High' WHEN 5 THEN 'Critical' END
    AS severity, CASE WHEN s.closed_at IS NULL THEN 'yes' ELSE 'no' END AS stands, INSTANT(s.since) AS since, s.since AS since_at,
    s.owner, s.cluster, s.turn,
    INSTANT(s.heard) AS heard, s.heard AS heard_at, INSTANT(s.closed_at) AS ended, s.closed_at AS ended_at,
    s.held_by, INSTANT(s.held_since) AS held_since, INSTANT(s.held_until) AS held_until
FROM signals s LEFT JOIN lookups l ON l.signal=s.key;

CREATE VIEW IF NOT EXISTS v_deliveries AS SELECT
    stream, destination, lane, key AS signal, turn, change, state, attempts, INSTANT(born) AS owed, born AS owed_at,
    CASE WHEN state IN ('owed', 'claimed') THEN INSTANT(due) END AS due, INSTANT(settled) AS settled, settled AS settled_at,
    reference, error
FROM deliveries;

CREATE VIEW IF NOT EXISTS v_dead_letters AS SELECT
    d.stream, d.destination, d.lane, d.key AS signal, l.type, l.resource, d.change, d.attempts,
    INSTANT(d.born) AS owed, INSTANT(d.settled) AS dead, d.settled AS dead_at, d.error
FROM deliveries d LEFT JOIN lookups l ON l.signal=d.key WHERE d.state='dead';

CREATE VIEW IF NOT EXISTS v_rule_hits AS SELECT
    stream, name AS rule, hits, INSTANT(first_hit) AS first_hit, INSTANT(last_hit) AS last_hit
FROM rules WHERE hits>0;

CREATE VIEW IF NOT EXISTS v_quarantine AS SELECT
    id, source, stream, code, words, at_fault, INSTANT(at) AS since
FROM quarantine;

CREATE VIEW IF NOT EXISTS v_changes AS SELECT
    INSTANT(at) AS changed, at AS changed_at, author, action, stream, subject, NULLIF(reason, '') AS reason, detail
FROM changes;
