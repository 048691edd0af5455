"""The projection: hub topics into Redis, tasks to departments. Redis serves; it decides and owns nothing."""

from agents.projection.rebuild import rebuild
from agents.projection.worker import serve as run

__all__ = ["rebuild", "run"]
