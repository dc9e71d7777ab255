"""The files of the edge."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EdgeFiles:
    """Files of the edge.

    Args:
        endpoints: the folder in which each cluster has a file; replaced as instances change.
        openapi, index: what `/openapi.json` and `/` answer.
        access_log: a line of JSON for each request.
    """

    endpoints: Path
    openapi: Path
    index: Path
    access_log: Path

    def endpoints_of(self, cluster: str) -> Path:
        """The file of one cluster."""
        return self.endpoints / f"{cluster}.json"
