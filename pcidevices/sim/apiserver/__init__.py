"""An embedded API server: `ApiServer`. It knows nothing of the product."""

from .errors import ApiError
from .faults import Faults
from .server import ApiServer
from .urls import Answered


__all__ = ["Answered", "ApiError", "ApiServer", "Faults"]
