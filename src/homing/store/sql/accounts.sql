-- name: credentials_find
SELECT asked.dialect, asked.key AS asked, credential.secret, credential.account_id
FROM unnest($1::smallint[], $2::text[]) AS asked (dialect, key)
JOIN credential USING (dialect, key)
WHERE credential.revoked_at IS NULL
UNION ALL
-- In some dialects ($3) an account's e-mail works as its key, with the newest password.
SELECT newest.* FROM (
    SELECT DISTINCT ON (asked.dialect, asked.key) asked.dialect, asked.key, credential.secret, credential.account_id
    FROM unnest($1::smallint[], $2::text[]) AS asked (dialect, key)
    JOIN account ON account.email = asked.key
    JOIN credential ON credential.account_id = account.account_id AND credential.dialect = asked.dialect
    WHERE asked.dialect = ANY ($3::smallint[]) AND credential.revoked_at IS NULL
    ORDER BY asked.dialect, asked.key, credential.credential_id DESC
) AS newest

-- name: profiles_accounts
SELECT account_id, name, locked_at, allowed_networks, queries_per_s, templates_required, default_sender,
    binds_max, bind_window, submits_per_s, smpp_charset, unicode_fallback
FROM account
WHERE account_id = ANY($1::bigint[])

-- name: profiles_apps
SELECT account_id, app_id, name, report_url, inbound_url
FROM app
WHERE account_id = ANY($1::bigint[])
ORDER BY created_at, app_id

-- name: profiles_senders
SELECT account_id, sender
FROM sender
WHERE account_id = ANY($1::bigint[])
ORDER BY created_at, sender

-- name: profiles_templates
SELECT account_id, template_id, name, body
FROM template
WHERE account_id = ANY($1::bigint[])
ORDER BY template_id
