-- PostgreSQL database dump
-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
-- Name: qiki; Type: SCHEMA; Schema: -; Owner: -
CREATE SCHEMA qiki;
-- Name: append_batch(bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[], uuid[], bigint[], bigint[], bigint[], bigint[], bigint[], text[], text[], bytea[]); Type: FUNCTION; Schema: qiki; Owner: -
CREATE FUNCTION qiki.append_batch(lock_slots bigint[], stream_ids bigint[], call_stream bigint[], call_expected bigint[], call_count bigint[], event_call bigint[], event_place bigint[], event_id uuid[], event_type bigint[], event_source bigint[], event_content bigint[], event_schema bigint[], event_time bigint[], event_correlation text[], event_causation text[], event_payload bytea[], OUT status bigint[], OUT actual bigint[], OUT first_position bigint[]) RETURNS record
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    SET jit TO 'off'
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
SET default_tablespace = '';
SET default_table_access_method = heap;
-- Name: checkpoints; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.checkpoints (
    name text NOT NULL,
    "position" bigint NOT NULL,
    saved timestamp with time zone DEFAULT now() NOT NULL
);
-- Name: event_ids; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.event_ids (
    id uuid NOT NULL,
    "position" bigint NOT NULL,
    stream integer NOT NULL
);
-- Name: events; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.events (
    "position" bigint NOT NULL,
    tx bigint NOT NULL,
    recorded bigint NOT NULL,
    "time" bigint NOT NULL,
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
)
PARTITION BY RANGE (recorded);
-- Name: events_20261126; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.events_20261126 (
    "position" bigint NOT NULL,
    tx bigint NOT NULL,
    recorded bigint NOT NULL,
    "time" bigint NOT NULL,
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
);
-- Name: events_20261203; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.events_20261203 (
    "position" bigint NOT NULL,
    tx bigint NOT NULL,
    recorded bigint NOT NULL,
    "time" bigint NOT NULL,
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
);
-- Name: events_20261210; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.events_20261210 (
    "position" bigint NOT NULL,
    tx bigint NOT NULL,
    recorded bigint NOT NULL,
    "time" bigint NOT NULL,
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
);
-- Name: events_default; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.events_default (
    "position" bigint NOT NULL,
    tx bigint NOT NULL,
    recorded bigint NOT NULL,
    "time" bigint NOT NULL,
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
);
-- Name: last_position; Type: SEQUENCE; Schema: qiki; Owner: -
CREATE SEQUENCE qiki.last_position
    START WITH 0
    INCREMENT BY 1
    MINVALUE 0
    NO MAXVALUE
    CACHE 1;
-- Name: last_recorded; Type: SEQUENCE; Schema: qiki; Owner: -
CREATE SEQUENCE qiki.last_recorded
    START WITH 0
    INCREMENT BY 1
    MINVALUE 0
    NO MAXVALUE
    CACHE 1;
