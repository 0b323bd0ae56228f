-- What stands beside the effect at the same layer, dose and questions: every condition on report.
CREATE VIEW v_controls AS
SELECT log.trait, log.source, log.target, log.layer, log.condition, log.method, log.position,
       log.judge, log.coefficient, log.dose, log.trait_score, log.trait_se, log.coherence,
       log.coherence_se, log.trait_score - base.trait_score AS lift, log.n_answers, log.series_id
FROM v_search_log AS log
LEFT JOIN series ON series.id = log.series_id
LEFT JOIN v_unsteered AS base
  ON base.series_id = json_extract(series.settings_json, '$.unsteered_series_id')
WHERE log.split = 'report' AND log.origin = 'measured' AND log.trait_score IS NOT NULL;
