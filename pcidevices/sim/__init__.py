"""A world without hardware: a node whose sysfs does what Linux does, and an API server. For tests and the demo."""
