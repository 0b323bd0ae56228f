"""The exception tree. Level 0: knows nothing but the standard library.

Every message has three parts: what happened, to what, and what to type next. Foreign exceptions
(SQLite, HTTP, transformers) are translated at their one border module, with `from`; the command
line prints these and nothing else.

    SteerkitError                exit code 1: the user can mend it
    ├── UsageError               exit code 2: the command line itself is wrong
    ├── SettingsError            steerkit.toml, an environment variable, an option's value
    ├── TraitError               a trait's folder or files
    ├── PromptError              a prompt file
    ├── ModelError               a model cannot be found, loaded or read
    │   └── MismatchError        what was loaded is not what the rows say
    ├── GenerationError          a forward pass gave no usable numbers
    ├── ExtractionError          too little, or nothing, to extract from
    ├── VectorError              a vector is missing or does not fit
    ├── SearchError              a search was asked for something it cannot do
    ├── JudgeError               no judge, or a judge that does not work
    ├── StoreError               the database
    └── PartialError             exit code 3: finished, with unscored or failed parts
"""

__all__ = [
    "ExtractionError",
    "GenerationError",
    "JudgeError",
    "MismatchError",
    "ModelError",
    "PartialError",
    "PromptError",
    "SearchError",
    "SettingsError",
    "SteerkitError",
    "StoreError",
    "TraitError",
    "UsageError",
    "VectorError",
]


class SteerkitError(Exception):
    """What happened, to what, and what to type next.

    `what` is a sentence without its full stop, `subject` names the thing it happened to (a path,
    a model, a trait), `hint` is the next step, with the command where there is one.
    """

    exit_code = 1

    def __init__(self, what: str, *, subject: str = "", hint: str = "") -> None:
        self.what = what
        self.subject = subject
        self.hint = hint
        super().__init__(what, subject, hint)

    def __str__(self) -> str:
        return ": ".join(part for part in (self.what, self.subject) if part)


class UsageError(SteerkitError):
    """The command line contradicts itself or names something malformed."""

    exit_code = 2


class SettingsError(SteerkitError):
    """A setting has an unknown name or a value out of range."""


class TraitError(SteerkitError):
    """A trait's folder is missing, or one of its files is malformed."""


class PromptError(SteerkitError):
    """A prompt file is missing, malformed, or asks for a variable nobody gives."""


class ModelError(SteerkitError):
    """A model, tokenizer or adapter cannot be found, loaded or read."""


class MismatchError(ModelError):
    """The loaded model's name, depth or width differs from what the rows say."""


class GenerationError(SteerkitError):
    """A forward pass gave NaN or infinite numbers, or a prompt cannot be used."""


class ExtractionError(SteerkitError):
    """Too few completions passed, or activations are not finite."""


class VectorError(SteerkitError):
    """A vector is missing, or has another width or layer than the target."""


class SearchError(SteerkitError):
    """A dose search was asked for something it cannot do."""


class JudgeError(SteerkitError):
    """No judge is configured, or the judge cannot work."""


class StoreError(SteerkitError):
    """The database cannot be opened, read or written."""


class PartialError(SteerkitError):
    """The command finished, but some parts failed or stayed unscored."""

    exit_code = 3
