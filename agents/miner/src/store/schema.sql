-- Amounts are wei as decimal text (SQLite has no 256-bit integers); times are chain seconds.

-- Results that no coordinator has accepted yet.
CREATE TABLE IF NOT EXISTS pending (
    offer_hash  BLOB PRIMARY KEY,
    coordinator BLOB NOT NULL,
    miner       BLOB NOT NULL,
    lease       TEXT NOT NULL,
    price       TEXT NOT NULL,
    expiry      INTEGER NOT NULL,
    trace_root  BLOB NOT NULL,
    states      INTEGER NOT NULL,
    output_hash BLOB NOT NULL,
    signature   BLOB NOT NULL,
    output      BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS pending_of_channel ON pending (coordinator, miner);

-- The highest voucher of each channel. `owed` is what this miner knows to have earned in it: no voucher below it is taken.
CREATE TABLE IF NOT EXISTS channels (
    payer      BLOB NOT NULL,
    payee      BLOB NOT NULL,
    owed       TEXT NOT NULL,
    cumulative TEXT NOT NULL,
    signature  BLOB NOT NULL,
    PRIMARY KEY (payer, payee)
) STRICT;

-- Files of the traces folder, named after the offer hash.
CREATE TABLE IF NOT EXISTS traces (
    offer_hash BLOB PRIMARY KEY,
    expiry     INTEGER NOT NULL,
    bytes      INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS traces_by_expiry ON traces (expiry);

-- The input pictures of requests whose traces are kept: they answer disputes about the first state.
CREATE TABLE IF NOT EXISTS inputs (
    offer_hash BLOB PRIMARY KEY,
    blob       BLOB NOT NULL
) STRICT;

-- Pending results that were accepted, and are paid after an audit. `deadline` (Unix seconds): until then the trace is due.
CREATE TABLE IF NOT EXISTS audits (
    offer_hash BLOB PRIMARY KEY,
    deadline   INTEGER NOT NULL
) STRICT;

-- What this miner has found as a juror, stored before it commits to it; a reorganisation may give a round another seed.
CREATE TABLE IF NOT EXISTS ballots (
    commitment   BLOB PRIMARY KEY,
    dispute      BLOB NOT NULL,
    round        INTEGER NOT NULL,
    seed         BLOB NOT NULL,
    reveal_until INTEGER NOT NULL,
    verdict      INTEGER NOT NULL,
    probe        TEXT NOT NULL,
    salt         BLOB NOT NULL,
    UNIQUE (dispute, round, seed)
) STRICT;
