-- SPDX-License-Identifier: Apache-2.0
--
-- The books of a batch system of the kind that northwind replaces: raw payment events are loaded as they come, and a job settles
-- one business day each night (batch.sql). Amounts are decimals of the currency, statuses are words of its own, keys are serial.

SET client_min_messages = warning;
DROP SCHEMA IF EXISTS legacy CASCADE;
CREATE SCHEMA legacy;
SET search_path = legacy;

-- ---- Master data ------------------------------------------------------------------------------------------------

CREATE TABLE settings (
  only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  time_zone         text NOT NULL,           -- of the business day
  refund_cutoff     time NOT NULL            -- from here on it is "the last hour": the missed_refund defect
);
INSERT INTO settings (time_zone, refund_cutoff) VALUES ('America/New_York', '23:00');

CREATE TABLE currencies (
  code              char(3) PRIMARY KEY,
  minor_digits      smallint NOT NULL,
  fee_rate          numeric(6,4) NOT NULL,   -- of the price list; what is owed is the fee of the event
  fee_fixed         numeric(12,2) NOT NULL
);
INSERT INTO currencies VALUES ('USD', 2, 0.0290, 0.30), ('EUR', 2, 0.0290, 0.30), ('JPY', 0, 0.0290, 10);

CREATE TABLE merchants (
  merchant_no       serial PRIMARY KEY,
  merchant_id       varchar(64) NOT NULL UNIQUE,
  shard             smallint NOT NULL,       -- last digit of the id: which of ten servers once kept it
  created_at        timestamptz NOT NULL DEFAULT now()
);

-- What was wrong with the job in the course of the years, each for the merchants of some shards. batch.sql reads it.
CREATE TABLE defects (
  name              text PRIMARY KEY,
  shards            smallint[] NOT NULL,
  enabled           boolean NOT NULL DEFAULT false,
  what              text NOT NULL
);
INSERT INTO defects (name, shards, what) VALUES
  ('rounding',         '{3}',   'the fee is computed from the price list and rounded half up, not taken from the event'),
  ('day_shift',        '{7}',   'the business day is that of UTC'),
  ('missed_refund',    '{1,4}', 'partial refunds in the last hour of a business day are lost'),
  ('duplicate_payout', '{2,6}', 'a payout whose request is sent again under a new timestamp is paid again'),
  ('wrong_currency',   '{9}',   'captures in EUR are booked as USD'),
  ('yen_as_cents',     '{0}',   'captures in JPY are booked a hundred times too high');

-- ---- Raw events ------------------------------------------------------------------------------------------------

CREATE TABLE raw_events (
  raw_id            bigint PRIMARY KEY,      -- in the order of arrival
  load_day          date NOT NULL,           -- business day on which it arrived
  event_type        varchar(20) NOT NULL,
  payment_id        varchar(64),
  refund_id         varchar(63),
  payout_id         varchar(64),
  merchant_id       varchar(64) NOT NULL,
  currency          char(3),
  amount            numeric(24,2),
  fee               numeric(24,2),
  direction         varchar(6),
  occurred_at       timestamptz NOT NULL,    -- to the microsecond, cut off
  occurred_text     varchar(30) NOT NULL,    -- as it came: tells events apart that differ by less
  payload           text NOT NULL
);
CREATE INDEX raw_events_load_day ON raw_events (load_day);

CREATE TABLE load_errors (
  raw_id            bigint PRIMARY KEY,
  reason            text NOT NULL,
  payload           bytea NOT NULL
);

-- Events that arrived before what they are about: tried again in every later run.
CREATE TABLE carried_over (
  raw_id            bigint PRIMARY KEY
);

-- ---- Settlement ------------------------------------------------------------------------------------------------

CREATE TABLE batch_runs (
  run_no            serial PRIMARY KEY,
  business_day      date NOT NULL,
  started_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at       timestamptz,
  events_in         bigint,
  carried_over      bigint
);

-- One serial for the lines of all settlement tables.
CREATE SEQUENCE settlement_line CACHE 100;

CREATE TABLE captures (
  line_no           bigint PRIMARY KEY DEFAULT nextval('settlement_line'),
  payment_id        varchar(64) NOT NULL UNIQUE,
  merchant_id       varchar(64) NOT NULL,
  currency          char(3) NOT NULL,
  gross             numeric(24,2) NOT NULL,
  fee               numeric(24,2) NOT NULL,
  status            varchar(4) NOT NULL DEFAULT 'SETL',
  business_day      date NOT NULL,
  captured_at       timestamptz NOT NULL,
  run_no            integer NOT NULL,
  raw_id            bigint NOT NULL
);

