import ActivityKit
import UIKit

@MainActor
protocol CardsOfOneType {
    var attributesType: String { get }
    var startToken: String? { get }
    func observe()
    func reported() -> [Report.Card]
    func agree(_ said: ActivityAnswer) async
    func endAll() async
}

/// The cards of one type of attributes: what iOS says of them goes to Lockstep, what Lockstep answers is done to them.
@MainActor
final class Cards<Attributes: LockstepAttributes>: CardsOfOneType {
    let attributesType = String(describing: Attributes.self)
    private unowned let lockstep: Lockstep
    /// Those that iOS showed us and that are not over, the first seen first.
    private var seen: [Activity<Attributes>] = []
    /// By id, the newest that the streams gave. Not kept beyond the process: a token may change while there is none.
    private var tokens: [String: String] = [:]
    /// Ids of those that the app itself took away.
    private var discarded: Set<String> = []

    init(of lockstep: Lockstep) {
        self.lockstep = lockstep
    }

    /// Read anew each time: its stream has been seen to stay silent where the token had changed.
    var startToken: String? { Activity<Attributes>.pushToStartToken?.hex }

    /// Those that iOS lists, and those that it showed us: its list has been seen empty at launch though cards were there.
    private var all: [Activity<Attributes>] {
        seen + Activity<Attributes>.activities.filter { card in !seen.contains { $0.id == card.id } }
    }

    private var running: [Activity<Attributes>] { all.filter { runs($0) } }

    private func runs(_ card: Activity<Attributes>) -> Bool {
        [.active, .stale].contains(card.activityState) && !discarded.contains(card.id)
    }

    // MARK: What iOS says

    func observe() {
        // Those that are there, and the streams: in a launch for a push, a stream may begin after its first value.
        for card in running { appeared(card) }
        Task { for await activity in Activity<Attributes>.activityUpdates { appeared(activity) } }
        Task {
            for await token in Activity<Attributes>.pushToStartTokenUpdates {
                lockstep.putStartToken(attributesType, token.hex)
            }
        }
    }

    private func appeared(_ activity: Activity<Attributes>) {
        guard runs(activity), !seen.contains(where: { $0.id == activity.id }) else { return }
        seen.append(activity)
        guard lockstep.memory.user != nil else {
            // It was on its way when the user signed out.
            Task { await discard(activity) }
            return
        }
        remember(activity)
        Task {
            await keepOne(of: activity.attributes.activity)
            if !discarded.contains(activity.id) { put(activity) }
        }
        Task {
            for await token in activity.pushTokenUpdates where !discarded.contains(activity.id) {
                tokens[activity.id] = token.hex
                put(activity)
            }
        }
        Task {
            for await state in activity.activityStateUpdates where state == .ended || state == .dismissed {
                return gone(activity.id, swiped: state == .dismissed && !discarded.contains(activity.id))
            }
        }
    }

    private func remember(_ activity: Activity<Attributes>) {
        if lockstep.memory.cards[activity.id] != nil { return }
        let (name, run) = (activity.attributes.activity, activity.attributes.run)
        lockstep.memory.cards[activity.id] = Memory.Card(attributesType: attributesType, activity: name, run: run)
    }

    private func put(_ activity: Activity<Attributes>) {
        lockstep.putCard(activity.id, token: token(of: activity)) { [weak self] in await self?.discard(activity) }
    }

    private func gone(_ id: String, swiped: Bool) {
        seen.removeAll { $0.id == id }
        guard let card = lockstep.memory.cards.removeValue(forKey: id) else { return }
        if swiped { lockstep.memory.dismiss(card.activity, run: card.run) }
        lockstep.removeCard(id, reason: swiped ? "dismissed" : "ended")
    }

    /// Of two cards of an activity the higher run stays; of one run, the one that was there.
    private func keepOne(of activity: String) async {
        let cards = running.filter { $0.attributes.activity == activity }.sorted { one, other in
            (run(of: one) ?? -1, -age(of: one)) > (run(of: other) ?? -1, -age(of: other))
        }
        for card in cards.dropFirst() { await discard(card) }
    }

