"""Loading a model: weights, adapter, tokenizer, decoder blocks, dtype. Level 4.

Knows no vector and no question. A `LoadedModel` is what the engine works on: the transformers
model (with an adapter injected where there is one) and the places in it that the engine needs.
"""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Iterator

import torch
from torch import nn

from steerkit.embedded import embedded_folder
from steerkit.errors import MismatchError, ModelError
from steerkit.records import Model, PromptForm
from steerkit.registry import EMBEDDED_REPO

__all__ = ["LoadedModel", "choose_device", "choose_dtype", "find_blocks", "load_model"]

_BLOCK_PATHS = ("layers", "h", "blocks", "decoder.layers", "language_model.layers")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model ready to run, in eval mode with frozen parameters.

    `causal` is the transformers causal model, `body` its decoder without the language-model head,
    `blocks` the decoder blocks in order. `record` has the depth and width that were found.
    """

    record: Model
    causal: Any
    body: nn.Module
    blocks: tuple[nn.Module, ...]
    tokenizer: Any
    prompt_form: PromptForm
    dtype: torch.dtype
    device: torch.device

    @property
    def n_layers(self) -> int:
        """Number of decoder blocks."""
        return len(self.blocks)

    @property
    def hidden_size(self) -> int:
        """Width of the residual stream."""
        return int(self.causal.config.get_text_config().hidden_size)

    @property
    def pad_id(self) -> int:
        """A token to fill batches with. It is always masked, so its meaning does not matter."""
        for token in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return int(token)
        return 0

    @property
    def stop_ids(self) -> frozenset[int]:
        """The tokens that end an answer."""
        configured = self.causal.generation_config.eos_token_id
        several = configured if isinstance(configured, list) else [configured]
        return frozenset(t for t in (*several, self.tokenizer.eos_token_id) if t is not None)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits (n, vocabulary) of final hidden states (n, hidden_size), as the model scales them."""
        config = self.causal.config.get_text_config()
        head = self.causal.get_output_embeddings()
        logits: torch.Tensor = head(hidden.to(head.weight.dtype))
        if scaling := getattr(config, "logits_scaling", None):
            logits = logits / scaling
        if scale := getattr(config, "logit_scale", None):
            logits = logits * scale
        if cap := getattr(config, "final_logit_softcapping", None):
            logits = torch.tanh(logits / cap) * cap
        return logits


def load_model(
    record: Model,
    *,
    dtype: str = "auto",
    device: str = "auto",
    trust_remote_code: bool = False,
) -> LoadedModel:
    """Load the model a registry row describes, and check that it is the one.

    The row's own dtype goes before `dtype`. Only safetensors are read, never pickle. Raises
    ModelError when it cannot be found or read, MismatchError when its name, depth or width differ
    from the row.
    """
    place = choose_device(device)
    kind = choose_dtype(record.dtype or dtype, place)
    source = str(embedded_folder()) if record.repo == EMBEDDED_REPO else record.repo
    with _translated(record, source), _quiet():
        causal, tokenizer = _read(record, source, kind, trust_remote_code)
        if record.adapter:
            causal = _with_adapter(causal, record.adapter)
    causal.to(place).eval().requires_grad_(False)
    body, blocks = find_blocks(causal)
    found = _checked(record, causal, source, len(blocks))
    form: PromptForm = record.prompt_form or ("chat" if tokenizer.chat_template else "raw")
    return LoadedModel(found, causal, body, blocks, tokenizer, form, kind, place)


def choose_device(name: str) -> torch.device:
    """The torch device called `name`; "auto" is a CUDA GPU where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            "there is no such device", subject=name, hint="use --device auto, cpu or cuda"
        ) from error
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype called `name`; "auto" is bfloat16 where the hardware multiplies it, else float32."""
    if name != "auto":
        if name not in _DTYPES:
            raise ModelError("there is no such dtype", subject=name, hint=f"use {', '.join(_DTYPES)}")
        return _DTYPES[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    fast = any(
        getattr(torch.cpu, probe, lambda: False)()
        for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    return torch.bfloat16 if device.type == "cpu" and fast else torch.float32


def find_blocks(causal: Any) -> tuple[nn.Module, tuple[nn.Module, ...]]:
    """The decoder without its head, and its blocks in order.

    Raises ModelError, naming the class, when no list of blocks of the configured depth is found.
    """
    depth = causal.config.get_text_config().num_hidden_layers
    body = causal.base_model
    for path in _BLOCK_PATHS:
        found: Any = body
        for part in path.split("."):
            found = getattr(found, part, None)
        if isinstance(found, nn.ModuleList) and len(found) == depth:
            return body, tuple(found)
    raise ModelError(
        f"no list of {depth} decoder blocks was found in this architecture",
        subject=type(causal).__name__,
        hint="known places of the blocks are "
        f"{', '.join(_BLOCK_PATHS)}; please report the class as an issue",
    )


def _read(
    record: Model, source: str, dtype: torch.dtype, trust_remote_code: bool
) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    revision = {"revision": record.revision} if record.revision else {}
    trust = {"trust_remote_code": True} if trust_remote_code else {}
    causal = AutoModelForCausalLM.from_pretrained(
        source, dtype=dtype, use_safetensors=True, **revision, **trust
    )
    return causal, AutoTokenizer.from_pretrained(source, **revision, **trust)


def _with_adapter(causal: Any, adapter: str) -> Any:
    """Inject a PEFT adapter; the returned model is the same transformers class as before."""
    from peft import PeftModel

    return PeftModel.from_pretrained(causal, adapter).get_base_model()


def _checked(record: Model, causal: Any, source: str, depth: int) -> Model:
    width = int(causal.config.get_text_config().hidden_size)
    pairs: list[tuple[str, object, object]] = [
        ("name", source, causal.config._name_or_path),
        ("number of layers", record.n_layers, depth),
        ("hidden size", record.hidden_size, width),
    ]
    for what, wanted, got in pairs:
        if wanted is not None and wanted != got:
            raise MismatchError(
                f"the loaded model's {what} is {got}, the registry says {wanted}",
                subject=record.name,
                hint=f"register it anew: steerkit models remove {record.name}, "
                f"then steerkit models add {record.name} {record.repo}",
            )
    return replace(record, n_layers=depth, hidden_size=width)


@contextmanager
def _translated(record: Model, source: str) -> Iterator[None]:
    """Turn what transformers, peft and safetensors raise into a ModelError."""
    try:
        yield
    except ModelError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        local = Path(source).is_dir()
        hint = (
            f"check the folder's config.json, *.safetensors and tokenizer files: ls {source}"
            if local
            else "check the name and the connection, or register a local folder: "
            f"steerkit models add {record.name} /path/to/folder"
        )
        raise ModelError(
            f"the model cannot be loaded: {_first_line(error)}",
            subject=f"{record.name} ({source}{' + ' + record.adapter if record.adapter else ''})",
            hint=hint,
        ) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in {"safetensors", "safetensors_rust", "peft", "huggingface_hub"}:  # noqa: E501
            raise
        raise ModelError(
            f"the weights cannot be read: {_first_line(error)}",
            subject=f"{record.name} ({source})",
            hint="the file may be cut short: download or copy it again",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars and no advice from transformers while loading; errors still raise."""
    from transformers.utils import logging

    restore: Callable[[], None] = (
        logging.enable_progress_bar if logging.is_progress_bar_enabled() else lambda: None
    )
    level = logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        restore()
