"""``pcidevices version``: of the program, and of the database that it has names from."""

from pcidevices import __version__
from pcidevices.adapters.sysfs.pciidsfile import edition, find


def run() -> int:
    """Print both."""
    print(f"pcidevices {__version__}")
    database = find()
    print(f"pci.ids {edition(database)}, {database}" if database else "no pci.ids: ids stand in for names")
    return 0
