-- SPDX-License-Identifier: Apache-2.0
--
-- The roles of a mirror, each with the rights that it needs and no others. For psql, by a superuser or somebody who may create roles and
-- schemas in this database:
--
--   psql -v ON_ERROR_STOP=1 -f scripts/mirror-roles.sql finance
--   psql -v ON_ERROR_STOP=1 -v schema=ledger -v legacy=old_reader -v legacy_schema=billing -f scripts/mirror-roles.sql finance
--
-- Run it before the first Mirror::Migrate, which then needs no more than the owner's rights, and again after every Mirror::Migrate: it can be
-- run any number of times. It gives no passwords: \password, or a pg_hba.conf with certificates, comes after it.
--
--   owner   northwind_owner    Mirror::Migrate and Mirror::Reset
--   mirror  northwind_mirror   Mirror: adds rows, moves the watermark and what goes with it; deletes nothing, changes nothing that happened
--   reader  northwind_reader   reads tables and views: for those who ask, and for an auditor
--   legacy  (none)             LegacyReader: reads the tables of legacy_schema, which is somebody else's; only if both are given
\if :{?schema}
\else
  \set schema northwind
\endif
\if :{?owner}
\else
  \set owner northwind_owner
\endif
\if :{?mirror}
\else
  \set mirror northwind_mirror
\endif
\if :{?reader}
\else
  \set reader northwind_reader
\endif

BEGIN;

-- ---- Roles and the schema -----------------------------------------------------------------------------------

SELECT format('CREATE ROLE %I LOGIN', role)
FROM unnest(ARRAY[:'owner', :'mirror', :'reader']) role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec

-- To make it for the owner one must be a member of it, unless a superuser.
SELECT format('GRANT %I TO CURRENT_USER', :'owner')
WHERE NOT pg_has_role(current_user, :'owner', 'MEMBER') \gexec
SELECT format('CREATE SCHEMA %I AUTHORIZATION %I', :'schema', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = :'schema') \gexec

SELECT format('GRANT CONNECT ON DATABASE %I TO %I, %I, %I', current_database(), :'owner', :'mirror', :'reader') \gexec
GRANT USAGE ON SCHEMA :"schema" TO :"mirror", :"reader";
ALTER ROLE :"reader" SET default_transaction_read_only = on;

-- ---- What there is in the schema, once Mirror::Migrate has made it ------------------------------------------

-- Anew from nothing, so that what an earlier version of this script granted does not stay.
REVOKE ALL ON ALL TABLES IN SCHEMA :"schema" FROM :"mirror", :"reader";
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA :"schema" FROM :"mirror", :"reader";

-- Partitions are reached by the tables that they belong to, and by those alone.
SELECT format('GRANT SELECT ON %I.%I TO %I, %I', :'schema', relname, :'mirror', :'reader')
FROM pg_class
WHERE relnamespace = :'schema'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition \gexec

SELECT format('GRANT INSERT ON %I.%I TO %I', :'schema', relname, :'mirror')
FROM pg_class
WHERE relnamespace = :'schema'::regnamespace AND NOT relispartition AND relkind IN ('r', 'p')
  AND relname IN ('accounts', 'transactions', 'postings', 'rejections', 'holds', 'payouts', 'payout_events') \gexec

-- Only what can change of a row.
SELECT format('GRANT UPDATE (%s) ON %I.%I TO %I', columns, :'schema', relname, :'mirror')
FROM (VALUES
  ('watermark', 'ledger_id, sequence, block_hash, epoch, recorded_at, updated_at'),
  ('accounts', 'updated_sequence, updated_at, state, min_available, debits_posted, credits_posted, debits_held, credits_held'),
  ('holds', 'captured, released, resolved_sequence, resolved_at, state'),
  ('payouts', 'updated_sequence, settled_at, state, paid, returned')
) AS may(relname, columns)
WHERE to_regclass(format('%I.%I', :'schema', relname)) IS NOT NULL \gexec

SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', oid::regprocedure, :'mirror')
FROM pg_proc
WHERE pronamespace = :'schema'::regnamespace AND proname IN ('advance', 'expect_rows', 'ensure_month') \gexec

-- ---- The one that reads somebody else's schema --------------------------------------------------------------

\if :{?legacy}
\if :{?legacy_schema}
SELECT format('CREATE ROLE %I LOGIN', :'legacy') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'legacy') \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'legacy') \gexec
GRANT USAGE ON SCHEMA :"legacy_schema" TO :"legacy";
GRANT SELECT ON ALL TABLES IN SCHEMA :"legacy_schema" TO :"legacy";
ALTER ROLE :"legacy" SET default_transaction_read_only = on;
\endif
\endif

COMMIT;
