-- SPDX-License-Identifier: Apache-2.0
--
-- The nightly job: settles what arrived on one business day, and what was carried over from days before.
--
--   psql -v day=2024-03-01 -f batch.sql
--
-- One transaction. Idempotent: every line has a business key (payment; payment and refund id; payout; adjustment), of which the event that
-- arrived first counts, and the rest are copies. A line belongs to the business day on which its event occurred, however late it
-- arrives. What works on something that has not come is carried over. Payouts are checked for cover, in order of arrival, against what the
-- merchant has when everything else of the run is booked; refunds, chargebacks and debits are taken as they are.

\set ON_ERROR_STOP on
BEGIN;
SET LOCAL search_path = legacy;
SET LOCAL client_min_messages = warning;
SET LOCAL work_mem = '128MB';
SET LOCAL jit = off;
LOCK TABLE batch_runs IN SHARE ROW EXCLUSIVE MODE;  -- one job at a time

INSERT INTO batch_runs (business_day) VALUES (:'day') RETURNING run_no AS run \gset

-- ---- What there is to do -----------------------------------------------------------------------------------------

-- The defects that are switched on, by shard.
CREATE TEMP TABLE defects_of ON COMMIT DROP AS
  SELECT shard, ARRAY(SELECT name FROM defects WHERE enabled AND shard = ANY (shards)) AS defects
  FROM (SELECT shard::smallint FROM generate_series(0, 9) AS shard) AS all_shards;

CREATE TEMP TABLE todo ON COMMIT DROP AS
  SELECT r.raw_id, r.event_type, r.payment_id, r.refund_id, r.payout_id, r.merchant_id, r.currency, r.amount,
         coalesce(r.fee, 0) AS fee, r.direction, r.occurred_at, coalesce(r.refund_id, r.occurred_text) AS refund_key,
         r.occurred_text, d.defects,
         (r.occurred_at AT TIME ZONE CASE WHEN 'day_shift' = ANY (d.defects) THEN 'UTC' ELSE s.time_zone END)::date
           AS business_day,
         (r.occurred_at AT TIME ZONE s.time_zone)::time >= s.refund_cutoff AS last_hour
  FROM (SELECT * FROM raw_events WHERE load_day = :'day'
        UNION ALL
        SELECT raw_events.* FROM carried_over JOIN raw_events USING (raw_id) WHERE load_day <> :'day') AS r
  JOIN merchants m USING (merchant_id)
  JOIN defects_of d USING (shard)
  CROSS JOIN settings s;
ANALYZE todo (event_type, payment_id, payout_id, merchant_id);  -- here and below: what was empty an hour ago is planned as if it still were

-- What the run does to balances. Not the lines but the events say it: a line that is written wrongly moves the same money.
CREATE TEMP TABLE moves (merchant_id varchar, currency char(3), amount numeric) ON COMMIT DROP;
-- What it changes in lines of runs before: a chargeback lost or a payout paid in part.
CREATE TEMP TABLE corrections (business_day date, currency char(3), amount numeric) ON COMMIT DROP;

-- ---- Captures, adjustments ---------------------------------------------------------------------------------------

WITH booked AS (
  INSERT INTO captures (payment_id, merchant_id, currency, gross, fee, business_day, captured_at, run_no, raw_id)
  SELECT DISTINCT ON (t.payment_id) t.payment_id, t.merchant_id,
         CASE WHEN 'wrong_currency' = ANY (t.defects) AND t.currency = 'EUR' THEN 'USD' ELSE t.currency END,
         CASE WHEN 'yen_as_cents' = ANY (t.defects) AND t.currency = 'JPY' THEN t.amount * 100 ELSE t.amount END,
         CASE WHEN 'rounding' = ANY (t.defects)
              THEN least(t.amount, round(t.amount * c.fee_rate, c.minor_digits) + c.fee_fixed) ELSE t.fee END,
         t.business_day, t.occurred_at, :run, t.raw_id
  FROM todo t JOIN currencies c ON c.code = t.currency
  WHERE t.event_type = 'PAYMENT_CAPTURED'
  ORDER BY t.payment_id, t.raw_id
  ON CONFLICT (payment_id) DO NOTHING
  RETURNING raw_id)
