-- Means by dose, the unsteered answers as dose 0, for curves of trait and coherence.
CREATE VIEW v_dose_response AS
SELECT trait, source, target, layer, method, condition, position, split, search, judge, dose,
       coefficient, trait_score, trait_se, coherence, coherence_se, n_answers, series_id, step
FROM v_search_log
WHERE trait_score IS NOT NULL OR coherence IS NOT NULL;
