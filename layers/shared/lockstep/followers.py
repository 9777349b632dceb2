"""Named audiences in the tokens table: which phones follow a name, and their start tokens."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lockstep.dynamodb import Item, get_batch, lives, to_item, write_batch
from lockstep.phones import Follower, StartToken
from lockstep.sharded_reads import newest, read_page
from lockstep.shards import NAME_SHARDS, Sharded, shard_of
from lockstep.token_items import follower_key, start_token_key, to_follower, to_start_token
from lockstep.tokens import START_TOKEN_LIFE_S

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_FORMAT = 1


class Followers:
    """
    An index from names to phones. The phone's own item says what it follows: a row too many here is passed over.

    Reads are strongly consistent.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def put(self, followers: Iterable[Follower], *, now_s: int) -> None:
        """Note phones under the names they follow."""
        items = [
            {
                **follower_key(one),
                **to_item(
                    {
                        "device_key": one.phone,
                        "owner": one.owner,
                        "name": one.name,
                        "observed_at_ms": one.observed_at_ms,
                        "registered_at_ms": one.registered_at_ms,
                        "expires_at_s": now_s + START_TOKEN_LIFE_S,
                        "v": _FORMAT,
                    }
                ),
            }
            for one in followers
        ]
        write_batch(self._client, self._table, [{"PutRequest": {"Item": item}} for item in items])

    def page(self, name: str, *, now_s: int, first: str = "", last: str = "", limit: int) -> tuple[list[Follower], str]:
        """Read one page of a name's followers by their phones' hashes, and its last phone; empty where nothing is left."""
        audience = Sharded.of_name(name)
        items, end = read_page(self._client, self._table, audience, first=first, last=last, limit=limit)
        return [to_follower(item) for item in items if lives(item, now_s)], end

    def among(self, name: str, phones: Iterable[str], *, now_s: int) -> list[Follower]:
        """Read those of these phones that follow a name."""
        places = dict.fromkeys((phone, shard) for phone in phones for shard in (0, shard_of(phone, NAME_SHARDS)))
        keys = [follower_key(Follower(name, phone, "", 0, 0, shard)) for phone, shard in places]
        return [to_follower(item) for item in newest(self._get(keys)) if lives(item, now_s)]

    def start_tokens(self, followers: Iterable[Follower], attributes_type: str, *, now_s: int) -> list[StartToken]:
        """Read the live start tokens that these phones have for an attributes type, as their owners'."""
        keys = [start_token_key(StartToken(one.owner, one.phone, attributes_type, None, 0, 0)) for one in followers]
        tokens = (to_start_token(item) for item in self._get(keys) if lives(item, now_s))
        return [one for one in tokens if one.token is not None]

    def _get(self, keys: list[Item]) -> list[Item]:
        return list(get_batch(self._client, self._table, keys))
