"""Errors a person can act on.

Every message says what happened, with which prompt, layer or file, and what to do.
Pages show it beside the field, the command line prints it and exits 2.
Anything that is not a `WorkbenchError` is a bug and may crash loudly.
"""


class WorkbenchError(Exception):
    """Base of every error meant for a person; `str(error)` is the whole sentence."""


class BadRequest(WorkbenchError):
    """A request whose values do not fit together or do not fit the model."""


class SubjectNotFound(BadRequest):
    """The subject does not occur in the prompt. `suggestion` holds the nearest wording, if any."""

    def __init__(self, message: str, suggestion: str | None = None):
        super().__init__(message)
        self.suggestion = suggestion


class SubjectAmbiguous(BadRequest):
    """The subject occurs more than once and no occurrence was chosen."""

    def __init__(self, message: str, occurrences: int):
        super().__init__(message)
        self.occurrences = occurrences


class SubjectSharesToken(BadRequest):
    """The tokenizer puts part of the subject and its neighbouring text into one token."""


class EmptyAnswer(BadRequest):
    """The answer has no token of its own."""


class PromptTooLong(BadRequest):
    """The prompt has more tokens than the model can read."""


class ReplacementMismatch(BadRequest):
    """The replacing text does not have the same number of tokens as the subject."""


class UnknownArchitecture(WorkbenchError):
    """The model is not a decoder-only family this workbench can read."""


class ModelUnavailable(WorkbenchError):
    """The model's files cannot be found, read or fetched."""


class ModelTooLarge(WorkbenchError):
    """The model does not fit into the memory of the chosen device."""


class BadFile(WorkbenchError):
    """A file of the wrong form; `problems` lists every fault with its place."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()):
        super().__init__("\n".join((message, *problems)))
        self.problems = problems


class Unreadable(WorkbenchError):
    """What is stored cannot be read now, by a fault of the system and not of its content."""


class Cancelled(Exception):
    """Raised inside a run when the person who started it cancels. Not an error."""
