"""Auto-tracking of HTTP requests: an ASGI middleware for any FastAPI or Starlette application, and where its notes go."""

from analytics_api.domain.api_request import ApiRequest
from analytics_api.tracking.middleware import ApiTrackingMiddleware
from analytics_api.tracking.traffic import TrafficCounter, sort_requests

__all__ = ["ApiRequest", "ApiTrackingMiddleware", "TrafficCounter", "sort_requests"]
