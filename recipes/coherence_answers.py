"""Makes the answers that the local judge's coherence score is calibrated on, without labels.

    python recipes/coherence_answers.py OUT.jsonl

80 answers of the embedded model to the trait's training questions (those of its judge examples,
never the ones targets are asked), unsteered and under the trait's mean difference or a random
direction, at doses from 0.1 to 1.5 and five layers. A person reads them with dose, layer and
direction hidden and adds `coherence` (0-100); the labelled file is
prompts/judge/coherence_examples.jsonl.
"""

import json
import random
import sys

import numpy as np

from steerkit.activations import Passage, capture, median_norms
from steerkit.generation import Row, generate
from steerkit.models import load_model
from steerkit.registry import PRESETS
from steerkit.steering import Steer
from steerkit.tokens import question_ids, scenario_ids
from steerkit.traits import load_trait
from steerkit.vectors import random_unit

DOSES = {0.0: 14, 0.1: 10, 0.2: 12, 0.4: 16, 0.8: 16, 1.5: 12}
LAYERS = (8, 12, 16, 20, 24)
TOKENS = 64


def main(out: str) -> None:
    """Write the answers to `out`, shuffled."""
    dice = random.Random(7)
    model, trait = load_model(PRESETS[0]), load_trait("epistemic/optimism")
    prompts = [scenario_ids(model, scenario.text) for scenario in trait.scenarios]
    written = generate(model, [Row(prompt) for prompt in prompts], max_new_tokens=48)
    passages = [Passage(p, g.ids) for p, g in zip(prompts, written, strict=True)]
    pooled = capture(model, passages).pooled
    positive = np.array([scenario.polarity == "positive" for scenario in trait.scenarios])
    delta = pooled[positive].mean(axis=0) - pooled[~positive].mean(axis=0)

    questions = [example.question for example in trait.examples]
    plain = generate(model, [Row(question_ids(model, q)) for q in questions], max_new_tokens=TOKENS)
    norms = median_norms(
        capture(
            model,
            [Passage(question_ids(model, q), g.ids) for q, g in zip(questions, plain, strict=True)],
        ).norms
    )
    plan = []
    for dose, count in DOSES.items():
        for index in range(count):
            layer = LAYERS[index % len(LAYERS)]
            kind = ("trait", "random", "opposite")[dice.choice([0, 0, 1, 1, 2])] if dose else "none"
            unit = delta[layer] / np.linalg.norm(delta[layer])
            if kind == "random":
                unit = random_unit(len(unit), dice.randrange(10**6))
            sign = -1 if kind == "opposite" else 1
            shift = (sign * dose * norms[layer] * unit).astype(np.float32)
            plan.append((dice.choice(questions), dose, layer, kind, shift))
    dice.shuffle(plan)
    rows = [
        Row(question_ids(model, question), Steer(layer, shift) if dose else None)
        for question, dose, layer, _, shift in plan
    ]
    answers = generate(model, rows, max_new_tokens=TOKENS)
    with open(out, "w", encoding="utf-8") as file:
        for (question, dose, layer, kind, _), answer in zip(plan, answers, strict=True):
            row = {"question": question, "answer": answer.text, "dose": dose, "layer": layer}
            file.write(json.dumps(row | {"direction": kind}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
