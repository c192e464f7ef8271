-- Secrets that sign pushes (admin/signing_secrets.py). Account 0 is the operator.

-- Those that are valid now, the current one of each account before its older one.
-- name: signing_secrets_valid -> rows SigningSecretRow
SELECT account_id, secret_id, secret, created_at, expires_at
FROM signing_secret
WHERE account_id = ANY (:account_ids::bigint[]) AND (expires_at IS NULL OR expires_at > now())
ORDER BY account_id, expires_at DESC NULLS FIRST

-- Only where an account has no current one; gives the accounts.
-- name: signing_secrets_create -> values
-- takes: secrets NewSigningSecret
INSERT INTO signing_secret (account_id, secret)
SELECT s.account_id, s.secret FROM unnest(:secrets) AS s (account_id bigint, secret bytea)
ON CONFLICT (account_id) WHERE expires_at IS NULL DO NOTHING
RETURNING account_id

-- Rotations of an account's secret take place one after the other.
-- name: signing_secrets_lock
SELECT pg_advisory_xact_lock(hashtextextended('signing_secret', :account_id))

-- The first step of a rotation.
-- name: signing_secret_expire -> value?
UPDATE signing_secret SET expires_at = :expires_at::timestamptz
WHERE account_id = :account_id AND expires_at IS NULL
RETURNING secret_id

-- Those that are not current, whether valid or over. Gives the ends of those that were valid.
-- name: signing_secrets_revoke_older -> values
-- not null: expires_at
DELETE FROM signing_secret
WHERE account_id = :account_id AND expires_at IS NOT NULL
RETURNING expires_at