CREATE TABLE refunds (
  line_no           bigint PRIMARY KEY DEFAULT nextval('settlement_line'),
  payment_id        varchar(64) NOT NULL,
  refund_id         varchar(63),
  business_key      varchar(64) NOT NULL,    -- the refund id; of those without, when it occurred
  merchant_id       varchar(64) NOT NULL,
  currency          char(3) NOT NULL,
  amount            numeric(24,2) NOT NULL,
  fee_returned      numeric(24,2) NOT NULL,
  status            varchar(4) NOT NULL DEFAULT 'SETL',
  business_day      date NOT NULL,
  refunded_at       timestamptz NOT NULL,
  run_no            integer NOT NULL,
  raw_id            bigint NOT NULL,
  UNIQUE (payment_id, business_key)
);

CREATE TABLE chargebacks (
  line_no           bigint PRIMARY KEY DEFAULT nextval('settlement_line'),
  payment_id        varchar(64) NOT NULL UNIQUE,
  merchant_id       varchar(64) NOT NULL,
  currency          char(3) NOT NULL,
  amount            numeric(24,2) NOT NULL,
  lost_amount       numeric(24,2),           -- LOST: all of it, or a part
  status            varchar(4) NOT NULL DEFAULT 'OPEN',  -- OPEN, LOST, WON
  business_day      date NOT NULL,
  opened_at         timestamptz NOT NULL,
  closed_day        date,
  closed_at         timestamptz,
  run_no            integer NOT NULL,
  raw_id            bigint NOT NULL
);

CREATE TABLE payouts (
  line_no           bigint PRIMARY KEY DEFAULT nextval('settlement_line'),
  payout_id         varchar(64) NOT NULL,
  request_no        bigint NOT NULL DEFAULT 0,  -- 0, or the raw event of a request that was paid again
  merchant_id       varchar(64) NOT NULL,
  currency          char(3) NOT NULL,
  amount            numeric(24,2) NOT NULL,
  paid_amount       numeric(24,2),           -- PAID: all of it, or a part
  status            varchar(4) NOT NULL DEFAULT 'SENT',  -- SENT, PAID, FAIL, CANC; REJ: never sent
  business_day      date NOT NULL,
  requested_at      timestamptz NOT NULL,
  ended_day         date,
  ended_at          timestamptz,
  run_no            integer NOT NULL,
  raw_id            bigint NOT NULL,
  UNIQUE (payout_id, request_no)
);

CREATE TABLE payout_returns (
  line_no           bigint PRIMARY KEY DEFAULT nextval('settlement_line'),
  payout_id         varchar(64) NOT NULL UNIQUE,
  merchant_id       varchar(64) NOT NULL,
  currency          char(3) NOT NULL,
  amount            numeric(24,2) NOT NULL,
  status            varchar(4) NOT NULL DEFAULT 'SETL',
  business_day      date NOT NULL,
  returned_at       timestamptz NOT NULL,
  run_no            integer NOT NULL,
  raw_id            bigint NOT NULL
);

CREATE TABLE adjustments (
  line_no           bigint PRIMARY KEY DEFAULT nextval('settlement_line'),
  adjustment_id     varchar(64) NOT NULL UNIQUE,
  merchant_id       varchar(64) NOT NULL,
  currency          char(3) NOT NULL,
  amount            numeric(24,2) NOT NULL,  -- debits are negative
  status            varchar(4) NOT NULL DEFAULT 'SETL',
  business_day      date NOT NULL,
  adjusted_at       timestamptz NOT NULL,
  run_no            integer NOT NULL,
  raw_id            bigint NOT NULL
);

-- Refunds, chargebacks and debits that were refused, with the reason: not looked at again.
CREATE TABLE refusals (
  kind              varchar(12) NOT NULL,
  business_key      varchar(130) NOT NULL,
  reason            varchar(20) NOT NULL,
  run_no            integer NOT NULL,
  raw_id            bigint NOT NULL,
  PRIMARY KEY (kind, business_key)
);

CREATE TABLE balances (
  merchant_id       varchar(64) NOT NULL,
  currency          char(3) NOT NULL,
  available         numeric(28,2) NOT NULL,
  PRIMARY KEY (merchant_id, currency)
);

-- What finance checks in the morning: lines and their sum as the merchant sees them, of every business day and currency that a run
-- touched. Rejected payouts are lines too.
CREATE TABLE control_totals (
  business_day      date NOT NULL,
  currency          char(3) NOT NULL,
  lines             bigint NOT NULL,
  amount            numeric(28,2) NOT NULL,
  run_no            integer NOT NULL,
  PRIMARY KEY (business_day, currency)
);
