-- What judging took, by judge and criterion. cost_usd is NULL for a judge that costs nothing.
CREATE VIEW v_judge_cost AS
SELECT judgements.judge, judgements.criterion, count(*) AS n_judgements,
       sum(judgements.score IS NULL) AS n_unscored, sum(judgements.input_tokens) AS input_tokens,
       sum(judgements.output_tokens) AS output_tokens, sum(judgements.cost_usd) AS cost_usd
FROM judgements
GROUP BY judgements.judge, judgements.criterion;