-- Name: migrations; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.migrations (
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied timestamp with time zone DEFAULT now() NOT NULL
);
-- Name: names; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.names (
    id integer NOT NULL,
    name text NOT NULL
);
-- Name: names_id_seq; Type: SEQUENCE; Schema: qiki; Owner: -
ALTER TABLE qiki.names ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME qiki.names_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
-- Name: seals; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.seals (
    "position" bigint NOT NULL,
    hash bytea NOT NULL
);
-- Name: snapshots; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.snapshots (
    projection text NOT NULL,
    version bigint NOT NULL,
    stream text NOT NULL,
    "position" bigint NOT NULL,
    state text NOT NULL
);
-- Name: store; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.store (
    id uuid NOT NULL,
    tx_base bigint NOT NULL,
    partition_days integer NOT NULL
);
-- Name: streams; Type: TABLE; Schema: qiki; Owner: -
CREATE TABLE qiki.streams (
    id integer NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    version bigint DEFAULT '-1'::integer NOT NULL
)
WITH (fillfactor='50');
-- Name: streams_id_seq; Type: SEQUENCE; Schema: qiki; Owner: -
ALTER TABLE qiki.streams ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME qiki.streams_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
-- Name: events_20261126; Type: TABLE ATTACH; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.events ATTACH PARTITION qiki.events_20261126 FOR VALUES FROM ('1795651200000000000') TO ('1796256000000000000');
-- Name: events_20261203; Type: TABLE ATTACH; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.events ATTACH PARTITION qiki.events_20261203 FOR VALUES FROM ('1796256000000000000') TO ('1796860800000000000');
-- Name: events_20261210; Type: TABLE ATTACH; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.events ATTACH PARTITION qiki.events_20261210 FOR VALUES FROM ('1796860800000000000') TO ('1797465600000000000');
-- Name: events_default; Type: TABLE ATTACH; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.events ATTACH PARTITION qiki.events_default DEFAULT;
-- Data for Name: checkpoints; Type: TABLE DATA; Schema: qiki; Owner: -
INSERT INTO qiki.checkpoints VALUES
	('follower', 5, '2026-11-29 22:43:40.591125+00');
-- Data for Name: event_ids; Type: TABLE DATA; Schema: qiki; Owner: -
INSERT INTO qiki.event_ids VALUES
	('01a2297a-7355-7684-9432-68bef1ddce5a', 1, 1),
	('01a2297a-7355-7684-9432-68bf1ad23475', 2, 1),
	('01a2297a-7365-72b7-892d-be76c073f45c', 3, 2),
	('01a2297a-7365-72b7-892d-be775c867386', 4, 2),
	('01a2297a-7368-74d3-9c66-ecc55eaf566e', 5, 3),
	('01a2297a-7368-74d3-9c66-ecc65a8d1cef', 6, 3),
	('01a2297a-7371-72ba-b5e3-508785f9bb96', 7, 1),
	('01a2297a-7371-72ba-b5e3-50886726e2b0', 8, 1),
	('01a2297a-7373-7185-af02-68477374cd4c', 9, 2),
	('01a2297a-7373-7185-af02-68481f5b652c', 10, 2),
	('01a2297a-7374-745c-b02d-9f9aa502cda5', 11, 3),
	('01a2297a-7374-745c-b02d-9f9bc6a71852', 12, 3),
	('01a2297a-7377-713f-bd87-ca7d52cd4afb', 13, 1),
	('01a2297a-7377-713f-bd87-ca7e48d8a900', 14, 1),
	('01a2297a-7379-75b8-aa73-24472ea030a1', 15, 2),
	('01a2297a-7379-75b8-aa73-244894444131', 16, 2),
	('01a2297a-737b-77d3-82f9-0c10426755c3', 17, 3),
	('01a2297a-737b-77d3-82f9-0c11287f2f30', 18, 3),
	('01a2297a-737d-77a7-bbe2-e92564775c29', 19, 1),
	('01a2297a-737d-77a7-bbe2-e92606e63478', 20, 1),
	('01a2297a-7386-72a2-9dd9-e848c8772ab7', 24, 2),
	('01a2297a-7386-72a2-9dd9-e8490a20917a', 25, 2),
	('01a2297a-7387-778b-8d4e-b6c762d2db96', 26, 3),
	('01a2297a-7387-778b-8d4e-b6c86e75e928', 27, 3),
	('01a2297a-7389-7373-9712-951e03375999', 28, 1),
	('01a2297a-7389-7373-9712-951f12edb257', 29, 1),
	('01a2297a-738a-7795-bbb2-f58cf15eb467', 30, 2),
	('01a2297a-738a-7795-bbb2-f58dedd86037', 31, 2),
	('01a2297a-738d-77e1-8e3a-3d865ea300ca', 32, 3),
	('01a2297a-738d-77e1-8e3a-3d871aa2bad1', 33, 3),
	('01a2297a-7390-7373-ba9c-db35626022c9', 34, 1),
	('01a2297a-7390-7373-ba9c-db36a12a7d32', 35, 1),
	('01a2297a-7a00-71e9-9ecd-121690ad2008', 36, 3),
	('01a2297a-7a00-71e9-9ecd-1217cc70c4f2', 37, 3),
	('01a2297a-7a00-71e9-9ecd-121871a36e4e', 38, 3),
	('01a2297a-7a00-71e9-9ecd-1219ced474a9', 39, 3),
	('01a2297a-7a1d-7005-bf4d-d792973838d3', 40, 4);
