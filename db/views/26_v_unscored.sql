-- Every judgement that gave no score, with its reason. They enter no mean.
CREATE VIEW v_unscored AS
SELECT judgements.id AS judgement_id, judgements.criterion, judgements.judge,
       judgements.unscored_reason, judgements.answer_id, judgements.completion_id,
       coalesce(answers.text, completions.text) AS text, judgements.reply
FROM judgements
LEFT JOIN answers ON answers.id = judgements.answer_id
LEFT JOIN completions ON completions.id = judgements.completion_id
WHERE judgements.score IS NULL;
