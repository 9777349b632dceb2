"""Where a push goes, and which plan it is of: pure."""

from typing import TYPE_CHECKING, NamedTuple

from lockstep.apns import Environment, Push
from lockstep.phones import Card, Marker, Phone, StartToken

if TYPE_CHECKING:
    from lockstep.plan import Plan


class Target(NamedTuple):
    """
    Where a push goes; it comes back with the outcome. A named tuple, for the sake of its making (see `phones`).

    Attributes:
        phone: Whose token it is, as known when the push was made.
        environment_said: Whether the phone said which APNs environment its tokens are of.
        elsewhere: Whether this is the second try, in the other environment.
        marker: Of a start: what notes it, and blocks another.
    """

    plan: "Plan"
    row: Card | StartToken
    phone: Phone
    environment: Environment
    environment_said: bool
    sent_at_ms: int
    marker: Marker | None = None
    elsewhere: bool = False


def target_of(push: Push) -> Target:
    """Read back where a push of ours goes."""
    if not isinstance(push.ref, Target):
        raise TypeError("not a push of a plan")
    return push.ref
