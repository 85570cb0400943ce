-- SPDX-License-Identifier: Apache-2.0
--
-- The mirror's tables, first version; docs/mirror.md says what they mean. Mirror::Migrate runs this in one transaction, with search_path
-- set to the mirror's schema: nothing here names it.

-- ---- Where the mirror is ------------------------------------------------------------------------------------

CREATE TABLE watermark (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  ledger_id uuid,
  sequence bigint NOT NULL DEFAULT 0 CHECK (sequence >= 0),
  block_hash bytea,
  epoch bigint NOT NULL DEFAULT 0,
  recorded_at timestamptz,
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((sequence = 0) = (block_hash IS NULL)),
  CHECK ((sequence = 0) = (recorded_at IS NULL))
) WITH (fillfactor = 50);
INSERT INTO watermark DEFAULT VALUES;

COMMENT ON TABLE watermark IS 'One row: up to where the ledger''s journal is here. It moves in the transaction that brings the rows.';
COMMENT ON COLUMN watermark.one IS 'Always true: there is one row.';
COMMENT ON COLUMN watermark.ledger_id IS 'The ledger that this is a mirror of; null before the first.';
COMMENT ON COLUMN watermark.sequence IS 'The last journal record that is here; all before it are as well.';
COMMENT ON COLUMN watermark.block_hash IS 'SHA-256 of the journal block that holds that record; it pins the journal up to there.';
COMMENT ON COLUMN watermark.epoch IS 'One more each time that a mirror begins: the one before it can write no more.';
COMMENT ON COLUMN watermark.recorded_at IS 'When that record was recorded.';
COMMENT ON COLUMN watermark.updated_at IS 'When the watermark moved, by the clock of this server.';

-- ---- Accounts -----------------------------------------------------------------------------------------------

CREATE TABLE accounts (
  account_id bigint PRIMARY KEY,
  opened_sequence bigint NOT NULL,
  opened_at timestamptz NOT NULL,
  updated_sequence bigint NOT NULL,
  updated_at timestamptz NOT NULL,
  external boolean NOT NULL,
  name text NOT NULL COLLATE "C" UNIQUE,
  asset text NOT NULL,
  merchant_id text COLLATE "C",
  state text NOT NULL CHECK (state IN ('open', 'frozen', 'closed')),
  min_available numeric(39, 0) NOT NULL,
  debits_posted numeric(39, 0) NOT NULL,
  credits_posted numeric(39, 0) NOT NULL,
  debits_held numeric(39, 0) NOT NULL,
  credits_held numeric(39, 0) NOT NULL,
  posted numeric(39, 0) NOT NULL GENERATED ALWAYS AS (credits_posted - debits_posted) STORED,
  available numeric(39, 0) NOT NULL GENERATED ALWAYS AS (credits_posted - debits_posted - debits_held) STORED
) WITH (fillfactor = 70);
CREATE INDEX accounts_merchant ON accounts (merchant_id) WHERE merchant_id IS NOT NULL;

COMMENT ON TABLE accounts IS 'Every account as it stands at the watermark. All amounts are whole minor units.';
COMMENT ON COLUMN accounts.account_id IS 'The ledger''s number of the account.';
COMMENT ON COLUMN accounts.opened_sequence IS 'The journal record that opened it.';
COMMENT ON COLUMN accounts.opened_at IS 'When that was recorded.';
COMMENT ON COLUMN accounts.updated_sequence IS 'The last journal record that changed it or moved money on it.';
COMMENT ON COLUMN accounts.updated_at IS 'When that was recorded.';
COMMENT ON COLUMN accounts.external IS 'Stands for the outside world: has no limit.';
COMMENT ON COLUMN accounts.name IS 'Its path, as merchant:42:available:USD/2.';
COMMENT ON COLUMN accounts.asset IS 'Code and digits after the decimal point, as USD/2.';
COMMENT ON COLUMN accounts.merchant_id IS 'Whose it is, if its name is merchant:<id>:available:<asset>.';
COMMENT ON COLUMN accounts.state IS 'open, frozen or closed.';
COMMENT ON COLUMN accounts.min_available IS 'The least that available may fall to.';
COMMENT ON COLUMN accounts.debits_posted IS 'All that was moved away.';
COMMENT ON COLUMN accounts.credits_posted IS 'All that was moved here.';
COMMENT ON COLUMN accounts.debits_held IS 'Reserved to be moved away.';
COMMENT ON COLUMN accounts.credits_held IS 'Reserved elsewhere to be moved here.';
COMMENT ON COLUMN accounts.posted IS 'credits_posted - debits_posted: the balance.';
COMMENT ON COLUMN accounts.available IS 'posted - debits_held: what can still be moved away.';