-- Data for Name: events_20261126; Type: TABLE DATA; Schema: qiki; Owner: -
INSERT INTO qiki.events_20261126 VALUES
	(1, 730, 1795992220513060000, -3, 0, 1, 5, 2, 3, 1, '01a2297a-7355-7684-9432-68bef1ddce5a', 'c0', NULL, '\x7b226e756d626572223a302c2274657874223a22227d'),
	(2, 730, 1795992220513060000, 1795992220513060000, 1, 1, 6, 1, 4, 1, '01a2297a-7355-7684-9432-68bf1ad23475', NULL, NULL, '\x000000'),
	(3, 733, 1795992220519612000, 1795992220519612000, 0, 2, 5, 2, 3, 1, '01a2297a-7365-72b7-892d-be76c073f45c', NULL, NULL, '\x7b226e756d626572223a312c2274657874223a22c3bc227d'),
	(4, 733, 1795992220519612000, 1795992220519612000, 1, 2, 6, 1, 4, 1, '01a2297a-7365-72b7-892d-be775c867386', NULL, NULL, '\x010101'),
	(5, 736, 1795992220523668000, 1795992220523668000, 0, 3, 5, 2, 3, 1, '01a2297a-7368-74d3-9c66-ecc55eaf566e', NULL, NULL, '\x7b226e756d626572223a322c2274657874223a22c3bcc3bc227d'),
	(6, 736, 1795992220523668000, 1795992220523668000, 1, 3, 6, 1, 4, 1, '01a2297a-7368-74d3-9c66-ecc65a8d1cef', NULL, NULL, '\x020202'),
	(7, 738, 1795992220530498000, 1795992220530498000, 2, 1, 5, 2, 3, 1, '01a2297a-7371-72ba-b5e3-508785f9bb96', NULL, NULL, '\x7b226e756d626572223a332c2274657874223a22c3bcc3bcc3bc227d'),
	(8, 738, 1795992220530498000, 1795992220530498000, 3, 1, 6, 1, 4, 1, '01a2297a-7371-72ba-b5e3-50886726e2b0', NULL, NULL, '\x030303'),
	(9, 739, 1795992220531808000, 1795992220531808000, 2, 2, 5, 2, 3, 1, '01a2297a-7373-7185-af02-68477374cd4c', 'c1', NULL, '\x7b226e756d626572223a342c2274657874223a22227d'),
	(10, 739, 1795992220531808000, 1795992220531808000, 3, 2, 6, 1, 4, 1, '01a2297a-7373-7185-af02-68481f5b652c', NULL, NULL, '\x040404'),
	(11, 741, 1795992220533110000, 32, 2, 3, 5, 2, 3, 1, '01a2297a-7374-745c-b02d-9f9aa502cda5', NULL, NULL, '\x7b226e756d626572223a352c2274657874223a22c3bc227d'),
	(12, 741, 1795992220533110000, 1795992220533110000, 3, 3, 6, 1, 4, 1, '01a2297a-7374-745c-b02d-9f9bc6a71852', NULL, NULL, '\x050505'),
	(13, 743, 1795992220536211000, 1795992220536211000, 4, 1, 5, 2, 3, 1, '01a2297a-7377-713f-bd87-ca7d52cd4afb', NULL, NULL, '\x7b226e756d626572223a362c2274657874223a22c3bcc3bc227d'),
	(14, 743, 1795992220536211000, 1795992220536211000, 5, 1, 6, 1, 4, 1, '01a2297a-7377-713f-bd87-ca7e48d8a900', NULL, NULL, '\x060606'),
	(15, 745, 1795992220537660000, 1795992220537660000, 4, 2, 5, 2, 3, 1, '01a2297a-7379-75b8-aa73-24472ea030a1', NULL, NULL, '\x7b226e756d626572223a372c2274657874223a22c3bcc3bcc3bc227d'),
	(16, 745, 1795992220537660000, 1795992220537660000, 5, 2, 6, 1, 4, 1, '01a2297a-7379-75b8-aa73-244894444131', NULL, NULL, '\x070707'),
	(17, 747, 1795992220539894000, 1795992220539894000, 4, 3, 5, 2, 3, 1, '01a2297a-737b-77d3-82f9-0c10426755c3', 'c2', NULL, '\x7b226e756d626572223a382c2274657874223a22227d'),
	(18, 747, 1795992220539894000, 1795992220539894000, 5, 3, 6, 1, 4, 1, '01a2297a-737b-77d3-82f9-0c11287f2f30', NULL, NULL, '\x080808'),
	(19, 749, 1795992220542129000, 1795992220542129000, 6, 1, 5, 2, 3, 1, '01a2297a-737d-77a7-bbe2-e92564775c29', NULL, NULL, '\x7b226e756d626572223a392c2274657874223a22c3bc227d'),
	(20, 749, 1795992220542129000, 1795992220542129000, 7, 1, 6, 1, 4, 1, '01a2297a-737d-77a7-bbe2-e92606e63478', NULL, NULL, '\x090909'),
	(24, 753, 1795992220550742000, 67, 6, 2, 5, 2, 3, 1, '01a2297a-7386-72a2-9dd9-e848c8772ab7', NULL, NULL, '\x7b226e756d626572223a31302c2274657874223a22c3bcc3bc227d'),
	(25, 753, 1795992220550742000, 1795992220550742000, 7, 2, 6, 1, 4, 1, '01a2297a-7386-72a2-9dd9-e8490a20917a', NULL, NULL, '\x0a0a0a'),
	(26, 755, 1795992220552025000, 1795992220552025000, 6, 3, 5, 2, 3, 1, '01a2297a-7387-778b-8d4e-b6c762d2db96', NULL, NULL, '\x7b226e756d626572223a31312c2274657874223a22c3bcc3bcc3bc227d'),
	(27, 755, 1795992220552025000, 1795992220552025000, 7, 3, 6, 1, 4, 1, '01a2297a-7387-778b-8d4e-b6c86e75e928', NULL, NULL, '\x0b0b0b'),
	(28, 756, 1795992220553509000, 1795992220553509000, 8, 1, 5, 2, 3, 1, '01a2297a-7389-7373-9712-951e03375999', 'c0', NULL, '\x7b226e756d626572223a31322c2274657874223a22227d'),
	(29, 756, 1795992220553509000, 1795992220553509000, 9, 1, 6, 1, 4, 1, '01a2297a-7389-7373-9712-951f12edb257', NULL, NULL, '\x0c0c0c'),
	(30, 758, 1795992220554648000, 1795992220554648000, 8, 2, 5, 2, 3, 1, '01a2297a-738a-7795-bbb2-f58cf15eb467', NULL, NULL, '\x7b226e756d626572223a31332c2274657874223a22c3bc227d'),
	(31, 758, 1795992220554648000, 1795992220554648000, 9, 2, 6, 1, 4, 1, '01a2297a-738a-7795-bbb2-f58dedd86037', NULL, NULL, '\x0d0d0d'),
	(32, 760, 1795992220557334000, 1795992220557334000, 8, 3, 5, 2, 3, 1, '01a2297a-738d-77e1-8e3a-3d865ea300ca', NULL, NULL, '\x7b226e756d626572223a31342c2274657874223a22c3bcc3bc227d'),
	(33, 760, 1795992220557334000, 1795992220557334000, 9, 3, 6, 1, 4, 1, '01a2297a-738d-77e1-8e3a-3d871aa2bad1', NULL, NULL, '\x0e0e0e'),
	(34, 763, 1795992220561578000, 102, 10, 1, 5, 2, 3, 1, '01a2297a-7390-7373-ba9c-db35626022c9', NULL, NULL, '\x7b226e756d626572223a31352c2274657874223a22c3bcc3bcc3bc227d'),
	(35, 763, 1795992220561578000, 1795992220561578000, 11, 1, 6, 1, 4, 1, '01a2297a-7390-7373-ba9c-db36a12a7d32', NULL, NULL, '\x0f0f0f'),
	(36, 769, 1795992222226345000, 1795992222226345000, 10, 3, 5, 1, 3, 1, '01a2297a-7a00-71e9-9ecd-121690ad2008', NULL, NULL, '\x7b226e756d626572223a3130307d'),
	(37, 769, 1795992222226345000, 1795992222226345000, 11, 3, 5, 1, 3, 1, '01a2297a-7a00-71e9-9ecd-1217cc70c4f2', NULL, NULL, '\x7b226e756d626572223a3130317d'),
	(38, 769, 1795992222226345000, 1795992222226345000, 12, 3, 5, 1, 3, 1, '01a2297a-7a00-71e9-9ecd-121871a36e4e', NULL, NULL, '\x7b226e756d626572223a3130327d'),
	(39, 769, 1795992222226345000, 1795992222226345000, 13, 3, 5, 1, 3, 1, '01a2297a-7a00-71e9-9ecd-1219ced474a9', NULL, NULL, '\x7b226e756d626572223a3130337d'),
	(40, 773, 1795992222246083000, 1795992222246083000, 0, 4, 7, 1, 3, 1, '01a2297a-7a1d-7005-bf4d-d792973838d3', NULL, NULL, '\x7b226e756d626572223a317d');