INSERT INTO moves SELECT merchant_id, currency, amount - fee FROM booked JOIN todo USING (raw_id);
ANALYZE captures (payment_id);

WITH booked AS (
  INSERT INTO adjustments (adjustment_id, merchant_id, currency, amount, business_day, adjusted_at, run_no, raw_id)
  SELECT DISTINCT ON (payment_id) payment_id, merchant_id, currency,
         CASE direction WHEN 'CREDIT' THEN amount ELSE -amount END, business_day, occurred_at, :run, raw_id
  FROM todo
  WHERE event_type = 'ADJUSTMENT'
  ORDER BY payment_id, raw_id
  ON CONFLICT (adjustment_id) DO NOTHING
  RETURNING merchant_id, currency, amount)
INSERT INTO moves SELECT merchant_id, currency, amount FROM booked;

-- ---- Refunds ------------------------------------------------------------------------------------------------------

-- New ones of captures that are there, each with what of its payment is left.
CREATE TEMP TABLE new_refunds ON COMMIT DROP AS
  SELECT DISTINCT ON (t.payment_id, t.refund_key) t.*, o.amount AS captured,
         o.amount - coalesce((SELECT sum(r.amount) FROM refunds r WHERE r.payment_id = t.payment_id), 0) AS left_over
  FROM todo t
  JOIN captures c USING (payment_id)
  JOIN raw_events o ON o.raw_id = c.raw_id
  WHERE t.event_type = 'PAYMENT_REFUNDED'
    AND NOT EXISTS (SELECT FROM refunds r WHERE r.payment_id = t.payment_id AND r.business_key = t.refund_key)
  ORDER BY t.payment_id, t.refund_key, t.raw_id;

-- More than the payment: refused, and not counted against those that come after.
WITH refused AS (DELETE FROM new_refunds WHERE amount > left_over RETURNING *)
INSERT INTO refusals SELECT 'refund', payment_id || '/' || refund_key, 'too_much', :run, raw_id FROM refused
ON CONFLICT DO NOTHING;

WITH in_order AS (
  SELECT *, sum(amount) OVER (PARTITION BY payment_id ORDER BY raw_id) AS running FROM new_refunds),
refused AS (
  INSERT INTO refusals
  SELECT 'refund', payment_id || '/' || refund_key, 'too_much', :run, raw_id FROM in_order WHERE running > left_over
  ON CONFLICT DO NOTHING),
booked AS (
  INSERT INTO refunds (payment_id, refund_id, business_key, merchant_id, currency, amount, fee_returned, business_day,
                       refunded_at, run_no, raw_id)
  SELECT payment_id, refund_id, refund_key, merchant_id, currency, amount, fee, business_day, occurred_at, :run, raw_id
  FROM in_order
  WHERE running <= left_over
    AND NOT ('missed_refund' = ANY (defects) AND last_hour AND amount < captured)
  RETURNING merchant_id, currency, amount, fee_returned)
INSERT INTO moves SELECT merchant_id, currency, fee_returned - amount FROM booked;

-- ---- Chargebacks --------------------------------------------------------------------------------------------------

WITH booked AS (
  INSERT INTO chargebacks (payment_id, merchant_id, currency, amount, business_day, opened_at, run_no, raw_id)
  SELECT DISTINCT ON (payment_id) payment_id, merchant_id, currency, amount, business_day, occurred_at, :run, raw_id
  FROM todo
  WHERE event_type = 'DISPUTE_OPENED'
  ORDER BY payment_id, raw_id
  ON CONFLICT (payment_id) DO NOTHING
  RETURNING merchant_id, currency, amount)
INSERT INTO moves SELECT merchant_id, currency, -amount FROM booked;
ANALYZE chargebacks (payment_id, status);

WITH ends AS (
  SELECT DISTINCT ON (payment_id) payment_id, event_type, business_day, occurred_at, amount
  FROM todo WHERE event_type IN ('DISPUTE_LOST', 'DISPUTE_WON')
  ORDER BY payment_id, raw_id),
