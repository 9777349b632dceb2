"""Sign-out and deletion: what a user registered, on one phone or on all."""

from copy import replace

from lockstep.delivery import Forgetting
from lockstep.phones import Phone
from lockstep.queues import DeliveryQueue
from lockstep.tokens import Tokens

# The index that finds the rows lags by a second or so; a second look after this long finds the rest.
SECOND_LOOK_S = 10

# Each conflict means that another write of the phone got through.
_TRIES = 10


def sign_out(
    tokens: Tokens, queue: DeliveryQueue, phone: str, owner: str, *, observed_at_ms: int | None, now_ms: int
) -> bool:
    """
    Forget all that this user registered on this phone; say whether the phone was theirs.

    The phone's item loses its owner first: from then on nothing of it is pushed. The rows follow by the index.

    Args:
        observed_at_ms: When the user signed out, by the phone's clock: what it observes later counts again. None: it
            didn't say, and our clock stands in for its own; then a slow phone is not heard until its clock is past that.
    """
    before = tokens.phones([phone]).get(phone)
    if before is None or before.owner != owner:
        return False
    signed_out_ms = now_ms if observed_at_ms is None else min(observed_at_ms, now_ms)
    # A sign-out always counts: its clock may have been set back, and a sign-in that it undoes comes again.
    signed_out_ms = max(signed_out_ms, before.observed_at_ms)
    # The message first: whatever happens to us now, the second look comes.
    queue.send([(Forgetting(owner, phone, now_ms), SECOND_LOOK_S)])
    _disown(tokens, phone, owner, observed_at_ms=signed_out_ms, now_ms=now_ms)
    forget(tokens, Forgetting(owner, phone, now_ms))
    return True


def leave(
    tokens: Tokens, queue: DeliveryQueue, phone: str, owner: str, *, observed_before_ms: int, now_ms: int
) -> None:
    """Delete what a former owner registered on a phone that is another's by now, as observed before that moment."""
    _forget_twice(tokens, queue, Forgetting(owner, phone, now_ms, observed_before_ms))


def forget_user(tokens: Tokens, queue: DeliveryQueue, owner: str, *, now_ms: int) -> None:
    """Forget all that this user registered, on every phone."""
    _forget_twice(tokens, queue, Forgetting(owner, None, now_ms))


def forget(tokens: Tokens, forgetting: Forgetting) -> None:
    """Delete what an owner registered up to a moment, on one phone or on all, as far as the index knows it."""
    found = tokens.of_owner(forgetting.owner) if forgetting.phone is None else tokens.of_phone(forgetting.phone)
    for row in list(found):
        if row.owner != forgetting.owner:
            continue
        if not isinstance(row, Phone):
            tokens.delete(row, observed_before_ms=forgetting.observed_before_ms, registered_by_ms=forgetting.up_to_ms)
        elif forgetting.phone is None:
            _disown(
                tokens,
                row.phone,
                forgetting.owner,
                observed_at_ms=forgetting.up_to_ms,
                now_ms=forgetting.up_to_ms,
            )


def _forget_twice(tokens: Tokens, queue: DeliveryQueue, forgetting: Forgetting) -> None:
    queue.send([(forgetting, SECOND_LOOK_S)])
    forget(tokens, forgetting)


def _disown(tokens: Tokens, phone: str, owner: str, *, observed_at_ms: int, now_ms: int) -> None:
    """Take the owner off a phone, unless it is another's or was heard of since."""
    for _ in range(_TRIES):
        before = tokens.phones([phone]).get(phone)
        if before is None or before.owner != owner or before.observed_at_ms > observed_at_ms:
            return
        after = replace(before, owner=None, observed_at_ms=observed_at_ms, follows=())
        if tokens.replace_phone(before, after, now_s=now_ms // 1000):
            return
    raise TimeoutError("the phone changes all the time")
