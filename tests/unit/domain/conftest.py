"""Properties take the time they need: the machine may be busy."""

from __future__ import annotations

from hypothesis import HealthCheck, settings


settings.register_profile("unit", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")
