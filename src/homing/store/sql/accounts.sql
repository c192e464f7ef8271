-- name: credentials_find -> rows CredentialMatch
-- null: scopes
-- takes: keys CredentialKey
SELECT wanted.dialect, wanted.key AS wanted_key, credential.secret, credential.account_id, credential.credential_id,
    credential.scopes
FROM unnest(:keys) AS wanted (dialect smallint, key text)
JOIN credential USING (dialect, key)
WHERE credential.revoked_at IS NULL
UNION ALL
-- In some dialects (`email_keyed`) an account's e-mail is accepted as its key, with the newest password.
SELECT newest.dialect, newest.key, newest.secret, newest.account_id, newest.credential_id, newest.scopes FROM (
    SELECT DISTINCT ON (wanted.dialect, wanted.key) wanted.dialect, wanted.key, credential.secret, credential.account_id,
        credential.credential_id, credential.scopes
    FROM unnest(:keys) AS wanted (dialect smallint, key text)
    JOIN account ON account.email = wanted.key
    JOIN credential ON credential.account_id = account.account_id AND credential.dialect = wanted.dialect
    WHERE wanted.dialect = ANY (:email_keyed::smallint[]) AND credential.revoked_at IS NULL
    ORDER BY wanted.dialect, wanted.key, credential.credential_id DESC
) AS newest

-- Notes when credentials were last used; a later time stays.
-- name: credentials_used
UPDATE credential SET last_used_at = :now
WHERE credential_id = ANY (:credential_ids::bigint[]) AND (last_used_at IS NULL OR last_used_at < :now)

-- name: profiles_accounts -> rows AccountProfileRow
SELECT account_id, name, locked_at, allowed_networks, queries_per_s, templates_required, default_sender,
    binds_max, bind_window, submits_per_s, smpp_charset, unicode_fallback, unique_references
FROM account
WHERE account_id = ANY(:account_ids::bigint[])

-- name: profiles_apps -> rows AppProfileRow
SELECT account_id, app_id, name, report_url, inbound_url, code_expiry_s, total_limit, number_limit,
    resend_messages, resend_worth_micro
FROM app
WHERE account_id = ANY(:account_ids::bigint[])
ORDER BY created_at, app_id

-- name: profiles_senders -> rows SenderProfileRow
SELECT account_id, sender
FROM sender
WHERE account_id = ANY(:account_ids::bigint[])
ORDER BY created_at, sender

-- name: profiles_templates -> rows TemplateProfileRow
SELECT account_id, template_id, name, body
FROM template
WHERE account_id = ANY(:account_ids::bigint[])
ORDER BY template_id

-- name: profiles_quotas -> rows SendQuotaRow
SELECT account_id, app_id, messages_per_s, messages_per_day, money_per_day_micro
FROM send_quota
WHERE account_id = ANY(:account_ids::bigint[])
ORDER BY app_id