closed AS (
  UPDATE chargebacks c
  SET status = CASE e.event_type WHEN 'DISPUTE_LOST' THEN 'LOST' ELSE 'WON' END, closed_day = e.business_day,
      lost_amount = CASE e.event_type WHEN 'DISPUTE_LOST' THEN coalesce(e.amount, c.amount) END, closed_at = e.occurred_at
  FROM ends e
  WHERE e.payment_id = c.payment_id AND c.status = 'OPEN'
  RETURNING c.*),
corrected AS (
  INSERT INTO corrections SELECT business_day, currency, amount - lost_amount FROM closed
  WHERE run_no <> :run AND lost_amount <> amount)
INSERT INTO moves SELECT merchant_id, currency, amount - coalesce(lost_amount, 0) FROM closed;

-- ---- Payouts ------------------------------------------------------------------------------------------------------

-- What each merchant has to pay out from.
CREATE TEMP TABLE funds ON COMMIT DROP AS
  SELECT merchant_id, currency, sum(amount) AS available
  FROM (SELECT * FROM moves UNION ALL SELECT * FROM balances) AS all_of_it
  GROUP BY merchant_id, currency;
ANALYZE funds;

WITH asked AS (
  SELECT DISTINCT ON (t.payout_id) t.*, coalesce(f.available, 0) AS available
  FROM todo t LEFT JOIN funds f USING (merchant_id, currency)
  WHERE t.event_type = 'PAYOUT_REQUESTED' AND NOT EXISTS (SELECT FROM payouts p WHERE p.payout_id = t.payout_id)
  ORDER BY t.payout_id, t.raw_id),
-- One that can never be covered does not stand in the way of the others.
in_order AS (
  SELECT *, amount <= available AND sum(amount) FILTER (WHERE amount <= available)
                                    OVER (PARTITION BY merchant_id, currency ORDER BY raw_id) <= available AS covered
  FROM asked),
booked AS (
  INSERT INTO payouts (payout_id, merchant_id, currency, amount, status, business_day, requested_at, run_no, raw_id)
  SELECT payout_id, merchant_id, currency, amount, CASE WHEN covered THEN 'SENT' ELSE 'REJ' END, business_day,
         occurred_at, :run, raw_id
  FROM in_order
  RETURNING *)
INSERT INTO moves SELECT merchant_id, currency, -amount FROM booked WHERE status = 'SENT';
ANALYZE payouts (payout_id, request_no, status);

WITH ends AS (
  SELECT DISTINCT ON (payout_id) payout_id, event_type, business_day, occurred_at, amount
  FROM todo WHERE event_type IN ('PAYOUT_PAID', 'PAYOUT_FAILED', 'PAYOUT_CANCELED')
  ORDER BY payout_id, raw_id),
ended AS (
  UPDATE payouts p
  SET status = CASE e.event_type WHEN 'PAYOUT_PAID' THEN 'PAID' WHEN 'PAYOUT_FAILED' THEN 'FAIL' ELSE 'CANC' END,
      paid_amount = CASE e.event_type WHEN 'PAYOUT_PAID' THEN coalesce(e.amount, p.amount) END,
      ended_day = e.business_day, ended_at = e.occurred_at
  FROM ends e
  WHERE e.payout_id = p.payout_id AND p.status = 'SENT'
  RETURNING p.*),
corrected AS (
  INSERT INTO corrections SELECT business_day, currency, amount - paid_amount FROM ended
  WHERE run_no <> :run AND paid_amount <> amount)
INSERT INTO moves SELECT merchant_id, currency, amount - coalesce(paid_amount, 0) FROM ended WHERE request_no = 0;
ANALYZE payouts (payout_id, request_no, status);

-- The defect: whoever asks again under a new timestamp is paid again, and nobody's balance knows of it.
INSERT INTO payouts (payout_id, request_no, merchant_id, currency, amount, paid_amount, status, business_day, requested_at,
                     ended_day, ended_at, run_no, raw_id)
SELECT DISTINCT ON (t.payout_id, t.occurred_text) t.payout_id, t.raw_id, t.merchant_id, t.currency, t.amount,
       p.paid_amount, p.status, p.business_day, t.occurred_at, p.ended_day, p.ended_at, :run, t.raw_id
