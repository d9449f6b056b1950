-- Events, and what keeps their order. Names are found through search_path: one schema per store.

-- One row: who the store is, and what is added to a transaction's id. The sum keeps rising when the store is restored
-- into a cluster whose own ids are lower.
CREATE TABLE store (
    id uuid NOT NULL,
    tx_base bigint NOT NULL,
    partition_days integer NOT NULL
);

-- Types, sources and content types.
CREATE TABLE names (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

-- version: of the last event; -1: named, but nothing stored yet.
CREATE TABLE streams (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    version bigint NOT NULL DEFAULT -1
) WITH (fillfactor = 50);

-- The last position and the last recording time given away. Sequences, because they do not roll back and are seen by
-- everybody at once; always set under the order lock, so that they rise together.
CREATE SEQUENCE last_position MINVALUE 0 START 0;
CREATE SEQUENCE last_recorded MINVALUE 0 START 0;

-- A unique index on a partitioned table must hold the partition key. So ids are unique here; a stream's versions are
-- without gap because a stream's lock is held while they are given.
CREATE TABLE event_ids (
    id uuid PRIMARY KEY,
    position bigint NOT NULL,
    stream integer NOT NULL
);

CREATE TABLE events (
    position bigint NOT NULL,
    tx bigint NOT NULL,
    recorded bigint NOT NULL,
    time bigint NOT NULL,
    version bigint NOT NULL,
    stream integer NOT NULL,
    type integer NOT NULL,
    source integer NOT NULL,
    content_type integer NOT NULL,
    schema_version integer NOT NULL,
    id uuid NOT NULL,
    correlation text,
    causation text,
    payload bytea NOT NULL
) PARTITION BY RANGE (recorded);

CREATE INDEX events_position ON events (position);
CREATE INDEX events_stream ON events (stream, version);
CREATE INDEX events_time ON events (time);
CREATE INDEX events_correlation ON events (correlation) WHERE correlation IS NOT NULL;
CREATE INDEX events_recorded ON events USING brin (recorded);

-- Catches what no partition is there for, so that an append never fails for want of one.
CREATE TABLE events_default PARTITION OF events DEFAULT;

-- The hash chain, in order of positions, as far as it is sealed.
CREATE TABLE seals (
    position bigint PRIMARY KEY,
    hash bytea NOT NULL
);

CREATE TABLE checkpoints (
    name text PRIMARY KEY,
    position bigint NOT NULL,
    saved timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE snapshots (
    projection text NOT NULL,
    version bigint NOT NULL,
    stream text NOT NULL,
    position bigint NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (projection, version, stream, position)
);

-- Appends a batch of calls; each succeeds or fails alone.
--
-- lock_slots      slots of all streams of the batch, ascending, so that batches cannot wait for each other in a ring
-- stream_ids      the batch's streams, each once
-- call_stream     of each call: index into stream_ids, from 1
-- call_expected   of each call: expected version; -1: no such stream, -2: any
-- call_count      of each call: its events
-- event_call      of each event: index of its call, from 1
-- event_place     of each event: its place in the call, from 0
-- status          of each call: 0 stored, 1 stored before, 2 version conflict, 3 an id is stored elsewhere or only in part
-- actual          of each call: version that its stream was at
-- first_position  of each call: position of its first event; NULL if it was not stored
CREATE FUNCTION append_batch(
    lock_slots bigint[], stream_ids bigint[], call_stream bigint[], call_expected bigint[], call_count bigint[],
    event_call bigint[], event_place bigint[], event_id uuid[], event_type bigint[], event_source bigint[],
    event_content bigint[], event_schema bigint[], event_time bigint[], event_correlation text[],
    event_causation text[], event_payload bytea[],
    OUT status bigint[], OUT actual bigint[], OUT first_position bigint[]
) LANGUAGE plpgsql VOLATILE
-- Plans are made while the tables are still small; without this they would go on scanning them when they are large.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
DECLARE
    streams_lock bigint := 'streams'::regclass::oid::bigint << 32;
    order_lock bigint := 'last_position'::regclass::oid::bigint << 32;
    calls integer := cardinality(call_stream);
    versions bigint[];
    known bigint[];
    known_here bigint[];
    any_known boolean;
    first_version bigint[] := array_fill(NULL::bigint, ARRAY[calls]);
    stored bigint := 0;
    slot bigint;
    s integer;
    tx_now bigint;
    base bigint;
    position_now bigint;
    recorded_now bigint;
BEGIN
    -- Nothing up to the order lock may give this transaction an id (so: advisory locks, not row locks).
    FOREACH slot IN ARRAY lock_slots LOOP
        PERFORM pg_advisory_xact_lock(streams_lock + slot);
    END LOOP;

    -- Each statement has a snapshot of its own: these see what the last holder of the locks committed.
    SELECT array_agg(t.version ORDER BY w.n), min(store.tx_base) INTO versions, base
    FROM unnest(stream_ids) WITH ORDINALITY AS w(id, n) JOIN streams AS t ON t.id = w.id CROSS JOIN store;

    any_known := EXISTS (SELECT FROM unnest(event_id) AS e(id) JOIN event_ids AS k ON k.id = e.id);
    IF any_known THEN
        SELECT array_agg(n ORDER BY call), array_agg(here ORDER BY call) INTO known, known_here
        FROM (
            SELECT c.call, count(k.id) AS n,
                count(k.id) FILTER (WHERE k.stream = stream_ids[call_stream[c.call]]) AS here
            FROM unnest(event_call, event_id) AS c(call, id) LEFT JOIN event_ids AS k ON k.id = c.id
            GROUP BY c.call
        ) AS counted;
    END IF;

    status := array_fill(0::bigint, ARRAY[calls]);
    actual := array_fill(0::bigint, ARRAY[calls]);
    first_position := array_fill(NULL::bigint, ARRAY[calls]);
    FOR i IN 1..calls LOOP
        s := call_stream[i];
        actual[i] := versions[s];
        IF any_known AND known[i] > 0 THEN
            status[i] := CASE WHEN known_here[i] = call_count[i] THEN 1 ELSE 3 END;
        ELSIF call_expected[i] <> -2 AND call_expected[i] <> versions[s] THEN
            status[i] := 2;
        ELSE
            first_version[i] := versions[s] + 1;
            first_position[i] := stored;
            versions[s] := versions[s] + call_count[i];
            stored := stored + call_count[i];
        END IF;
    END LOOP;
    IF stored = 0 THEN
        IF any_known THEN
            -- "Stored before" must be as durable as "stored": a commit waits for disk and replica only if it wrote.
            UPDATE store SET id = id;
        END IF;
        RETURN;
    END IF;

    -- Transaction id, positions and clock are taken together, by one transaction at a time: all three rise in the same
    -- order, whichever commits first. A session lock, released before the commit, so that commits overlap.
    PERFORM pg_advisory_lock(order_lock);
    tx_now := base + pg_current_xact_id()::text::bigint;
    SELECT p.last_value + 1, greatest(r.last_value, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000)
    INTO position_now, recorded_now FROM last_position AS p, last_recorded AS r;
    PERFORM setval('last_position', position_now + stored - 1), setval('last_recorded', recorded_now);
    PERFORM pg_advisory_unlock(order_lock);

    FOR i IN 1..calls LOOP
        first_position[i] := position_now + first_position[i];
    END LOOP;
    INSERT INTO event_ids (id, position, stream)
    SELECT e.id, first_position[e.call] + e.place, stream_ids[call_stream[e.call]]
    FROM unnest(event_call, event_place, event_id) AS e(call, place, id)
    WHERE first_position[e.call] IS NOT NULL;
    INSERT INTO events (position, tx, recorded, time, version, stream, type, source, content_type, schema_version,
        id, correlation, causation, payload)
    SELECT first_position[e.call] + e.place, tx_now, recorded_now, coalesce(e.time, recorded_now),
        first_version[e.call] + e.place, stream_ids[call_stream[e.call]], e.type, e.source, e.content, e.schema,
        e.id, e.correlation, e.causation, e.payload
    FROM unnest(event_call, event_place, event_id, event_type, event_source, event_content, event_schema, event_time,
        event_correlation, event_causation, event_payload)
        AS e(call, place, id, type, source, content, schema, time, correlation, causation, payload)
    WHERE first_position[e.call] IS NOT NULL;
    UPDATE streams AS t SET version = w.version
    FROM unnest(stream_ids, versions) AS w(id, version) WHERE t.id = w.id AND t.version <> w.version;
END
$$;
