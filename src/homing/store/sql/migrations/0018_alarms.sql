-- What is wrong now in the platform itself, as codes and values: kept by whoever notices it, until it is over. Read by
-- health, metrics, command line and console.
CREATE TABLE alarm (
    component text NOT NULL,                        -- which part: learner, guard, ...
    code text NOT NULL,                             -- what is wrong there
    subject text NOT NULL DEFAULT '',               -- of which account, carrier or process, where it is of one
    detail jsonb NOT NULL DEFAULT '{}',             -- values, for people: never a number, a text or a secret
    raised_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    times bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (component, code, subject)
);
