"""How the rig says that something did not work."""


class RigError(Exception):
    """One sentence for the person who ran the command."""


class EndedError(RigError):
    """A program ended while we waited for it."""


class PortTakenError(EndedError):
    """A program ended because somebody else listens on its port."""
