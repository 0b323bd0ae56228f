-- The unsteered baseline of each target, split and judge.
CREATE VIEW v_unsteered AS
SELECT series_id, step_id, trait, target, split, judge, trait_score, trait_se, coherence,
       coherence_se, n_answers
FROM v_search_log
WHERE condition = 'unsteered' AND trait_score IS NOT NULL;
