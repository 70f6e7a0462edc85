"""The one exception that users meet."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence: what is wrong, where, and what to do about it. The command line
    prints it without a traceback and ends with exit code 2.
    """
