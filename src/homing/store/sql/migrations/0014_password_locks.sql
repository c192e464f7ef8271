-- Where passwords are guessed from, and until when nobody there is listened to. An empty name stands for all names.
CREATE TABLE password_lock (
    network text NOT NULL,
    name text NOT NULL,
    door smallint NOT NULL,                                -- the last one that it was tried at
    until timestamptz NOT NULL,
    PRIMARY KEY (network, name)
);

-- Where a key's password was right: there it stays good, whoever guesses beside it.
CREATE TABLE password_known (
    network text NOT NULL,
    name text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (network, name)
);

-- The second factor: wrong codes of a half session; and of a user within the hour that began at `since`, and since the
-- user last signed in with a right one.
ALTER TABLE console_session ADD COLUMN codes_wrong smallint NOT NULL DEFAULT 0;
CREATE TABLE console_codes (
    user_id bigint PRIMARY KEY REFERENCES console_user ON DELETE CASCADE,
    codes_wrong int NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    untold int NOT NULL
);
