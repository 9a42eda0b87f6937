"""The errors that vssl raises:

VsslError
├── ConfigError            a setting that does not exist or is out of range
├── DataError              the data cannot be used
│   ├── EmptyDataError     nothing usable was found
│   ├── BrokenFileError    one file cannot be read; names the file and the reason
│   ├── TooManyBrokenError more files are unreadable than the setting allows
│   └── NotEnoughDataError too few samples for the requested guarantee; states the number it needs
├── RunError               a run folder cannot be used
│   ├── RunExistsError     the folder exists and overwriting was not requested
│   ├── RunNotFoundError   there is no run, or it has no model yet
│   ├── RunVersionError    an incompatible version of vssl wrote it
│   └── PolicyError        there is no policy, or it is not valid for this model, back end or time
├── ExportError            an export folder cannot be written, or has been changed
├── StorageError           a file cannot be written: no permission, or the disk is full
└── DivergedError          the loss is no longer a finite number

Each message states what is wrong, where (file and row), and what to do.
"""


class VsslError(Exception):
    """Base of all errors that a user of vssl may want to catch."""


class ConfigError(VsslError, ValueError):
    """A setting does not exist or is out of its range."""


class DataError(VsslError):
    """The data cannot be used."""


class EmptyDataError(DataError):
    """No usable data were found."""


class BrokenFileError(DataError):
    """One file cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.name, self.reason)


class TooManyBrokenError(DataError):
    """More files are unreadable than `max_broken` allows."""


class NotEnoughDataError(DataError):
    """There are too few samples for the requested guarantee.

    Attributes:
        given: Number of distinct samples, without copies of others.
        needed: Minimum number of samples.
        guarantee, hint: The guarantee, and advice for the message.
        of: Number of samples including copies; None where copies were not searched for.
    """

    def __init__(self, given: int, needed: int, guarantee: str, hint: str = "", of: int | None = None) -> None:
        copies = of is not None and of > given
        samples = (
            f"{of} samples, of which {given} differ (the others are copies of them)," if copies else f"{given} samples"
        )
        super().__init__(f"{samples} are not enough for {guarantee}: it needs at least {needed}.{hint}")
        self.given, self.needed, self.guarantee, self.hint, self.of = given, needed, guarantee, hint, of

    def __reduce__(self) -> tuple[type, tuple[int, int, str, str, int | None]]:
        return type(self), (self.given, self.needed, self.guarantee, self.hint, self.of)


class RunError(VsslError):
    """A run folder cannot be used."""


class RunExistsError(RunError):
    """The run folder exists and overwriting was not requested."""


class RunNotFoundError(RunError):
    """There is no run in this folder, or it has no model yet."""


class RunVersionError(RunError):
    """The run folder was written by an incompatible version of vssl."""


class PolicyError(RunError):
    """There is no policy, or it is not valid for this model, preprocessing, back end or time."""


class ExportError(VsslError):
    """An export folder cannot be written, or has been changed since the export."""


class StorageError(VsslError):
    """A file cannot be written: no permission, or the disk is full."""


class DivergedError(VsslError):
    """The loss is no longer a finite number."""
