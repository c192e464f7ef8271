-- name: tariff_prices
SELECT account_id, prefix, price_micro FROM price

-- name: tariff_routes
SELECT account_id, route_id, prefix, carrier_id, priority, weight FROM route

-- name: tariff_carriers
SELECT carrier_id FROM carrier WHERE enabled

-- name: tariff_words
SELECT account_id, word FROM sensitive_word
