-- Falls of mean coherence between neighbouring doses of one target, layer and vector.
CREATE VIEW v_collapse_cliffs AS
WITH neighbours AS (
  SELECT trait, source, target, layer, method, position, search, split, judge, series_id,
         lag(dose) OVER doses AS dose_before, dose AS dose_after,
         lag(coefficient) OVER doses AS coefficient_before, coefficient AS coefficient_after,
         lag(coherence) OVER doses AS coherence_before, coherence AS coherence_after,
         lag(trait_score) OVER doses AS trait_before, trait_score AS trait_after
  FROM v_search_log
  WHERE condition = 'steer' AND coherence IS NOT NULL
    AND (split = 'select' OR origin = 'imported')
  WINDOW doses AS (PARTITION BY series_id ORDER BY dose)
)
SELECT trait, source, target, layer, method, position, search, judge,
       round(coherence_before - coherence_after, 1) AS fall,
       round(coherence_before, 1) AS coherence_before, round(coherence_after, 1) AS coherence_after,
       round(dose_before, 4) AS dose_before, round(dose_after, 4) AS dose_after,
       round(dose_after / dose_before, 3) AS dose_ratio,
       coefficient_before, coefficient_after,
       round(trait_before, 1) AS trait_before, round(trait_after, 1) AS trait_after, series_id
FROM neighbours
WHERE coherence_before > coherence_after;
