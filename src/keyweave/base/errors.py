"""What can go wrong, said in one sentence: what was got, what is allowed, what to do."""


class KeyweaveError(Exception):
    """A failure whose message is meant for the person at the keyboard.

    Args:
        message: what was got and what is allowed, as one sentence.
        hint: how to mend it, as one sentence.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class InputError(KeyweaveError):
    """Something that was asked for cannot be: a wrong option, path or combination."""

    exit_code = 2


class MediaError(InputError):
    """A picture, video or sound file that cannot be read, or a place that cannot be written."""


class MissingExtra(KeyweaveError):
    """A package that this job needs is not installed."""

    exit_code = 3


class ModelNotFound(KeyweaveError):
    """A model that this job needs is not at hand."""

    exit_code = 3


class ModelError(InputError):
    """A model that is there but cannot be used: of another kind, incomplete, damaged or unsafe."""


class NoSolution(KeyweaveError):
    """The job was understood and tried, and has no answer."""

    exit_code = 4


class Cancelled(KeyweaveError):
    """The person at the keyboard stopped the job."""

    exit_code = 130
