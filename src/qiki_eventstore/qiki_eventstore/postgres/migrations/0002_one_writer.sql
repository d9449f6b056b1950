-- One writer at a time, so that the order of positions is the order of commits, and each event is stored with its hash.
-- From here on the tables are those of SQLite: names are numbered from 1 without gap.

ALTER TABLE events RENAME TO old_events;
ALTER TABLE streams RENAME TO old_streams;
DROP INDEX events_position, events_stream, events_time, events_correlation, events_recorded;
DROP FUNCTION append_batch;

-- dropped: last version of the stream that retention took out of `events`; -1: none.
CREATE TABLE streams (
    id integer CONSTRAINT streams_number PRIMARY KEY,
    name text COLLATE "C" NOT NULL CONSTRAINT streams_by_name UNIQUE,
    dropped bigint NOT NULL DEFAULT -1
);
CREATE TABLE types (id integer PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE sources (id integer PRIMARY KEY, name text NOT NULL UNIQUE);

-- content: 0 JSON, 1 protobuf.
CREATE TABLE events (
    position bigint PRIMARY KEY,
    stream integer NOT NULL,
    version bigint NOT NULL,
    id uuid NOT NULL CONSTRAINT events_once UNIQUE,
    type integer NOT NULL,
    source integer NOT NULL,
    time bigint NOT NULL,
    recorded bigint NOT NULL,
    correlation text,
    causation text,
    schema_version integer NOT NULL,
    content integer NOT NULL,
    payload bytea NOT NULL,
    hash bytea NOT NULL,
    UNIQUE (stream, version)
);

INSERT INTO streams (id, name) SELECT row_number() OVER (ORDER BY id), name FROM old_streams WHERE version >= 0;
INSERT INTO types (id, name) SELECT row_number() OVER (ORDER BY id), name FROM names
WHERE id IN (SELECT type FROM old_events);
INSERT INTO sources (id, name) SELECT row_number() OVER (ORDER BY id), name FROM names
WHERE id IN (SELECT source FROM old_events);
-- Events that were not sealed have no hash yet: the program completes the chain.
INSERT INTO events
SELECT e.position, s.id, e.version, e.id, t.id, o.id, e.time, e.recorded, e.correlation, e.causation, e.schema_version,
    CASE c.name WHEN 'application/json' THEN 0 ELSE 1 END, e.payload, coalesce(h.hash, '')
FROM old_events AS e
JOIN old_streams AS os ON os.id = e.stream JOIN streams AS s ON s.name = os.name
JOIN names AS nt ON nt.id = e.type JOIN types AS t ON t.name = nt.name
JOIN names AS ns ON ns.id = e.source JOIN sources AS o ON o.name = ns.name
JOIN names AS c ON c.id = e.content_type
LEFT JOIN seals AS h ON h.position = e.position;

CREATE INDEX events_time ON events (time, position);
CREATE INDEX events_correlation ON events (correlation, position) WHERE correlation IS NOT NULL;

-- Positions that version 0.1 left out, for counting.
ALTER TABLE store DROP COLUMN tx_base, DROP COLUMN partition_days,
    ADD COLUMN left_out bigint NOT NULL DEFAULT 0;
UPDATE store SET left_out = (SELECT coalesce(max(position), 0) - count(*) FROM events);

DROP TABLE old_events, old_streams, names, event_ids, seals;
DROP SEQUENCE last_position, last_recorded;

-- Ranges that retention took out of `events`, with recording time and hash at their ends.
CREATE TABLE dropped (first bigint PRIMARY KEY, last bigint NOT NULL, recorded bigint NOT NULL, hash bytea NOT NULL);
CREATE TABLE segments (
    first bigint PRIMARY KEY,
    extent text NOT NULL,
    file text NOT NULL,
    sha256 bytea NOT NULL,
    sealed bigint NOT NULL,
    dropped integer NOT NULL
);
CREATE TABLE holds (name text COLLATE "C" PRIMARY KEY, hold text NOT NULL);
