-- IDs of code templates and flows have six digits: a vendor's SDK leaves an ID out of a path when
-- its digits occur anywhere in the URL, as `3` does in `/v3/`.
-- compatible: 0029
ALTER TABLE code_template ALTER COLUMN template_id RESTART WITH 100001;
ALTER TABLE code_flow ALTER COLUMN flow_id RESTART WITH 100001;
