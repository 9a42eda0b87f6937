"""Every error that vssl raises on purpose. The tree is the map:

VsslError
├── ConfigError            a setting that does not exist or is out of range
├── DataError              the data cannot be used as they are
│   ├── EmptyDataError     nothing usable was found
│   ├── BrokenFileError    one file cannot be read; names the file and the reason
│   ├── TooManyBrokenError more files are broken than the stated share allows
│   └── NotEnoughDataError too few samples for the guarantee that was asked for; says how many it needs
├── RunError               a run folder cannot be used
│   ├── RunExistsError     it is there already and nobody asked to overwrite it
│   ├── RunNotFoundError   there is no run, or it holds no model yet
│   ├── RunVersionError    it was written by an incompatible version
│   └── PolicyError        there is no policy, or it may not be used here: another model, back end or time
├── ExportError            an export folder cannot be made, or is not what was exported
├── StorageError           a file cannot be written: no permission, disk full
└── DivergedError          the loss is no longer a finite number

Each message says what was wrong, where (file and row), and what to do.
"""


class VsslError(Exception):
    """Base of all errors that a user of vssl may want to catch."""


class ConfigError(VsslError, ValueError):
    """A setting does not exist or is out of its range."""


class DataError(VsslError):
    """The data cannot be used as they are."""


class EmptyDataError(DataError):
    """Nothing usable was found where data were expected."""


class BrokenFileError(DataError):
    """One file cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return type(self), (self.name, self.reason)


class TooManyBrokenError(DataError):
    """More files are broken than the stated share allows."""


class NotEnoughDataError(DataError):
    """There are too few samples for the guarantee that was asked for.

    Attributes:
        given: How many there are that differ; copies of others do not count.
        needed: How many are needed at least.
        of: How many there are with the copies; None where none were looked for.
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
    """The run folder is there already and nobody asked to overwrite it."""


class RunNotFoundError(RunError):
    """There is no run at this place, or it holds no model yet."""


class RunVersionError(RunError):
    """The run folder was written by an incompatible version of vssl."""


class PolicyError(RunError):
    """There is no policy, or it may not be used here: another model, preprocessing, back end or time."""


class ExportError(VsslError):
    """An export folder cannot be made, or is not what was exported."""


class StorageError(VsslError):
    """A file cannot be written: no permission, or the disk is full."""


class DivergedError(VsslError):
    """The loss is no longer a finite number."""
