"""The models steerkit knows without being told. Level 2: records only, nothing is loaded."""

from steerkit.records import Model

__all__ = ["EMBEDDED_REPO", "PRESETS", "preset"]

EMBEDDED_REPO = "embedded:smollm2-135m"

PRESETS = (
    Model(
        name="smollm2-135m",
        label="SmolLM2-135M-Instruct",
        repo=EMBEDDED_REPO,
        alignment="other",
        n_layers=30,
        hidden_size=576,
        prompt_form="chat",
    ),
    Model(
        name="mistral-7b-base",
        label="Mistral-7B-v0.1",
        repo="mistralai/Mistral-7B-v0.1",
        alignment="base",
        n_layers=32,
        hidden_size=4096,
        prompt_form="raw",
    ),
    Model(
        name="zephyr-7b-sft",
        label="mistral-7b-sft-beta",
        repo="HuggingFaceH4/mistral-7b-sft-beta",
        parent="mistral-7b-base",
        alignment="sft",
        n_layers=32,
        hidden_size=4096,
        prompt_form="chat",
    ),
    Model(
        name="zephyr-7b-beta",
        label="zephyr-7b-beta",
        repo="HuggingFaceH4/zephyr-7b-beta",
        parent="zephyr-7b-sft",
        alignment="dpo",
        n_layers=32,
        hidden_size=4096,
        prompt_form="chat",
    ),
)


def preset(name: str) -> Model | None:
    """The preset called `name`, or None."""
    return next((model for model in PRESETS if model.name == name), None)
