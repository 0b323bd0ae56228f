-- One row for each answer with the scores of the judge its series was decided by.
CREATE VIEW v_scores AS
SELECT answers.id AS answer_id, answers.step_id, search_steps.series_id, answers.question_id,
       answers.sample, trait.score AS trait_score, coherence.score AS coherence
FROM answers
JOIN search_steps ON search_steps.id = answers.step_id
JOIN series ON series.id = search_steps.series_id
LEFT JOIN judgements AS trait ON trait.answer_id = answers.id
  AND trait.criterion = 'trait' AND trait.judge = series.judge AND trait.repeat = 0
LEFT JOIN judgements AS coherence ON coherence.answer_id = answers.id
  AND coherence.criterion = 'coherence' AND coherence.judge = series.judge
  AND coherence.repeat = 0;
