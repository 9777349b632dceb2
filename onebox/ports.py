"""Where each part of the stack listens."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each part listens; 0 lets the system choose."""

    api: int = 0
    aws: int = 0
    apns_production: int = 0
    apns_sandbox: int = 0
    control: int = 0
    page: int = 0
