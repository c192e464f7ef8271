-- Whether a carrier sends messages of class 0, as its kind and settings have it: routes are chosen without reading those.
ALTER TABLE carrier ADD COLUMN carries_flash boolean NOT NULL DEFAULT true;
UPDATE carrier SET carries_flash = false WHERE kind = 'laaffic' OR (kind = 'http' AND settings::text NOT LIKE '%{flash%');

-- What a customer's default alphabet over SMPP is (accounts/profile.py): it need not be GSM 03.38.
ALTER TABLE account ADD COLUMN smpp_charset text NOT NULL DEFAULT 'gsm7';
