"""Reading the views: the single definition of every printed number."""

from typing import Any

from steerkit.store.connection import Connection

__all__ = ["ViewShelf"]

_ORDERS = {
    "v_summary": "trait, source, target, method, position, search, judge, layer",
    "v_search_log": "trait, source, target, method, search, series_id, step",
    "v_search_results": "trait, source, target, method, position, search, judge, layer",
    "v_dose_response": "trait, target, layer, dose",
    "v_collapse_cliffs": "fall DESC",
    "v_transfer": "trait, source, target, layer",
    "v_controls": "trait, target, layer, condition",
    "v_unsteered": "trait, target, split DESC",
    "v_vetting": "trait, model, judge, polarity DESC",
    "v_vectors": "trait, model, method, layer, id",
    "v_judge_cost": "judge, criterion",
    "v_unscored": "judgement_id",
}


class ViewShelf:
    """Every view in a fixed order, each row a dict by column name."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def all(self, view: str) -> list[dict[str, Any]]:
        """All rows of a view. Raises KeyError for a name that is none of ours."""
        return self._db.rows(f"SELECT * FROM {view} ORDER BY {_ORDERS[view]}")  # noqa: S608

    def pair_of_answers(self, step_id: int, unsteered_series_id: int) -> list[dict[str, Any]]:
        """Answers of a step beside the unsteered answers to the same questions, with scores."""
        return self._db.rows(
            "SELECT questions.text AS question, steered.text AS steered, plain.text AS unsteered,"
            " mine.trait_score, mine.coherence, theirs.trait_score AS unsteered_trait,"
            " theirs.coherence AS unsteered_coherence "
            "FROM answers AS steered JOIN questions ON questions.id = steered.question_id "
            "JOIN v_scores AS mine ON mine.answer_id = steered.id "
            "JOIN v_scores AS theirs ON theirs.question_id = steered.question_id"
            " AND theirs.series_id = ?2 AND theirs.sample = steered.sample "
            "JOIN answers AS plain ON plain.id = theirs.answer_id "
            "WHERE steered.step_id = ?1 ORDER BY steered.id",
            [step_id, unsteered_series_id],
        )
