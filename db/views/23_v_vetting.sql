-- Pass rate of completions by trait, model and polarity. Unscored completions count as not passed.
CREATE VIEW v_vetting AS
SELECT traits.name AS trait, models.name AS model, scenarios.polarity, judgements.judge,
       vettings.threshold, completions.prompt_form, count(*) AS n_completions,
       sum(vettings.passed) AS n_passed, sum(judgements.score IS NULL) AS n_unscored,
       round(100.0 * sum(vettings.passed) / count(*), 1) AS pass_rate_percent,
       avg(judgements.score) AS mean_score, completions.settings_sha256
FROM vettings
JOIN completions ON completions.id = vettings.completion_id
JOIN judgements ON judgements.id = vettings.judgement_id
JOIN scenarios ON scenarios.id = completions.scenario_id
JOIN traits ON traits.id = scenarios.trait_id
JOIN models ON models.id = completions.model_id
GROUP BY traits.name, models.name, scenarios.polarity, judgements.judge, vettings.threshold,
         completions.settings_sha256;
