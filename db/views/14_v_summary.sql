-- The published Results Summary: the recommended step of every searched layer. Measured rows come
-- from report questions, which no choice has seen; imported rows are as they were printed.
-- lift is trait_score minus that of the same target's unsteered answers to the same questions.
CREATE VIEW v_summary AS
SELECT log.trait, log.source, log.target, log.layer, log.method, log.position, log.search,
       log.judge, log.coefficient, log.dose, log.trait_score, log.trait_se, log.coherence,
       log.coherence_se, log.trait_score - base.trait_score AS lift,
       lifts.ci_low AS lift_low, lifts.ci_high AS lift_high,
       base.trait_score AS unsteered_trait, base.coherence AS unsteered_coherence,
       log.n_answers, log.n_trait, log.n_coherence, log.status, log.origin, log.series_id,
       log.step_id
FROM v_search_log AS log
LEFT JOIN series ON series.id = log.series_id
LEFT JOIN v_unsteered AS base
  ON base.series_id = json_extract(series.settings_json, '$.unsteered_series_id')
LEFT JOIN findings AS lifts
  ON lifts.kind = 'effect' AND lifts.subject = 'series ' || log.series_id
WHERE log.recommended = 1 AND log.condition = 'steer'
  AND (log.split = 'report' OR log.origin = 'imported');
