"""The large audience of the soak: the stadium's match, updated for as long as the soak lasts."""

from bench.stadium.match import Match


class Audience(Match):
    """Phones that follow a team. Now and then one gets another token, or loses the app."""

    def update(self) -> None:
        """Publish the next state; every third rings."""
        self._meanwhile([])
        state = len(self.published_ms)
        alert = {"alert": {"title": "Goal", "body": str(state)}} if state % 3 == 1 else {}
        self._publish({"event": "update", **alert})

    def look(self) -> None:
        """Read what Apple was sent meanwhile."""
        self._look()