-- Data for Name: events_20261203; Type: TABLE DATA; Schema: qiki; Owner: -
-- Data for Name: events_20261210; Type: TABLE DATA; Schema: qiki; Owner: -
-- Data for Name: events_default; Type: TABLE DATA; Schema: qiki; Owner: -
-- Data for Name: migrations; Type: TABLE DATA; Schema: qiki; Owner: -
INSERT INTO qiki.migrations VALUES
	(1, '0001_events.sql', '4991ee169c903860f7cf9c2f82ddab71c2c704c3bbdb70e66461e20ecfa219de', '2026-11-29 22:43:40.293937+00');
-- Data for Name: names; Type: TABLE DATA; Schema: qiki; Owner: -
INSERT INTO qiki.names OVERRIDING SYSTEM VALUE VALUES
	(1, ''),
	(2, '/n'),
	(3, 'application/json'),
	(4, 'application/protobuf'),
	(5, 'note'),
	(6, 'raw'),
	(7, 'late');
-- Data for Name: seals; Type: TABLE DATA; Schema: qiki; Owner: -
INSERT INTO qiki.seals VALUES
	(1, '\xf7c5bf5db8226b6b6d5b390afbae43fdb9d373f041c6f8f97f57e99205e7e4b9'),
	(2, '\x63fa0e1dd82359b9ea15d382bedd588484592f9fb71ed073f4ad1bbe52c1ab99'),
	(3, '\x61ffcf8652219012f9c70ca93486626c5992f9e011af869ec9cbe50d008f2e5b'),
	(4, '\x9a0756726e009c37ce66cb124e2c7e01428ab98a6fd40fc8f84129d4c2a701ad'),
	(5, '\x4b37dc8403044fc8b74866e4b9100ac8dcae25cd0ecb68d3f9682d2ded874c72'),
	(6, '\x8151f2c147b488f7441e3007f43298ab8bfc270fa13e536f78e45538ae0af13f'),
	(7, '\x8c91f1e43e5bd468786298982581c052d52b3e8cee6775cdf0c9d2c165db6059'),
	(8, '\xabe8b37fcc66681e2ad081c3ea896842ddecf5913ba38afb983018e8c2b4b06f'),
	(9, '\xefcbe24669678c8dbf9d045e5c657fb2b2ad02c49e43a9cf30f7af4109c28113'),
	(10, '\x98affa82ea0af4e249f53a71f98babd6624b48efb17804226e666985ddf212a8'),
	(11, '\x6be89d58cdd463d31a28b843e78f00e1f5b62ea42d3388ac96cab4d2f2000e5b'),
	(12, '\x800b125d7eb90044dd2dca83e18153c288de5ba73d307ac7ac3dbd32d89ba43e'),
	(13, '\xae87ad2f86b4e0ec3696f0d9ca003153c9309de9898be20b86639139085b3bff'),
	(14, '\xbec36d709c248c6512439512ef127cb713dee7a5453d7000ea2c4c176eeca520'),
	(15, '\x0be6da6808a5aa768292c517e0a47a7d3b864d97c4fa7c9e0808169b28479809'),
	(16, '\x61d3386cae0b42f58f4ee9e882bfebe77d779faa4b14732222da8b7df5e6c444'),
	(17, '\x44ae29270a1d55302b16f0af099e01814da052000aa31520c08ff9ff67c95249'),
	(18, '\xe22b6cc51641ee761430b6a6bf3536875e535650dad4b3bcb8bd7a5c31436402'),
	(19, '\x077f313902156ce4928908f8a85b340623c84852a7138c8fa48dd903aa408fb1'),
	(20, '\x5b359fb64026917446501595d2e36c977b99c11dba84dc3c7aa0352dbe6f663b'),
	(24, '\x508b21b845cde0205cb36c24201b8aee60f63c48521b8ccfc7fe158a11774519'),
	(25, '\x3d42b5a870248d95e1e63120981d90a892f7ef3c61a5d8f60a25fc1da1f21d23'),
	(26, '\x8d5636e8e29f33694ffb489d17cb19dfb6f76e670f8f26001d653914a8cc6660'),
	(27, '\x219c17153e38f7f1f718c43954d1ef869c302789bbcca4c9b562162567317c84'),
	(28, '\xe46b4e0db1531eb756c7af9077260f0924290b8de9cfaaa0290c8507d390195d'),
	(29, '\x5314120d02c5d4172e3eb94859019ef4e57b7594c9063eaa23e85bb241f90943'),
	(30, '\xb5c808790f07426ae473deaa81dabf8012b463d007bed038e55922ef985f0bf7'),
	(31, '\xd3d949ad5c133f885bf8889b7f14fa718d867943da8aff87b01b180fc9cfc887'),
	(32, '\x3669ecec3e20464d68c1d986037f132834197e43553d3fd138b82de981716932'),
	(33, '\x912029ad2fbf6d22f2c5ec02c5aa8ea062073c2334220f7839ec77efe695c194'),
	(34, '\x9f54c3c30119a1740012b40a58a7a5907106b137e2d1d5f7e1ec396deab3d642'),
	(35, '\x2eb30a3b9b1ab50479497dd79549ee875dd509497d31fcd69b1ae7d1760a162c');
