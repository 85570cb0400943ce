-- SPDX-License-Identifier: Apache-2.0
--
-- The roles of the claims of a cutover, each with the rights that it needs and no others. For psql, by a superuser or somebody who may create
-- roles and schemas in this database:
--
--   psql -v ON_ERROR_STOP=1 -f scripts/claims-roles.sql finance
--   psql -v ON_ERROR_STOP=1 -v schema=payout_claims -v batch=nightly -f scripts/claims-roles.sql finance
--
-- Run it before the first PostgresClaims::Migrate, which then needs no more than the owner's rights, and again after every
-- PostgresClaims::Migrate: it can be run any number of times. It gives no passwords: \password, or a pg_hba.conf with certificates, comes after
-- it.
--
--   owner   northwind_claims_owner   PostgresClaims::Migrate; nobody works as this one
--   claims  northwind_claims         PostgresClaims: claims for northwind, hands back to the batch, publishes epochs
--   batch   northwind_batch          the batch: claims for itself and nobody else; may be a role that there is
--
-- Nobody writes to the tables but through the functions, and these only add: a claim that is made is never changed nor taken back.
\if :{?schema}
\else
  \set schema northwind_claims
\endif
\if :{?owner}
\else
  \set owner northwind_claims_owner
\endif
\if :{?claims}
\else
  \set claims northwind_claims
\endif
\if :{?batch}
\else
  \set batch northwind_batch
\endif

BEGIN;

-- ---- Roles and the schema -----------------------------------------------------------------------------------

SELECT format('CREATE ROLE %I LOGIN', role)
FROM unnest(ARRAY[:'owner', :'claims', :'batch']) role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec

-- To make it for the owner one must be a member of it, unless a superuser.
SELECT format('GRANT %I TO CURRENT_USER', :'owner')
WHERE NOT pg_has_role(current_user, :'owner', 'MEMBER') \gexec
SELECT format('CREATE SCHEMA %I AUTHORIZATION %I', :'schema', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = :'schema') \gexec

SELECT format('GRANT CONNECT ON DATABASE %I TO %I, %I, %I', current_database(), :'owner', :'claims', :'batch') \gexec
GRANT USAGE ON SCHEMA :"schema" TO :"claims", :"batch";

-- A claim that is not committed keeps the other side waiting, and a published epoch.
ALTER ROLE :"claims" SET idle_in_transaction_session_timeout = '10s';
SELECT format('ALTER ROLE %I IN DATABASE %I SET idle_in_transaction_session_timeout = %L', :'batch', current_database(), '60s') \gexec

-- ---- What there is in the schema, once PostgresClaims::Migrate has made it ----------------------------------

-- Anew from nothing, so that what an earlier version of this script granted does not stay.
REVOKE ALL ON ALL TABLES IN SCHEMA :"schema" FROM :"claims", :"batch";
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA :"schema" FROM :"claims", :"batch";

SELECT format('GRANT SELECT ON %I.%I TO %I, %I', :'schema', relname, :'claims', :'batch')
FROM pg_class
WHERE relnamespace = :'schema'::regnamespace AND relkind = 'r' \gexec

SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', oid::regprocedure, :'claims')
FROM pg_proc
WHERE pronamespace = :'schema'::regnamespace AND proname IN ('claim', 'publish_epoch', 'bucket') \gexec
SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', oid::regprocedure, :'batch')
FROM pg_proc
WHERE pronamespace = :'schema'::regnamespace AND proname IN ('claim_for_batch', 'bucket') \gexec

COMMIT;
