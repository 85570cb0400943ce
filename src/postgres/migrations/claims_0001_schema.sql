-- SPDX-License-Identifier: Apache-2.0
--
-- Who may pay what, first version; docs/cutover.md says what it is for. PostgresClaims::Migrate runs this in one transaction, with
-- search_path set to the schema of claims: nothing here names it.

-- ---- What there is ------------------------------------------------------------------------------------------

CREATE TABLE claims (
  id text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9._:-]{1,64}$'),
  merchant_id text COLLATE "C" NOT NULL CHECK (merchant_id ~ '^[A-Za-z0-9._:-]{1,64}$'),
  system text NOT NULL CHECK (system IN ('batch', 'northwind')),
  epoch bigint NOT NULL CHECK (epoch >= 0),
  token uuid NOT NULL,
  claimed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE claims IS 'One row for each payout that one of the two systems may pay, and the other may not. Rows never change and never go.';
COMMENT ON COLUMN claims.id IS 'The payout.';
COMMENT ON COLUMN claims.merchant_id IS 'Whose it is.';
COMMENT ON COLUMN claims.system IS 'Who pays it: batch or northwind.';
COMMENT ON COLUMN claims.epoch IS 'Of the settings by which it was claimed.';
COMMENT ON COLUMN claims.token IS 'Random, of the attempt that made the claim: by it the attempt knows its own after an answer was lost.';
COMMENT ON COLUMN claims.claimed_at IS 'When, by the clock of this server.';

CREATE TABLE published_epoch (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  epoch bigint NOT NULL DEFAULT 0 CHECK (epoch >= 0),
  published_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);
INSERT INTO published_epoch DEFAULT VALUES;

COMMENT ON TABLE published_epoch IS 'One row: the oldest epoch whose settings may still claim. It only grows.';
COMMENT ON COLUMN published_epoch.one IS 'Always true: there is one row.';
COMMENT ON COLUMN published_epoch.epoch IS 'Claims of older ones are stale.';
COMMENT ON COLUMN published_epoch.published_at IS 'When it last grew, by the clock of this server.';

-- A second line behind the rights: not even the owner does it by mistake.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = 'NW101', MESSAGE = format('%s of %s: what it says is for ever', lower(TG_OP), TG_TABLE_NAME);
END $$;
COMMENT ON FUNCTION refuse_change IS 'Fails: for the triggers that keep rows as they are.';
CREATE TRIGGER for_ever BEFORE UPDATE OR DELETE OR TRUNCATE ON claims FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER for_ever BEFORE DELETE OR TRUNCATE ON published_epoch FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- ---- Claiming -----------------------------------------------------------------------------------------------

-- An answer that was given survives the server, whatever synchronous_commit is in this session. To the end of the transaction.
CREATE FUNCTION commit_durably() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
END $$;
COMMENT ON FUNCTION commit_durably IS 'Makes this transaction wait until it is on disk, here and at synchronous standbys; for claim and publish_epoch.';

-- claimed: by this very attempt; held: by the same system, in an attempt before; other: by the other system, for ever; stale: by nobody, and the
-- epoch is older than the published one. What is claimed is told whatever the epoch. COMMIT before you pay, and pay on `claimed` alone:
-- held was perhaps paid already, so ask the bank.
--
-- The lock makes claims and the publishing of an epoch go one after the other: once publish_epoch has returned, no claim of an older one
-- can be made, also none that had begun before. It is taken by FOR SHARE, which reads the newest epoch whatever snapshot the caller has.
CREATE FUNCTION claim(its_id text, its_merchant_id text, its_system text, its_epoch bigint, its_token uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  published bigint;
  owner claims;
BEGIN
  IF num_nulls(its_id, its_merchant_id, its_system, its_epoch, its_token) > 0 OR its_system NOT IN ('batch', 'northwind') THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'a claim has no nulls, and is for batch or northwind';
  END IF;
  PERFORM commit_durably();
  SELECT p.epoch INTO STRICT published FROM published_epoch p FOR SHARE;
  IF its_epoch >= published THEN
    INSERT INTO claims (id, merchant_id, system, epoch, token)
    VALUES (its_id, its_merchant_id, its_system, its_epoch, its_token)
    ON CONFLICT (id) DO NOTHING;
  END IF;
  SELECT * INTO owner FROM claims c WHERE c.id = its_id;
  IF NOT FOUND THEN
    IF its_epoch < published THEN
      RETURN 'stale';
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'NW102', MESSAGE = format('the claim of %s was there and is gone', its_id);
  ELSIF owner.merchant_id <> its_merchant_id THEN
    RAISE EXCEPTION USING ERRCODE = '22023',
      MESSAGE = format('%s is claimed for merchant %s, not %s', its_id, owner.merchant_id, its_merchant_id);
  ELSIF owner.system <> its_system THEN
    RETURN 'other';
  ELSIF owner.token = its_token THEN
    RETURN 'claimed';
  END IF;
  RETURN 'held';
END $$;
COMMENT ON FUNCTION claim IS 'Claims a payout for a system: claimed, held, other or stale.';

-- What the batch's own role may call: it cannot claim in the name of northwind, which would take its claim for one of its own.
CREATE FUNCTION claim_for_batch(its_id text, its_merchant_id text, its_epoch bigint, its_token uuid)
RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT claim(its_id, its_merchant_id, 'batch', its_epoch, its_token)
$$;
COMMENT ON FUNCTION claim_for_batch IS 'Claims a payout for the batch: claimed, held, other or stale.';

-- The epoch that is published after it. The lock on the table, and not only on its row, makes it next in line: claims that come while it
-- waits wait behind it, and cannot keep it waiting for ever.
CREATE FUNCTION publish_epoch(its_epoch bigint)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
  published bigint;
BEGIN
  PERFORM commit_durably();
  LOCK TABLE published_epoch IN EXCLUSIVE MODE;
  UPDATE published_epoch SET epoch = its_epoch, published_at = clock_timestamp() WHERE epoch < its_epoch;
  SELECT p.epoch INTO STRICT published FROM published_epoch p;
  RETURN published;
END $$;
COMMENT ON FUNCTION publish_epoch IS 'From now on claims of older epochs are stale; a lower epoch does nothing.';

REVOKE ALL ON FUNCTION refuse_change, commit_durably, claim, claim_for_batch, publish_epoch FROM PUBLIC;

-- ---- Bucketing ----------------------------------------------------------------------------------------------

-- CutoverBucket of cutover.h: 0 to 9999. The first 7 bytes of SHA-256(salt, one zero byte, merchant), as a big-endian number, modulo 10000.
CREATE FUNCTION bucket(salt text, merchant text)
RETURNS integer LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
  hash bytea;
BEGIN
  IF salt COLLATE "C" !~ '^[ -~]{1,64}$' THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'the salt must be 1-64 printable ASCII characters';
  END IF;
  hash := sha256(convert_to(salt, 'UTF8') || '\x00'::bytea || convert_to(merchant, 'UTF8'));
  RETURN ('x' || encode(substring(hash FROM 1 FOR 7), 'hex'))::bit(56)::bigint % 10000;
END $$;
COMMENT ON FUNCTION bucket IS 'Where a merchant is on the way from 0 to 10,000 basis points, as northwind counts.';
