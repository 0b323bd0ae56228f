"""Where things lie: migrations, views and prompts, the database, the cache. Level 1.

Knows nothing of what is in the files. `db/` and `prompts/` lie beside the package in a checkout and
inside it in an installed wheel.
"""

import os
from pathlib import Path

import platformdirs

from steerkit.errors import SteerkitError

__all__ = [
    "cache_dir",
    "checkout_root",
    "default_database",
    "prompts_dir",
    "resources_dir",
    "trait_roots",
]

_PACKAGE = Path(__file__).resolve().parent


def checkout_root() -> Path | None:
    """The checkout this package runs from, or None when it was installed from a wheel."""
    root = _PACKAGE.parent
    has_all = (root / "pyproject.toml").is_file() and (root / "db" / "migrations").is_dir()
    return root if has_all else None


def resources_dir(kind: str) -> Path:
    """The shipped folder `kind` ("db" or "prompts"), in a checkout or in an installed wheel.

    Raises SteerkitError when the installation lacks it.
    """
    root = checkout_root()
    folder = (root if root else _PACKAGE / "_resources") / kind
    if not folder.is_dir():
        raise SteerkitError(
            "the installation is incomplete: a shipped folder is missing",
            subject=str(folder),
            hint="install steerkit again from its checkout: make setup",
        )
    return folder


def prompts_dir() -> Path:
    """The shipped prompt files."""
    return resources_dir("prompts")


def trait_roots() -> tuple[Path, ...]:
    """Folders that hold traits as `category/name`, the user's own before the shipped ones."""
    own = Path.cwd() / "prompts" / "traits"
    shipped = prompts_dir() / "traits"
    return (own, shipped) if own.is_dir() and own != shipped else (shipped,)


def default_database() -> Path:
    """`db/steerkit.db` in a checkout, else a file in the platform's data folder."""
    root = checkout_root()
    if root:
        return root / "db" / "steerkit.db"
    return platformdirs.user_data_path("steerkit") / "steerkit.db"


def cache_dir() -> Path:
    """The folder for what can be made again (converted models); STEERKIT_CACHE overrides it."""
    override = os.environ.get("STEERKIT_CACHE")
    return Path(override) if override else platformdirs.user_cache_path("steerkit")
