"""A match with an audience of mixed phones: some on a broadcast channel, some with tokens of their own."""

from collections.abc import Mapping, Sequence
from typing import Any

from lockstep.apns import Environment
from onebox.phone import Phone
from onebox.storyteller import Storyteller

TEAM = "team-42"
ATTRIBUTES_TYPE = "MatchAttributes"


class Match(Storyteller):
    """A match, and those who follow one of its teams."""

    def play(self) -> None:
        """
        Play all of it.

        Raises:
            Failed: It went otherwise than it should.
        """
        fans = self._the_match_begins()
        self._a_goal(fans)
        self._somebody_was_away(fans)
        self._the_end(fans)

    # --- chapters

    def _the_match_begins(self) -> list[Phone]:
        self._tell.title("A match: all who follow the team get a card, whichever their iPhone")
        fans = [
            self._is_a_fan("dana"),
            self._is_a_fan("emil", os_version="26.1"),
            self._is_a_fan("fay", os_version="17.5"),
            self._is_a_fan("gus", environment=Environment.SANDBOX),
        ]
        start = {
            "event": "start",
            "attributes-type": ATTRIBUTES_TYPE,
            "attributes": {"teams": "Uno–Due"},
            "content-state": {"score": "0–0"},
            "alert": {"title": "Kick-off", "body": "Uno–Due"},
        }
        self._publish(start, to={"audience": TEAM}, channel="frequent")
        self._all_show(fans, {"score": "0–0"})
        self._wait("the phones pass on what they have", lambda: self._stack.phones.are_idle)
        on = {environment: self._stack.apns.channels.every(environment) for environment in Environment}
        for environment, channels in on.items():
            self._expect(len(channels) == 1, f"one channel was made in {environment}: {channels}")
        self._tell.happens("Lockstep", "made one channel in each environment; iOS 17 gets a token")
        self._are_on_their_channels(fans)
        return fans

    def _is_a_fan(self, name: str, **hardware: Any) -> Phone:
        return self._registers(name, follows=[TEAM], attributes_types=[ATTRIBUTES_TYPE], **hardware)

    def _are_on_their_channels(self, fans: Sequence[Phone]) -> None:
        for phone in fans:
            card = phone.card(self.activity)
            on = card is not None and card.channel is not None
            self._expect(on == phone.hardware.runs(18), f"{phone.name}'s card is where its iOS lets it be")

    def _a_goal(self, fans: Sequence[Phone]) -> None:
        self._tell.title("A goal: one push for all who are on a channel, one for each who is not")
        state, alert = {"score": "1–0"}, {"title": "Goal", "body": "Uno 1–0 Due"}
        before = len(self._stack.apns.pushes)
        self._update(fans, state, alert=alert)
        # What is said again a few seconds after the start has no alert.
        sent = [push for push in self._stack.apns.pushes[before:] if _rings(push.payload, state)]
        broadcasts = [push for push in sent if push.channel is not None]
        self._expect(len(broadcasts) == len(Environment), f"one broadcast in each environment: {len(broadcasts)}")
        self._expect(len(sent) - len(broadcasts) == 1, "one push by token")
        rang = [sum(one.rang and one.content_state == state for one in phone.history) for phone in fans]
        self._expect(rang == [1] * len(fans), f"the goal rings once on every phone: {rang}")
        self._tell.happens("Lockstep", f"{len(broadcasts)} broadcasts and a push, for {len(fans)} phones")

    def _somebody_was_away(self, fans: Sequence[Phone]) -> None:
        self._tell.title("A phone was away; a channel that keeps nothing is swept")
        away = fans[0]
        away.go_offline()
        self._tell.happens(away.name, "goes into a tunnel")
        self._update(fans[1:], {"score": "1–1"})
        away.go_online()
        self._expect(away.shows(self.activity) == {"score": "1–0"}, f"{away.name}'s phone has missed it")
        self._tell.happens("Lockstep", "sweeps, as it does every few minutes, and says it again")
        self._stack.invoke("SweepFunction", {"source": "aws.events"})
        self._all_show(fans, {"score": "1–1"})
        self._expect(not away.history[-1].rang, "it makes no sound")

    def _the_end(self, fans: Sequence[Phone]) -> None:
        self._tell.title("The final whistle")
        self._publish({"event": "end", "content-state": {"score": "2–1"}})
        self._all_show(fans, {"score": "2–1"})
        for phone in fans:
            self._expect(len(phone.starts(self.activity)) == 1, f"{phone.name}'s phone has one card, no double")
            self._expect(not phone.refusals, f"the API takes all that {phone.name}'s phone says: {phone.refusals}")
        for queue in ("PublishDeadLetterQueue", "DeliveryDeadLetterQueue", "SliceDeadLetterQueue"):
            self._expect(not self._stack.queues.count(queue), f"{queue} is empty")


def _rings(payload: Any, state: Mapping[str, Any]) -> bool:
    return payload["aps"].get("content-state") == state and "alert" in payload["aps"]
