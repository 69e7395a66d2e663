"""``python -m pcidevices.cli``."""

from pcidevices.cli import main


raise SystemExit(main())
