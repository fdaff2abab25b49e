-- One schema for native and browser, inference, training and generation. Units: *_ns nanoseconds, *_bytes bytes,
-- *_ms milliseconds; times are UTC. What a phase, clock, metric or memory source is called is data, not a column:
-- a new one needs no migration. Tables of raw observations come first; from `summaries` on everything is derived from
-- them and can be made again. Raw lists (phases, samples, memory, notes) are always written as a whole with their
-- Round, in its transaction, so `rounds` carries their key.
-- This is the newest form; what leads an older database here stands in migrations.py, which adds columns at the end.

CREATE TABLE schema_version (version INTEGER PRIMARY KEY);

CREATE TABLE machines (
    machine_id VARCHAR PRIMARY KEY,         -- digest of the fingerprint
    fingerprint JSON NOT NULL
);

CREATE TABLE runs (
    run_id VARCHAR PRIMARY KEY,
    started_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP,                     -- null: still going, or killed
    command VARCHAR NOT NULL,               -- as typed, for eyes
    machine_id VARCHAR NOT NULL,            -- machines
    machine JSON NOT NULL,                  -- as this Run saw it
    policy JSON NOT NULL,                   -- rounds, budget, seed
    interrupted BOOLEAN NOT NULL,
    resumed_at VARCHAR[]                    -- UTC: when it was gone on with after an end; null and empty: never
);

-- The point itself: the same on every machine and in every Run.
CREATE TABLE cases (
    case_id VARCHAR PRIMARY KEY,            -- digest of the canonical form
    model_identity VARCHAR NOT NULL,        -- architecture, hub id, or sha256 of local files
    architecture VARCHAR,
    weights VARCHAR NOT NULL,               -- pretrained | random
    scale VARCHAR NOT NULL,                 -- full | tiny
    task VARCHAR NOT NULL,
    mode VARCHAR NOT NULL,                  -- inference | training
    platform VARCHAR NOT NULL,              -- what --hardware says
    backend VARCHAR NOT NULL,
    device VARCHAR NOT NULL,
    browser VARCHAR,                        -- null: native
    precision VARCHAR NOT NULL,
    batch_size INTEGER NOT NULL,            -- items per run
    length INTEGER,                         -- tokens per item; null: the model's own sizes
    threads INTEGER NOT NULL,               -- asked for
    outputs VARCHAR NOT NULL,               -- host | device
    cache VARCHAR NOT NULL,                 -- cold | warm
    isolation VARCHAR NOT NULL,             -- process | zygote
    options JSON NOT NULL,
    network VARCHAR,                        -- rate that a page's downloads were held to; null: loopback's own
    browser_version VARCHAR,                -- asked for; null: the pinned one
    runtime VARCHAR,                        -- asked for, package@version; null: the pinned one
    affinity INTEGER[]                      -- logical CPUs that it was kept to; null: all
);

-- A Run's plan: the Case as it was asked for there (a model has the name that was typed), also the impossible ones.
CREATE TABLE planned_cases (
    run_id VARCHAR NOT NULL,
    position INTEGER NOT NULL,              -- from 0, in the order of the plan
    case_id VARCHAR NOT NULL,
    slug VARCHAR NOT NULL,                  -- for eyes
    model_name VARCHAR NOT NULL,
    model_family VARCHAR NOT NULL,
    asked JSON NOT NULL,                    -- the whole Case
    outcome VARCHAR,                        -- unsupported: known before anything ran; null: to be measured
    reason VARCHAR,
    versions JSON,                          -- what the numbers depend on, as it was when the Run began; null: not known
    reused_from VARCHAR,                    -- runs: whose result stands for it; the Case was not measured here
    PRIMARY KEY (run_id, position)
);

CREATE TABLE rounds (
    round_id VARCHAR PRIMARY KEY,
    run_id VARCHAR NOT NULL,
    case_id VARCHAR NOT NULL,
    number INTEGER NOT NULL,                -- 1 for the Case's first Round
    started_at TIMESTAMP NOT NULL,
    outcome VARCHAR NOT NULL,               -- ok | unsupported | failed
    code VARCHAR,
    reason VARCHAR,
    stopped_by VARCHAR,                     -- the rule that ended sampling
    runtime JSON NOT NULL,                  -- package → version
    provenance JSON NOT NULL,               -- adapter, isolation, clock step, threads, visibility, artifact …
    placement JSON,                         -- execution provider → nodes
    fallbacks VARCHAR[] NOT NULL,           -- operators
    purpose VARCHAR DEFAULT 'timing'        -- timing | profile: rounds of the two are never mixed
);

-- What happens once in a Round: prepare, load, first, warm; for other modes whatever their task calls it.
CREATE TABLE phases (
    round_id VARCHAR NOT NULL,
    phase VARCHAR NOT NULL,
    duration_ns BIGINT NOT NULL,
    detail JSON NOT NULL
);

