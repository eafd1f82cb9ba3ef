"""The one error that is meant for the person at the keyboard."""


class Sim2RealError(Exception):
    """What was wrong, where, and what to do, in one message.

    The command line prints it as a single line, the panels show it in a box. Anything else that escapes is a bug.
    """