-- Data for Name: snapshots; Type: TABLE DATA; Schema: qiki; Owner: -
INSERT INTO qiki.snapshots VALUES
	('bot', 1, 'alpha/allocator', 35, '{"mode": null, "armed": null, "gate": null, "gate_reason": "", "attitude_mode": null, "thrusters": {}, "profile": null, "last_profile": null, "last_fault": null, "last_stop": null, "changed": null}');
-- Data for Name: store; Type: TABLE DATA; Schema: qiki; Owner: -
INSERT INTO qiki.store VALUES
	('692727a1-6f8f-46a9-93f1-15a93b92b858', 0, 7);
-- Data for Name: streams; Type: TABLE DATA; Schema: qiki; Owner: -
INSERT INTO qiki.streams OVERRIDING SYSTEM VALUE VALUES
	(2, 'bravo/allocator', 9),
	(1, 'alpha/allocator', 11),
	(3, 'sim', 13),
	(4, 'new', 0);
-- Name: last_position; Type: SEQUENCE SET; Schema: qiki; Owner: -
SELECT pg_catalog.setval('qiki.last_position', 40, true);
-- Name: last_recorded; Type: SEQUENCE SET; Schema: qiki; Owner: -
SELECT pg_catalog.setval('qiki.last_recorded', 1795992222246083000, true);
-- Name: names_id_seq; Type: SEQUENCE SET; Schema: qiki; Owner: -
SELECT pg_catalog.setval('qiki.names_id_seq', 7, true);
-- Name: streams_id_seq; Type: SEQUENCE SET; Schema: qiki; Owner: -
SELECT pg_catalog.setval('qiki.streams_id_seq', 4, true);
-- Name: checkpoints checkpoints_pkey; Type: CONSTRAINT; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (name);
-- Name: event_ids event_ids_pkey; Type: CONSTRAINT; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.event_ids
    ADD CONSTRAINT event_ids_pkey PRIMARY KEY (id);
