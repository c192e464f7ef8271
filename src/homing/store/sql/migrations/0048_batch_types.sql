-- What a batch is given as (docs/decisions/0041-batches-as-composites.md). A type stays as it is once it is released:
-- another column is another type.
-- compatible: 0045
CREATE TYPE new_message AS (
    account_id bigint,
    message_id bigint,
    submission_id bigint,
    dialect smallint,
    app_id text,
    request_id text,
    raw_number text,
    number text,
    country text,
    mcc text,
    mnc text,
    sender text,
    text text,
    encoding smallint,
    segments smallint,
    traffic smallint,
    reference text,
    callback_url text,
    price_micro bigint,
    route_id int,
    carrier_id int,
    notes text,
    validity_s int,
    registered smallint,
    masked_text text,
    hold_s int,
    is_resent boolean
);

CREATE TYPE new_limit_use AS (
    account_id bigint,
    scope smallint,
    key text,
    windows text,
    ends_ms bigint,
    earlier text
);

CREATE TYPE new_verification AS (
    account_id bigint,
    verification_id bigint,
    dialect smallint,
    app_id text,
    number text,
    raw_number text,
    reference text,
    template_id bigint,
    flow_id bigint,
    sender text,
    text text,
    code_hash bytea,
    code_sealed bytea,
    attempts_max smallint,
    is_test boolean,
    expires_at timestamptz,
    step_due_at timestamptz
);