FROM todo t
JOIN payouts p ON p.payout_id = t.payout_id AND p.request_no = 0 AND p.status <> 'REJ'
JOIN raw_events o ON o.raw_id = p.raw_id
WHERE t.event_type = 'PAYOUT_REQUESTED' AND 'duplicate_payout' = ANY (t.defects)
  AND t.occurred_text <> o.occurred_text
ORDER BY t.payout_id, t.occurred_text, t.raw_id
ON CONFLICT (payout_id, request_no) DO NOTHING;

WITH new_returns AS (
  SELECT DISTINCT ON (t.payout_id) t.*, coalesce(t.amount, p.paid_amount) AS back, p.currency AS paid_in
  FROM todo t JOIN payouts p ON p.payout_id = t.payout_id AND p.request_no = 0 AND p.status = 'PAID'
  WHERE t.event_type = 'PAYOUT_RETURNED' AND coalesce(t.amount, p.paid_amount) <= p.paid_amount
  ORDER BY t.payout_id, t.raw_id),
booked AS (
  INSERT INTO payout_returns (payout_id, merchant_id, currency, amount, business_day, returned_at, run_no, raw_id)
  SELECT payout_id, merchant_id, paid_in, back, business_day, occurred_at, :run, raw_id FROM new_returns
  ON CONFLICT (payout_id) DO NOTHING
  RETURNING merchant_id, currency, amount)
INSERT INTO moves SELECT merchant_id, currency, amount FROM booked;

-- ---- Books closed -------------------------------------------------------------------------------------------------

INSERT INTO balances SELECT merchant_id, currency, sum(amount) FROM moves GROUP BY merchant_id, currency
ON CONFLICT (merchant_id, currency) DO UPDATE SET available = balances.available + excluded.available;

DELETE FROM carried_over;
INSERT INTO carried_over
SELECT raw_id FROM todo t
WHERE event_type = 'PAYMENT_REFUNDED' AND NOT EXISTS (SELECT FROM captures c WHERE c.payment_id = t.payment_id)
UNION ALL
SELECT raw_id FROM todo t
WHERE event_type IN ('DISPUTE_LOST', 'DISPUTE_WON')
  AND NOT EXISTS (SELECT FROM chargebacks c WHERE c.payment_id = t.payment_id)
UNION ALL
SELECT raw_id FROM todo t
WHERE event_type IN ('PAYOUT_PAID', 'PAYOUT_FAILED', 'PAYOUT_CANCELED')
  AND NOT EXISTS (SELECT FROM payouts p WHERE p.payout_id = t.payout_id)
UNION ALL
SELECT raw_id FROM todo t
WHERE event_type = 'PAYOUT_RETURNED'
  AND NOT EXISTS (SELECT FROM payouts p WHERE p.payout_id = t.payout_id AND p.status IN ('PAID', 'FAIL', 'CANC'));

INSERT INTO control_totals AS c (business_day, currency, lines, amount, run_no)
SELECT business_day, currency, sum(lines), sum(amount), :run
FROM (SELECT business_day, currency, 1 AS lines, gross AS amount FROM captures WHERE run_no = :run
      UNION ALL SELECT business_day, currency, 1, -amount FROM refunds WHERE run_no = :run
      UNION ALL SELECT business_day, currency, 1, -coalesce(lost_amount, amount) FROM chargebacks WHERE run_no = :run
      UNION ALL SELECT business_day, currency, 1, -coalesce(paid_amount, amount) FROM payouts WHERE run_no = :run
      UNION ALL SELECT business_day, currency, 1, amount FROM payout_returns WHERE run_no = :run
      UNION ALL SELECT business_day, currency, 1, amount FROM adjustments WHERE run_no = :run
      UNION ALL SELECT business_day, currency, 0, amount FROM corrections) AS lines
GROUP BY business_day, currency
ON CONFLICT (business_day, currency) DO UPDATE
  SET lines = c.lines + excluded.lines, amount = c.amount + excluded.amount, run_no = excluded.run_no;

UPDATE batch_runs
SET finished_at = clock_timestamp(), events_in = (SELECT count(*) FROM todo),
    carried_over = (SELECT count(*) FROM carried_over)
WHERE run_no = :run;
COMMIT;