-- Name: migrations migrations_pkey; Type: CONSTRAINT; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (number);
-- Name: names names_name_key; Type: CONSTRAINT; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.names
    ADD CONSTRAINT names_name_key UNIQUE (name);
-- Name: names names_pkey; Type: CONSTRAINT; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.names
    ADD CONSTRAINT names_pkey PRIMARY KEY (id);
-- Name: seals seals_pkey; Type: CONSTRAINT; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.seals
    ADD CONSTRAINT seals_pkey PRIMARY KEY ("position");
-- Name: snapshots snapshots_pkey; Type: CONSTRAINT; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.snapshots
    ADD CONSTRAINT snapshots_pkey PRIMARY KEY (projection, version, stream, "position");
-- Name: streams streams_name_key; Type: CONSTRAINT; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.streams
    ADD CONSTRAINT streams_name_key UNIQUE (name);
-- Name: streams streams_pkey; Type: CONSTRAINT; Schema: qiki; Owner: -
ALTER TABLE ONLY qiki.streams
    ADD CONSTRAINT streams_pkey PRIMARY KEY (id);
-- Name: events_correlation; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_correlation ON ONLY qiki.events USING btree (correlation) WHERE (correlation IS NOT NULL);
-- Name: events_20261126_correlation_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261126_correlation_idx ON qiki.events_20261126 USING btree (correlation) WHERE (correlation IS NOT NULL);
-- Name: events_position; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_position ON ONLY qiki.events USING btree ("position");
-- Name: events_20261126_position_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261126_position_idx ON qiki.events_20261126 USING btree ("position");
-- Name: events_recorded; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_recorded ON ONLY qiki.events USING brin (recorded);
-- Name: events_20261126_recorded_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261126_recorded_idx ON qiki.events_20261126 USING brin (recorded);
-- Name: events_stream; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_stream ON ONLY qiki.events USING btree (stream, version);
-- Name: events_20261126_stream_version_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261126_stream_version_idx ON qiki.events_20261126 USING btree (stream, version);
-- Name: events_time; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_time ON ONLY qiki.events USING btree ("time");
-- Name: events_20261126_time_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261126_time_idx ON qiki.events_20261126 USING btree ("time");
-- Name: events_20261203_correlation_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261203_correlation_idx ON qiki.events_20261203 USING btree (correlation) WHERE (correlation IS NOT NULL);
-- Name: events_20261203_position_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261203_position_idx ON qiki.events_20261203 USING btree ("position");
-- Name: events_20261203_recorded_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261203_recorded_idx ON qiki.events_20261203 USING brin (recorded);
-- Name: events_20261203_stream_version_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261203_stream_version_idx ON qiki.events_20261203 USING btree (stream, version);
-- Name: events_20261203_time_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261203_time_idx ON qiki.events_20261203 USING btree ("time");
-- Name: events_20261210_correlation_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261210_correlation_idx ON qiki.events_20261210 USING btree (correlation) WHERE (correlation IS NOT NULL);
-- Name: events_20261210_position_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261210_position_idx ON qiki.events_20261210 USING btree ("position");
-- Name: events_20261210_recorded_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261210_recorded_idx ON qiki.events_20261210 USING brin (recorded);
-- Name: events_20261210_stream_version_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261210_stream_version_idx ON qiki.events_20261210 USING btree (stream, version);
-- Name: events_20261210_time_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_20261210_time_idx ON qiki.events_20261210 USING btree ("time");
-- Name: events_default_correlation_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_default_correlation_idx ON qiki.events_default USING btree (correlation) WHERE (correlation IS NOT NULL);
-- Name: events_default_position_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_default_position_idx ON qiki.events_default USING btree ("position");
-- Name: events_default_recorded_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_default_recorded_idx ON qiki.events_default USING brin (recorded);
-- Name: events_default_stream_version_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_default_stream_version_idx ON qiki.events_default USING btree (stream, version);
-- Name: events_default_time_idx; Type: INDEX; Schema: qiki; Owner: -
CREATE INDEX events_default_time_idx ON qiki.events_default USING btree ("time");
-- Name: events_20261126_correlation_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_correlation ATTACH PARTITION qiki.events_20261126_correlation_idx;
-- Name: events_20261126_position_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_position ATTACH PARTITION qiki.events_20261126_position_idx;
-- Name: events_20261126_recorded_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_recorded ATTACH PARTITION qiki.events_20261126_recorded_idx;
-- Name: events_20261126_stream_version_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_stream ATTACH PARTITION qiki.events_20261126_stream_version_idx;
-- Name: events_20261126_time_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_time ATTACH PARTITION qiki.events_20261126_time_idx;
-- Name: events_20261203_correlation_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_correlation ATTACH PARTITION qiki.events_20261203_correlation_idx;
-- Name: events_20261203_position_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_position ATTACH PARTITION qiki.events_20261203_position_idx;
-- Name: events_20261203_recorded_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_recorded ATTACH PARTITION qiki.events_20261203_recorded_idx;
-- Name: events_20261203_stream_version_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_stream ATTACH PARTITION qiki.events_20261203_stream_version_idx;
-- Name: events_20261203_time_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_time ATTACH PARTITION qiki.events_20261203_time_idx;
-- Name: events_20261210_correlation_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_correlation ATTACH PARTITION qiki.events_20261210_correlation_idx;
-- Name: events_20261210_position_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_position ATTACH PARTITION qiki.events_20261210_position_idx;
-- Name: events_20261210_recorded_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_recorded ATTACH PARTITION qiki.events_20261210_recorded_idx;
-- Name: events_20261210_stream_version_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_stream ATTACH PARTITION qiki.events_20261210_stream_version_idx;
-- Name: events_20261210_time_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_time ATTACH PARTITION qiki.events_20261210_time_idx;
-- Name: events_default_correlation_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_correlation ATTACH PARTITION qiki.events_default_correlation_idx;
-- Name: events_default_position_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_position ATTACH PARTITION qiki.events_default_position_idx;
-- Name: events_default_recorded_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_recorded ATTACH PARTITION qiki.events_default_recorded_idx;
-- Name: events_default_stream_version_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_stream ATTACH PARTITION qiki.events_default_stream_version_idx;
-- Name: events_default_time_idx; Type: INDEX ATTACH; Schema: qiki; Owner: -
ALTER INDEX qiki.events_time ATTACH PARTITION qiki.events_default_time_idx;
-- PostgreSQL database dump complete
