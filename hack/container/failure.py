"""What goes wrong with an image."""


class ImageError(Exception):
    """The image cannot be made. The message is for the person who asked for it."""
