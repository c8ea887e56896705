"""The one family of errors that a person, not a programmer, has to act on.

The command line turns any of these into a single line and exit status 1; every
other exception is a fault of pse-bench and keeps its traceback.
"""


class PseBenchError(Exception):
    """Something that the user can put right. The message names the file, what was found, what was
    expected and what to do, on one line."""


class InputError(PseBenchError):
    """A file or value that was handed in is not what it should be."""


class RequestError(PseBenchError):
    """What was asked for cannot be met with the clips or rooms at hand."""


class UndefinedScore(PseBenchError):
    """A metric has no value on this mixture through no fault of the system (silent reference, too short)."""


class FailedScore(PseBenchError):
    """A metric has no value because of the system's output (NaN, silence where speech is needed)."""
