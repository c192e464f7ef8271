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

-- The second factor: wrong codes of a half session, and of a user within the hour that began at codes_wrong_since.
ALTER TABLE console_session ADD COLUMN codes_wrong smallint NOT NULL DEFAULT 0;
ALTER TABLE console_user ADD COLUMN codes_wrong smallint NOT NULL DEFAULT 0;
ALTER TABLE console_user ADD COLUMN codes_wrong_since timestamptz;
