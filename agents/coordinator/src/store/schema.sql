-- Amounts are wei as decimal text (SQLite has no 256-bit integers); times are Unix milliseconds unless a name says seconds.

CREATE TABLE IF NOT EXISTS meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS tasks (
    id          TEXT PRIMARY KEY,
    model       TEXT NOT NULL,
    model_id    BLOB NOT NULL,
    request     BLOB NOT NULL,
    price       TEXT NOT NULL,
    unit_price  TEXT NOT NULL,
    status      TEXT NOT NULL,
    error       TEXT,
    idempotency BLOB UNIQUE,
    body_hash   BLOB NOT NULL,
    lease       TEXT,
    created     INTEGER NOT NULL,
    updated     INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS tasks_open ON tasks (status) WHERE status IN ('queued', 'leased');

-- One offer to one miner. `over` says why a lease ended: expired, declined, busy or undelivered;
-- accepted or lost (another's result won); failed or cancelled with its task.
CREATE TABLE IF NOT EXISTS leases (
    id            TEXT PRIMARY KEY,
    task          TEXT NOT NULL REFERENCES tasks (id),
    miner         BLOB NOT NULL,
    node          BLOB NOT NULL,
    price         TEXT NOT NULL,
    expiry        INTEGER NOT NULL,
    offer_hash    BLOB NOT NULL UNIQUE,
    signature     BLOB NOT NULL,
    over          TEXT,
    created       INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS leases_of_task ON leases (task);

CREATE TABLE IF NOT EXISTS results (
    task        TEXT PRIMARY KEY REFERENCES tasks (id),
    lease       TEXT NOT NULL UNIQUE REFERENCES leases (id),
    trace_root  BLOB NOT NULL,
    states      INTEGER NOT NULL,
    output_hash BLOB NOT NULL,
    signature   BLOB NOT NULL,
    accepted    INTEGER NOT NULL
) STRICT;

-- All that this coordinator owes a miner since their channel began.
CREATE TABLE IF NOT EXISTS channels (
    miner      BLOB PRIMARY KEY,
    cumulative TEXT NOT NULL,
    served     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A secret serves one day of draws; its hash is public at once, itself when the day is over.
CREATE TABLE IF NOT EXISTS secrets (
    day    INTEGER PRIMARY KEY,
    secret BLOB NOT NULL
) STRICT;

-- `candidates` is a row of 52-byte records: a miner's address and its weight, big-endian, sorted by address.
CREATE TABLE IF NOT EXISTS draws (
    sequence   INTEGER PRIMARY KEY,
    day        INTEGER NOT NULL,
    task       TEXT NOT NULL,
    chosen     BLOB NOT NULL,
    candidates BLOB NOT NULL
) STRICT;

-- What of the chain a draw was made on, and the active miners that were no candidates: 21-byte records of address and reason, in the order of
-- `Reason::ALL`. A table of its own, because draws of older versions have none of it.
CREATE TABLE IF NOT EXISTS draw_views (
    sequence    INTEGER PRIMARY KEY REFERENCES draws (sequence),
    block       INTEGER NOT NULL,
    final_block INTEGER NOT NULL,
    passed_over BLOB NOT NULL
) STRICT;

-- Results that are paid only when their computation was checked. `state`: asked (the trace is due until `deadline`, Unix seconds), opened (it
-- is here), passed, waived (it could not be checked: paid all the same), missed, refused (it did not come).
CREATE TABLE IF NOT EXISTS audits (
    lease    TEXT PRIMARY KEY REFERENCES leases (id),
    miner    BLOB NOT NULL,
    state    TEXT NOT NULL,
    deadline INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS audits_open ON audits (state) WHERE state IN ('asked', 'opened');
CREATE INDEX IF NOT EXISTS audits_of_miner ON audits (miner);

-- What went wrong with a result, and its dispute on chain. `state`: due (to be raised), open, convicted, acquitted, drawn, withheld (it is not
-- disputed: its pay is only kept back).
CREATE TABLE IF NOT EXISTS challenges (
    lease      TEXT PRIMARY KEY REFERENCES leases (id),
    miner      BLOB NOT NULL,
    transition INTEGER NOT NULL,
    tile       INTEGER,
    reason     TEXT NOT NULL,
    state      TEXT NOT NULL,
    dispute    BLOB,
    slashed    TEXT,
    note       TEXT,
    created    INTEGER NOT NULL,
    updated    INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS challenges_open ON challenges (state) WHERE state IN ('due', 'open');
CREATE INDEX IF NOT EXISTS results_by_time ON results (accepted);

-- Checks of audited traces by other operators' miners. `outcome`: paid, or wrong (not paid, and never asked again). `known`: whether this coordinator
-- knew the answer beforehand.
CREATE TABLE IF NOT EXISTS checks (
    id      TEXT PRIMARY KEY,
    miner   BLOB NOT NULL,
    price   TEXT NOT NULL,
    known   INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS checks_of_miner ON checks (miner);
