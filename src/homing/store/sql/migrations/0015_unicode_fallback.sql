-- Whether a text that GSM 7-bit cannot carry goes as Unicode although the customer's program asks for GSM 7-bit.
ALTER TABLE account ADD COLUMN unicode_fallback boolean NOT NULL DEFAULT false;
