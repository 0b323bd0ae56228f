"""The settings of a command: option > STEERKIT_* > steerkit.toml > default. Level 1.

Only options that the user gave are passed in; a default of the command line never hides a setting.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from steerkit import paths
from steerkit.errors import SettingsError

__all__ = ["Settings", "load_settings"]


class Settings(BaseSettings):
    """Everything a run can be told. Field descriptions are the documentation of steerkit.toml."""

    model_config = SettingsConfigDict(env_prefix="STEERKIT_", extra="forbid", validate_default=True)

    db: Path = Field(default_factory=paths.default_database, description="the SQLite file")
    cache: Path | None = Field(None, description="folder for converted models (STEERKIT_CACHE)")
    judge: str | None = Field(None, description="local, local:MODEL or anthropic[:MODEL]")
    threads: int | None = Field(None, ge=1, le=1024, description="CPU threads; default all cores")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="of models without a dtype of their own in the registry"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1 ...")
    seed: int = Field(0, ge=0, description="of random directions, folds and splits")
    batch_rows: int = Field(64, ge=1, le=4096, description="most rows in one forward pass")
    max_new_tokens: int | None = Field(
        None, ge=1, le=8192, description="of an answer; default 64 (embedded family), else 128"
    )
    vet_tokens: int | None = Field(
        None, ge=1, le=8192, description="of a completion; default 48 (embedded family), else 64"
    )
    pass_positive: float = Field(60.0, ge=0, le=100, description="least score of a positive")
    pass_negative: float = Field(40.0, ge=0, le=100, description="greatest score of a negative")
    methods: str = Field("mean_diff,probe,gradient", description="extraction methods")
    pooling: Literal["response", "all"] = Field("response", description="which tokens are pooled")
    method: str = Field("mean_diff", description="the method whose vectors steer")
    layers: str | None = Field(None, description="layers to steer; default five between 27 and 80 %")
    search: Literal["staircase", "walk"] = Field("staircase", description="the dose search")
    steps: int | None = Field(None, ge=1, le=64, description="default staircase 6, walk 4")
    threshold: float = Field(70.0, gt=0, lt=100, description="least coherence of a feasible dose")
    position: Literal["response", "all"] = Field("response", description="which tokens are steered")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options first, then the environment, then ./steerkit.toml."""
        del dotenv_settings, file_secret_settings
        toml = TomlConfigSettingsSource(settings_cls, toml_file=Path("steerkit.toml"))
        return init_settings, env_settings, toml


def load_settings(**given: Any) -> Settings:
    """Merge the options the user gave (None means "not given") over environment and file.

    Raises SettingsError for an unknown key, a malformed file or a value out of range.
    """
    options = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**options)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"a setting is not valid: {first['msg'].lower()}",
            subject=f"{name} = {first.get('input')!r}",
            hint=f"mend the option, STEERKIT_{name.upper()} or steerkit.toml; "
            f"known settings: {', '.join(Settings.model_fields)}",
        ) from error
    except ValueError as error:  # tomllib.TOMLDecodeError is one
        raise SettingsError(
            f"the settings file cannot be read: {error}",
            subject="steerkit.toml",
            hint="mend the file, or move it away to use the defaults",
        ) from error
