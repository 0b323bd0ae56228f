-- How each search ended: one row a layer, also where no dose was feasible.
CREATE VIEW v_search_results AS
SELECT series.id AS series_id, series.run_id, traits.name AS trait, source.name AS source,
       target.name AS target, series.layer, vectors.method, series.position,
       json_extract(series.settings_json, '$.search') AS search, series.judge, series.status,
       series.recommended_coefficient, series.recommended_dose, series.base_coefficient,
       series.residual_norm,
       (SELECT count(*) FROM search_steps WHERE search_steps.series_id = series.id) AS n_steps
FROM series
JOIN traits ON traits.id = series.trait_id
JOIN models AS source ON source.id = series.source_id
JOIN models AS target ON target.id = series.target_id
LEFT JOIN vectors ON vectors.id = series.vector_id
WHERE series.condition = 'steer' AND series.split = 'select';