    private func age(of card: Activity<Attributes>) -> Int { seen.firstIndex { $0.id == card.id } ?? seen.count }

    private func token(of card: Activity<Attributes>) -> String? { tokens[card.id] ?? card.pushToken?.hex }

    private func run(of card: Activity<Attributes>) -> Int? { lockstep.memory.cards[card.id]?.run }

    private func discard(_ card: Activity<Attributes>) async {
        discarded.insert(card.id)
        await card.end(nil, dismissalPolicy: .immediate)
    }

    // MARK: What Lockstep hears, and answers

    func reported() -> [Report.Card] {
        let cards = running
        for card in cards { remember(card) }
        let there = Set((cards + Activity<Attributes>.activities).map(\.id))
        // Swiped away while the app was dead: no stream will tell.
        for (id, card) in lockstep.memory.cards where card.attributesType == attributesType {
            if there.contains(id) { continue }
            lockstep.memory.cards[id] = nil
            lockstep.memory.dismiss(card.activity, run: card.run)
        }
        return cards.compactMap { card in
            lockstep.memory.cards[card.id].map {
                Report.Card(card: card.id, activity: $0.activity, run: $0.run, token: token(of: card))
            }
        }
    }

    func agree(_ said: ActivityAnswer) async {
        let date = Date(timeIntervalSince1970: TimeInterval(said.timestamp))
        lockstep.memory.hear(of: said.activity, run: said.run)
        var shown = false
        for card in running where card.attributes.activity == said.activity {
            // A card that the app made before it knew of a run is of the first that it hears of.
            let itsRun = run(of: card) ?? said.run
            lockstep.memory.cards[card.id]?.run = itsRun
            let content = stated(said, relevanceScore: card.content.relevanceScore)
            if said.ended || itsRun < said.run {
                await card.end(itsRun == said.run ? content : nil, dismissalPolicy: .default, timestamp: date)
            } else if itsRun == said.run {
                shown = true
                // iOS ignores what is older than what it shows.
                if let content { await card.update(content, timestamp: date) }
            }
        }
        let wanted = !said.ended && said.attributesType == attributesType
            && !lockstep.memory.isUnwanted(said.activity, run: said.run)
        // Apple lets an app start a card only in the foreground; a start by push needs none of this.
        if wanted, !shown, UIApplication.shared.applicationState == .active,
            let attributes = try? said.attributes?.decoded(as: Attributes.self),
            let content = stated(said, relevanceScore: 0) {
            start(attributes, content, channel: said.channel)
        }
    }

    private func stated(_ said: ActivityAnswer, relevanceScore: Double) -> ActivityContent<Attributes.ContentState>? {
        guard let state = try? said.contentState?.decoded(as: Attributes.ContentState.self) else { return nil }
        let staleDate = said.staleDate.map { Date(timeIntervalSince1970: $0) }
        return ActivityContent(state: state, staleDate: staleDate, relevanceScore: relevanceScore)
    }

    func start(_ attributes: Attributes, _ content: ActivityContent<Attributes.ContentState>, channel: String?) {
        let others = running.filter { $0.attributes.activity == attributes.activity }
        if others.contains(where: { (run(of: $0) ?? Int.max) >= (attributes.run ?? 0) }) { return }
        var started: Activity<Attributes>?
        if #available(iOS 18, *), let channel {
            started = try? Activity.request(attributes: attributes, content: content, pushType: .channel(channel))
        }
        if let card = started ?? (try? Activity.request(attributes: attributes, content: content, pushType: .token)) {
            appeared(card)
        }
    }

    func endAll() async {
        // Also those that are over, and still to be seen.
        for card in all { await discard(card) }
        lockstep.memory.cards = lockstep.memory.cards.filter { $0.value.attributesType != attributesType }
    }
}

private extension Data {
    var hex: String { map { String(format: "%02x", $0) }.joined() }
}