-- What happens many times: sample; prefill, decode; forward, backward, optimizer …
-- The table has the recent ones: `harness db archive` moves old ones into Parquet files. All are in the view `samples`,
-- which is what to ask.
CREATE TABLE recent_samples (
    round_id VARCHAR NOT NULL,
    position INTEGER NOT NULL,              -- from 0, in the order taken, over all phases and clocks of the Round
    phase VARCHAR NOT NULL,
    clock VARCHAR NOT NULL,
    duration_ns BIGINT NOT NULL,            -- of `runs` runs together
    runs INTEGER NOT NULL
);

-- The Parquet files that count, each whole; the view is remade when one is added (archived.py).
CREATE TABLE archived_files (
    file VARCHAR PRIMARY KEY,               -- below the folder: year=2026/month=03/….parquet
    folder VARCHAR NOT NULL,                -- absolute: where the view looks
    rounds BIGINT NOT NULL,
    samples BIGINT NOT NULL,
    duration_ns HUGEINT NOT NULL,           -- of all samples in it
    size_bytes BIGINT NOT NULL,
    sha256 VARCHAR NOT NULL,
    archived_at TIMESTAMP NOT NULL
);

CREATE VIEW samples AS SELECT round_id, position, phase, clock, duration_ns, runs FROM recent_samples;

CREATE TABLE memory (
    round_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,                -- sources are never added up
    size_bytes BIGINT NOT NULL
);

CREATE TABLE notes (
    round_id VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    text VARCHAR NOT NULL
);

CREATE TABLE verdicts (
    round_id VARCHAR PRIMARY KEY,
    checked BOOLEAN NOT NULL,               -- false: nothing independent was there to compare
    passed BOOLEAN NOT NULL,
    reference VARCHAR,
    max_abs DOUBLE,                         -- null also when the outputs are not finite
    max_rel DOUBLE,
    cosine DOUBLE,
    agreement DOUBLE,                       -- share of positions with the same argmax
    tolerance DOUBLE,
    reason VARCHAR,
    rms_rel DOUBLE                          -- typical error, relative to the expected values' standard deviation
);

-- Of Rounds that profile: by the backend's own profiler, all profiled runs together.
CREATE TABLE profiles (
    round_id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,                -- the profiler
    runs INTEGER NOT NULL
);

CREATE TABLE operators (
    round_id VARCHAR NOT NULL,
    position INTEGER NOT NULL,              -- from 0, as the profiler told them
    operator VARCHAR NOT NULL,              -- the backend's own name of the type
    device VARCHAR NOT NULL,                -- execution provider, as the backend names it
    count BIGINT NOT NULL,                  -- calls
    self_ns BIGINT NOT NULL,                -- without what it called
    fallback BOOLEAN NOT NULL               -- elsewhere than asked for
);

-- Derived from samples, per run (a Sample's duration divided by its runs).
CREATE TABLE summaries (
    round_id VARCHAR NOT NULL,
    phase VARCHAR NOT NULL,
    clock VARCHAR NOT NULL,
    n INTEGER NOT NULL,
    median_ns DOUBLE NOT NULL,
    mean_ns DOUBLE NOT NULL,
    mad_ns DOUBLE NOT NULL,
    least_ns DOUBLE NOT NULL,
    most_ns DOUBLE NOT NULL,
    p90_ns DOUBLE,                          -- null where n does not support it; so below
    p95_ns DOUBLE,
    p99_ns DOUBLE,
    ci95_low_ns DOUBLE,                     -- of the median, within this Round
    ci95_high_ns DOUBLE,
    effective_n DOUBLE NOT NULL             -- independent samples that these are worth
);

-- Units are the metrics' own and stand in their names.
CREATE TABLE round_metrics (
    round_id VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    value DOUBLE
);

CREATE TABLE results (
    run_id VARCHAR NOT NULL,
    case_id VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    code VARCHAR,
    reason VARCHAR,
    rounds INTEGER NOT NULL,
    rounds_failed INTEGER NOT NULL,
    runtime VARCHAR,
    browser_version VARCHAR,
    software BOOLEAN,                       -- the graphics adapter was the CPU
    fallback_share DOUBLE,                  -- of nodes, 0 to 1
    latency_ci95_low_ms DOUBLE,
    latency_ci95_high_ms DOUBLE,
    interval_method VARCHAR,
    checked BOOLEAN,
    passed BOOLEAN,
    correct JSON,                           -- the verdict as a whole
    clock JSON NOT NULL,
    doubts VARCHAR[] NOT NULL,
    stopped_by VARCHAR[] NOT NULL,          -- the rules that ended sampling
    stage VARCHAR,                          -- where it stopped: build, forward, export, load …; null: nowhere
    PRIMARY KEY (run_id, case_id)
);

CREATE TABLE result_metrics (
    run_id VARCHAR NOT NULL,
    case_id VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,
    value DOUBLE
);

-- `points` and `performance_results`, which hold nothing of their own, are made by derived.py.