-- ---- What happened ------------------------------------------------------------------------------------------

CREATE TABLE transactions (
  sequence bigint NOT NULL,
  recorded_at timestamptz NOT NULL,
  key uuid,
  target_sequence bigint,
  effective_at timestamptz,
  expires_at timestamptz,
  code integer NOT NULL,
  unique_reference boolean NOT NULL,
  final_capture boolean NOT NULL,
  kind text NOT NULL,
  reference text COLLATE "C",
  event_type text,
  merchant_id text COLLATE "C",
  released numeric(39, 0),
  metadata bytea,
  PRIMARY KEY (sequence, recorded_at),
  CHECK ((key IS NULL) = (kind = 'expiry'))
) PARTITION BY RANGE (recorded_at);
CREATE INDEX transactions_key ON transactions (key);
CREATE INDEX transactions_reference ON transactions (reference) WHERE reference IS NOT NULL;
CREATE INDEX transactions_target ON transactions (target_sequence) WHERE target_sequence IS NOT NULL;
-- Rows come in the order of time: a few numbers for each 256 kB tell where a day is.
CREATE INDEX transactions_recorded ON transactions USING brin (recorded_at) WITH (pages_per_range = 32, autosummarize = on);

COMMENT ON TABLE transactions IS 'Every applied transaction, and every expiry of a hold; by month of recorded_at (UTC). Rows never change.';
COMMENT ON COLUMN transactions.sequence IS 'Its place in the journal.';
COMMENT ON COLUMN transactions.recorded_at IS 'When it was recorded, cut to microseconds. It grows with the sequence.';
COMMENT ON COLUMN transactions.key IS 'Its idempotency key; null for an expiry.';
COMMENT ON COLUMN transactions.target_sequence IS 'Capture, release, expiry: the hold. Reverse: the post or capture that it moves back.';
COMMENT ON COLUMN transactions.effective_at IS 'When it happened, as the caller says, cut to microseconds.';
COMMENT ON COLUMN transactions.expires_at IS 'Hold: when what remains of it goes back, cut to microseconds.';
COMMENT ON COLUMN transactions.code IS 'The caller''s category; of the hold, for an expiry. 1001-1011 are those of settlement''s events.';
COMMENT ON COLUMN transactions.unique_reference IS 'No other applied transaction has this code and reference, ever.';
COMMENT ON COLUMN transactions.final_capture IS 'Capture: what it left of the hold was released.';
COMMENT ON COLUMN transactions.kind IS 'post, hold, capture, release, reverse or expiry.';
COMMENT ON COLUMN transactions.reference IS 'The caller''s name for it, as a payment''s id; null if none. NUL, the backslash and bytes that are no UTF-8 are written \ooo.';
COMMENT ON COLUMN transactions.event_type IS 'The event of settlement that it stands for, by its code.';
COMMENT ON COLUMN transactions.merchant_id IS 'The merchant of the first merchant''s account that it has an entry on.';
COMMENT ON COLUMN transactions.released IS 'Final capture, release, expiry: what went back of the hold.';
COMMENT ON COLUMN transactions.metadata IS 'The caller''s bytes; null if none.';

