class RigError(Exception):
    """The rig itself failed, not the command it was to run. The message is for the person who started it."""
