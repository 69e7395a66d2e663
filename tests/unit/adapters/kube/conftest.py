"""Never the cluster of whoever runs the tests."""

from tests.support.elsewhere import elsewhere


__all__ = ["elsewhere"]
