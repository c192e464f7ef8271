-- Secrets that sign pushes (admin/signing_secrets.py). Account 0 is the operator; webhook 0 is what an account signs with
-- that is not pushed to an endpoint of its own.

-- Those that are valid now, the current one of each owner before its older one.
-- name: signing_secrets_valid -> rows SigningSecretRow
-- takes: owners SigningOwner
SELECT s.account_id, s.webhook_id, s.secret_id, s.secret, s.created_at, s.expires_at
FROM signing_secret AS s
JOIN unnest(:owners) AS o (account_id bigint, webhook_id bigint)
    ON s.account_id = ANY (ARRAY[o.account_id]) AND s.webhook_id = o.webhook_id
WHERE s.expires_at IS NULL OR s.expires_at > now()
ORDER BY s.account_id, s.webhook_id, s.expires_at DESC NULLS FIRST

-- Only where an owner has no current one; gives the accounts.
-- name: signing_secrets_create -> values
-- takes: secrets NewSigningSecret
INSERT INTO signing_secret (account_id, webhook_id, secret)
SELECT s.account_id, s.webhook_id, s.secret
FROM unnest(:secrets) AS s (account_id bigint, webhook_id bigint, secret bytea)
ON CONFLICT (account_id, webhook_id) WHERE expires_at IS NULL DO NOTHING
RETURNING account_id

-- Rotations of an owner's secret take place one after the other.
-- name: signing_secrets_lock
SELECT pg_advisory_xact_lock(hashtextextended('signing_secret ' || :webhook_id::bigint, :account_id))

-- The first step of a rotation.
-- name: signing_secret_expire -> value?
UPDATE signing_secret SET expires_at = :expires_at::timestamptz
WHERE account_id = :account_id AND webhook_id = :webhook_id AND expires_at IS NULL
RETURNING secret_id

-- Those that are not current, whether valid or over. Gives the ends of those that were valid.
-- name: signing_secrets_revoke_older -> values
-- not null: expires_at
DELETE FROM signing_secret
WHERE account_id = :account_id AND webhook_id = :webhook_id AND expires_at IS NOT NULL
RETURNING expires_at

-- All of an endpoint that is removed.
-- name: signing_secrets_remove
DELETE FROM signing_secret WHERE account_id = :account_id AND webhook_id = :webhook_id
