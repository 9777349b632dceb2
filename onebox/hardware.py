"""What a simulated iPhone is, whoever holds it."""

import uuid
from dataclasses import dataclass, field

from lockstep.apns import Environment


@dataclass(slots=True)
class Hardware:
    """What a phone is."""

    name: str
    environment: Environment = Environment.PRODUCTION
    os_version: str = "18.2"
    device: str = field(default_factory=lambda: str(uuid.uuid4()))

    def runs(self, major: int, minor: int = 0) -> bool:
        """Return whether its iOS is at least this one."""
        parts = [int(part) for part in self.os_version.split(".")]
        return [*parts, 0][:2] >= [major, minor]
