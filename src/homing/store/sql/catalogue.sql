-- name: catalogue_prices -> rows CataloguePrice
SELECT account_id, prefix, price_micro FROM price

-- name: catalogue_routes -> rows CatalogueRoute
SELECT route_id, account_id, app_id, sender, traffic, country, network, prefix, carrier_id, priority, weight, strategy,
    ceiling_micro
FROM route
ORDER BY route_id

-- name: catalogue_costs -> rows CatalogueCost
SELECT carrier_id, prefix, cost_micro FROM carrier_cost

-- A carrier that no process owns yet is not down: none has looked.
-- name: catalogue_carriers -> rows CatalogueCarrier
SELECT c.carrier_id, c.carries_flash, coalesce(NOT s.is_up OR s.leased_until < now(), false) AS is_down
FROM carrier AS c
LEFT JOIN carrier_session AS s USING (carrier_id)
WHERE c.enabled AND NOT c.is_draining

-- name: catalogue_words -> rows CatalogueWord
SELECT account_id, word FROM sensitive_word