CREATE TABLE postings (
  sequence bigint NOT NULL,
  recorded_at timestamptz NOT NULL,
  account_id bigint NOT NULL,
  entry integer NOT NULL,
  kind text NOT NULL,
  amount numeric(39, 0) NOT NULL,
  posted numeric(39, 0) NOT NULL,
  available numeric(39, 0) NOT NULL,
  PRIMARY KEY (sequence, entry, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX postings_account ON postings (account_id, sequence);
CREATE INDEX postings_recorded ON postings USING brin (recorded_at) WITH (pages_per_range = 32, autosummarize = on);

COMMENT ON TABLE postings IS 'Every entry of every account: one row for each side of a posting; by month of recorded_at (UTC). Rows never change.';
COMMENT ON COLUMN postings.sequence IS 'The transaction.';
COMMENT ON COLUMN postings.recorded_at IS 'When that was recorded, cut to microseconds.';
COMMENT ON COLUMN postings.account_id IS 'The account.';
COMMENT ON COLUMN postings.entry IS 'The place among the entries of that transaction, from 0.';
COMMENT ON COLUMN postings.kind IS 'debit, credit, hold_debit, hold_credit, capture_debit, capture_credit, release_debit or release_credit.';
COMMENT ON COLUMN postings.amount IS 'Whole minor units, at least 1.';
COMMENT ON COLUMN postings.posted IS 'The account''s balance right after this entry.';
COMMENT ON COLUMN postings.available IS 'What could be moved away right after this entry.';

CREATE TABLE rejections (
  sequence bigint NOT NULL,
  recorded_at timestamptz NOT NULL,
  key uuid NOT NULL,
  effective_at timestamptz,
  debit_account_id bigint,
  credit_account_id bigint,
  code integer NOT NULL,
  postings integer NOT NULL,
  kind text NOT NULL,
  reason text NOT NULL,
  reference text COLLATE "C",
  event_type text,
  merchant_id text COLLATE "C",
  asset text,
  amount numeric(39, 0),
  target_key uuid,
  target_code integer,
  target_reference text COLLATE "C",
  metadata bytea,
  PRIMARY KEY (sequence)
);
CREATE INDEX rejections_reference ON rejections (reference) WHERE reference IS NOT NULL;
CREATE INDEX rejections_recorded ON rejections USING brin (recorded_at) WITH (pages_per_range = 32, autosummarize = on);

COMMENT ON TABLE rejections IS 'Every transaction that the ledger has refused, which is its answer to that key for ever. Nothing moved. Rows never change.';
COMMENT ON COLUMN rejections.sequence IS 'Its place in the journal.';
COMMENT ON COLUMN rejections.recorded_at IS 'When it was recorded, cut to microseconds.';
COMMENT ON COLUMN rejections.key IS 'Its idempotency key.';
COMMENT ON COLUMN rejections.effective_at IS 'When it happened, as the caller says, cut to microseconds.';
COMMENT ON COLUMN rejections.debit_account_id IS 'Of the first posting that was asked for; null if there was none.';
COMMENT ON COLUMN rejections.credit_account_id IS 'Likewise.';
COMMENT ON COLUMN rejections.code IS 'The caller''s category.';
COMMENT ON COLUMN rejections.postings IS 'How many postings were asked for.';
COMMENT ON COLUMN rejections.kind IS 'post, hold, capture, release or reverse.';
COMMENT ON COLUMN rejections.reason IS 'Why: insufficient_funds, reference_used and so on.';
COMMENT ON COLUMN rejections.reference IS 'The caller''s name for it; written as that of transactions.';
COMMENT ON COLUMN rejections.event_type IS 'The event of settlement that it stands for, by its code.';
COMMENT ON COLUMN rejections.merchant_id IS 'The merchant of the first merchant''s account in its postings; without postings, the one that the event says.';
COMMENT ON COLUMN rejections.asset IS 'Of the first posting.';
COMMENT ON COLUMN rejections.amount IS 'Of the first posting; of a capture, what was to be captured, null for all that remains.';
COMMENT ON COLUMN rejections.target_key IS 'The key of what it was to work on, if it said that.';
COMMENT ON COLUMN rejections.target_code IS 'The code of what it was to work on, if it said that.';
COMMENT ON COLUMN rejections.target_reference IS 'The reference of what it was to work on; written as that of transactions.';
COMMENT ON COLUMN rejections.metadata IS 'The caller''s bytes; null if none.';

-- ---- What came of it ----------------------------------------------------------------------------------------

CREATE TABLE holds (
  sequence bigint PRIMARY KEY,
  recorded_at timestamptz NOT NULL,
  key uuid NOT NULL,
  debit_account_id bigint NOT NULL,
  credit_account_id bigint NOT NULL,
  expires_at timestamptz,
  resolved_sequence bigint,
  resolved_at timestamptz,
  code integer NOT NULL,
  reference text COLLATE "C",
  event_type text,
  merchant_id text COLLATE "C",
  asset text NOT NULL,
  state text NOT NULL CHECK (state IN ('open', 'captured', 'released', 'expired')),
  amount numeric(39, 0) NOT NULL,
  captured numeric(39, 0) NOT NULL CHECK (captured >= 0),
  released numeric(39, 0) NOT NULL CHECK (released >= 0),
  remaining numeric(39, 0) NOT NULL GENERATED ALWAYS AS (amount - captured - released) STORED CHECK (remaining >= 0),
  CHECK ((state = 'open') = (remaining > 0)),
  CHECK ((state = 'open') = (resolved_sequence IS NULL)),
  CHECK ((state = 'open') = (resolved_at IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX holds_open ON holds (recorded_at) WHERE state = 'open';
CREATE INDEX holds_reference ON holds (reference) WHERE reference IS NOT NULL;

COMMENT ON TABLE holds IS 'Every hold that was placed, as it stands at the watermark.';
COMMENT ON COLUMN holds.sequence IS 'The transaction that placed it.';
COMMENT ON COLUMN holds.recorded_at IS 'When that was recorded, cut to microseconds.';
COMMENT ON COLUMN holds.key IS 'Its idempotency key.';
COMMENT ON COLUMN holds.debit_account_id IS 'The account whose money is reserved.';
COMMENT ON COLUMN holds.credit_account_id IS 'The account that it is reserved for.';
COMMENT ON COLUMN holds.expires_at IS 'When what remains of it goes back; null for never.';
COMMENT ON COLUMN holds.resolved_sequence IS 'The transaction after which nothing remained; null while it is open.';
COMMENT ON COLUMN holds.resolved_at IS 'When that was recorded.';
COMMENT ON COLUMN holds.code IS 'The caller''s category.';
COMMENT ON COLUMN holds.reference IS 'The caller''s name for it; written as that of transactions.';
COMMENT ON COLUMN holds.event_type IS 'The event of settlement that it stands for, by its code.';
COMMENT ON COLUMN holds.merchant_id IS 'The merchant of the first of its accounts that is a merchant''s.';
COMMENT ON COLUMN holds.asset IS 'Of its accounts.';
COMMENT ON COLUMN holds.state IS 'open while something remains; then by what took the last of it: captured, released or expired. A final capture: captured.';
COMMENT ON COLUMN holds.amount IS 'As placed: captured + released + remaining.';
COMMENT ON COLUMN holds.captured IS 'What was moved.';
COMMENT ON COLUMN holds.released IS 'What was given back, by release, by the rest of a final capture, or by expiry.';
COMMENT ON COLUMN holds.remaining IS 'What is still reserved.';

CREATE TABLE payouts (
  payout_id text COLLATE "C" PRIMARY KEY,
  hold_sequence bigint NOT NULL UNIQUE,
  requested_at timestamptz NOT NULL,
  settled_at timestamptz,
  updated_sequence bigint NOT NULL,
  merchant_id text NOT NULL COLLATE "C",
  asset text NOT NULL,
  state text NOT NULL CHECK (state IN ('requested', 'paid', 'failed', 'canceled', 'returned')),
  amount numeric(39, 0) NOT NULL,
  paid numeric(39, 0) NOT NULL,
  returned numeric(39, 0) NOT NULL,
  CHECK ((state = 'requested') = (settled_at IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX payouts_merchant ON payouts (merchant_id, requested_at);
CREATE INDEX payouts_open ON payouts (requested_at) WHERE state = 'requested';

COMMENT ON TABLE payouts IS 'Every payout that money was held for, as it stands at the watermark.';
COMMENT ON COLUMN payouts.payout_id IS 'Its id.';
COMMENT ON COLUMN payouts.hold_sequence IS 'The hold that PAYOUT_REQUESTED placed.';
COMMENT ON COLUMN payouts.requested_at IS 'When that was recorded, cut to microseconds.';
COMMENT ON COLUMN payouts.settled_at IS 'When its last event was recorded; null while it is requested.';
COMMENT ON COLUMN payouts.updated_sequence IS 'The transaction of its last event.';
COMMENT ON COLUMN payouts.merchant_id IS 'Whose money it is.';
COMMENT ON COLUMN payouts.asset IS 'Of the amounts.';
COMMENT ON COLUMN payouts.state IS 'requested, paid, failed, canceled or returned (in whole or in part), by its last event.';
COMMENT ON COLUMN payouts.amount IS 'As requested.';
COMMENT ON COLUMN payouts.paid IS 'What was paid.';
COMMENT ON COLUMN payouts.returned IS 'What came back of that.';

CREATE TABLE payout_events (
  sequence bigint PRIMARY KEY,
  recorded_at timestamptz NOT NULL,
  payout_id text NOT NULL COLLATE "C",
  event_type text NOT NULL,
  state text NOT NULL,
  amount numeric(39, 0) NOT NULL
);
CREATE INDEX payout_events_payout ON payout_events (payout_id, sequence);

COMMENT ON TABLE payout_events IS 'What happened to payouts: the timeline of each. Rows never change.';
COMMENT ON COLUMN payout_events.sequence IS 'The transaction.';
COMMENT ON COLUMN payout_events.recorded_at IS 'When that was recorded, cut to microseconds.';
COMMENT ON COLUMN payout_events.payout_id IS 'The payout.';
COMMENT ON COLUMN payout_events.event_type IS 'PAYOUT_REQUESTED, PAYOUT_PAID, PAYOUT_FAILED, PAYOUT_CANCELED or PAYOUT_RETURNED.';
COMMENT ON COLUMN payout_events.state IS 'Of the payout from then on.';
COMMENT ON COLUMN payout_events.amount IS 'Requested, paid, given back to the merchant, or returned.';

-- ---- What the mirror calls ----------------------------------------------------------------------------------

-- The first of every transaction: nobody else has moved the watermark, and nobody has taken over.
CREATE FUNCTION advance(expected bigint, its_epoch bigint, its_ledger uuid, last bigint, last_hash bytea, last_at timestamptz)
RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE watermark SET sequence = last, block_hash = last_hash, recorded_at = last_at, updated_at = clock_timestamp()
  WHERE sequence = expected AND epoch = its_epoch AND ledger_id = its_ledger;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'NW001', MESSAGE = (
      SELECT format('another mirror or a reset has taken over: the watermark is %s in epoch %s, not %s in epoch %s',
                    sequence, epoch, expected, its_epoch) FROM watermark);
  END IF;
END $$;
COMMENT ON FUNCTION advance IS 'Moves the watermark, if it is where the mirror left it; for the mirror alone.';

-- An UPDATE that does not find its rows has met a table that was altered behind the mirror's back.
CREATE FUNCTION expect_rows(table_name text, got bigint, expected bigint)
RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF got IS DISTINCT FROM expected THEN
    RAISE EXCEPTION USING ERRCODE = 'NW002',
      MESSAGE = format('%s of %s rows of %I to be updated are not there: somebody else has altered it', expected - got, expected,
                       table_name);
  END IF;
END $$;
COMMENT ON FUNCTION expect_rows IS 'Fails unless all rows were found; for the mirror alone.';

-- Makes the partitions of a month (UTC), unless they are there. It runs as its owner, so that the mirror's role needs no right to create
-- anything. Attached, not created in place: readers are not locked out. Months are cut, and bounds written, in its own TimeZone and DateStyle:
-- those of the session must not move them. A detached month is not one: its rows could go nowhere.
CREATE FUNCTION ensure_month(moment timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
  first timestamptz := date_trunc('month', moment);
  parent text;
  child text;
  found regclass;
BEGIN
  FOREACH parent IN ARRAY ARRAY['transactions', 'postings'] LOOP
    child := parent || to_char(first, '_YYYY_MM');
    found := to_regclass(quote_ident(child));
    CONTINUE WHEN EXISTS (
      SELECT FROM pg_inherits WHERE inhrelid = found AND inhparent = to_regclass(parent) AND NOT inhdetachpending);
    IF found IS NOT NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'NW003',
        MESSAGE = format('%I is in the way: it has the name of a month''s partition and is not attached to %I. '
                         'Rename it, drop it, or attach it again (after a reset: emptied)', child, parent);
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child, first, first + interval '1 month');
  END LOOP;
END $$;
COMMENT ON FUNCTION ensure_month IS 'Makes the partitions of a month; for the mirror alone.';

REVOKE ALL ON FUNCTION advance, expect_rows, ensure_month FROM PUBLIC;

-- ---- What finance asks --------------------------------------------------------------------------------------

CREATE VIEW merchant_statement AS
  SELECT a.merchant_id, a.asset, p.recorded_at, p.sequence, p.entry, t.effective_at, t.event_type, t.code, t.reference, p.kind, p.amount,
         CASE p.kind WHEN 'debit' THEN -p.amount WHEN 'capture_debit' THEN -p.amount
                     WHEN 'credit' THEN p.amount WHEN 'capture_credit' THEN p.amount ELSE 0 END AS change,
         p.posted, p.available, a.account_id
  FROM accounts a JOIN postings p USING (account_id) JOIN transactions t USING (sequence, recorded_at)
  WHERE a.merchant_id IS NOT NULL;
COMMENT ON VIEW merchant_statement IS 'What moved on merchants'' accounts, and the balance after it: ask for a merchant_id, order by sequence, entry.';

-- Day by day, so that a condition on `day` bounds recorded_at: it then reads that month's partitions alone, by their BRIN indexes. The days
-- are those from the first transaction that is here up to the watermark.
CREATE VIEW day_totals AS
  SELECT days.day, totals.asset, totals.what, totals.transactions, totals.moved, totals.held, totals.released
  FROM (SELECT generate_series((SELECT date_trunc('day', recorded_at AT TIME ZONE 'UTC') FROM transactions ORDER BY sequence LIMIT 1),
                               (SELECT recorded_at AT TIME ZONE 'UTC' FROM watermark), interval '1 day')::date AS day) days
  CROSS JOIN LATERAL (SELECT days.day::timestamp AT TIME ZONE 'UTC' AS begins, (days.day + 1)::timestamp AT TIME ZONE 'UTC' AS ends) bounds
  CROSS JOIN LATERAL (
    SELECT a.asset, coalesce(t.event_type, t.kind) AS what,
           count(DISTINCT p.sequence) AS transactions,
           coalesce(sum(p.amount) FILTER (WHERE p.kind IN ('debit', 'capture_debit')), 0) AS moved,
           coalesce(sum(p.amount) FILTER (WHERE p.kind = 'hold_debit'), 0) AS held,
           coalesce(sum(p.amount) FILTER (WHERE p.kind = 'release_debit'), 0) AS released
    FROM postings p JOIN accounts a USING (account_id) JOIN transactions t USING (sequence, recorded_at)
    WHERE p.recorded_at >= begins AND p.recorded_at < ends AND t.recorded_at >= begins AND t.recorded_at < ends
    GROUP BY a.asset, coalesce(t.event_type, t.kind)) totals;
COMMENT ON VIEW day_totals IS 'For each day (UTC, of recording), asset and event or kind: how many transactions, what they moved, held and released. Ask for a day, or days from one to another.';

CREATE VIEW trial_balance AS
  SELECT asset, count(*) AS accounts, sum(debits_posted) AS debits_posted, sum(credits_posted) AS credits_posted,
         sum(debits_held) AS debits_held, sum(credits_held) AS credits_held
  FROM accounts GROUP BY asset;
COMMENT ON VIEW trial_balance IS 'The totals of all accounts of an asset: debits equal credits, posted and held.';

CREATE VIEW open_payouts AS
  SELECT payout_id, merchant_id, asset, amount, requested_at, now() - requested_at AS age, hold_sequence
  FROM payouts WHERE state = 'requested';
COMMENT ON VIEW open_payouts IS 'Payouts that money is held for and that have had no final answer.';

CREATE VIEW unreconciled_items AS
  SELECT CASE event_type WHEN 'DISPUTE_OPENED' THEN 'dispute' ELSE 'hold' END AS item, sequence, reference, merchant_id, asset,
         remaining AS amount, recorded_at, NULL::text AS reason
  FROM holds h
  WHERE state = 'open' AND recorded_at < now() - interval '1 day'
    AND NOT EXISTS (SELECT FROM payouts p WHERE p.hold_sequence = h.sequence)
  UNION ALL
  SELECT 'payout', hold_sequence, payout_id, merchant_id, asset, amount, requested_at, NULL
  FROM payouts WHERE state = 'requested' AND requested_at < now() - interval '1 day'
  UNION ALL
  SELECT 'rejection', sequence, reference, merchant_id, asset, amount, recorded_at, reason FROM rejections;
COMMENT ON VIEW unreconciled_items IS 'What somebody may want to look at: holds, disputes and payouts open for more than a day, and everything that was refused.';
