"""What a person can set: each thing once, as a flag and as a variable."""

from .resolve import add_flags, existing_folder, own_node_name, resolve
from .setting import Setting
from .table import BUILTIN, SETTINGS


__all__ = ["BUILTIN", "SETTINGS", "Setting", "add_flags", "existing_folder", "own_node_name", "resolve"]
