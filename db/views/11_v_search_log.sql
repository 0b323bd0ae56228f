-- Every step of every series in order: the published search logs, with unrounded numbers.
CREATE VIEW v_search_log AS
SELECT series.id AS series_id, series.run_id, traits.name AS trait, source.name AS source,
       target.name AS target, series.layer, vectors.method, series.condition, series.position,
       series.split, json_extract(series.settings_json, '$.search') AS search, series.judge,
       series.base_coefficient, series.residual_norm, search_steps.id AS step_id,
       search_steps.step, search_steps.coefficient, search_steps.dose,
       search_steps.trait AS trait_score, search_steps.trait_se, search_steps.coherence,
       search_steps.coherence_se, search_steps.n_answers, search_steps.n_trait,
       search_steps.n_coherence, search_steps.action, search_steps.recommended,
       search_steps.source AS origin, series.status, series.recommended_coefficient,
       series.recommended_dose
FROM search_steps
JOIN series ON series.id = search_steps.series_id
JOIN traits ON traits.id = series.trait_id
JOIN models AS source ON source.id = series.source_id
JOIN models AS target ON target.id = series.target_id
LEFT JOIN vectors ON vectors.id = series.vector_id;
