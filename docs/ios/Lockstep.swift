import ActivityKit
import UIKit

/// Keeps this phone's cards and Lockstep in step. On the main actor, as the app's delegate is.
@MainActor
final class Lockstep {
    /// Read when it is needed first: before the first unlock after a restart there is nothing to read.
    private(set) lazy var memory = Memory()
    /// Names of the audiences that this phone is of, such as "team-42"; nil leaves what is stored. Set it after each
    /// sign-in: what is stored goes with the user of before.
    var follows: [String]? {
        didSet { if follows != oldValue { report() } }
    }

    private let api: URL
    private let token: @Sendable (_ fresh: Bool) async throws -> String
    private let uploads = Uploads()
    private let info = ActivityAuthorizationInfo()
    private var kinds: [any CardsOfOneType] = []
    private var observes = false
    private var observedAtMs = 0
    private var told = false

    init(api: URL, token: @escaping @Sendable (_ fresh: Bool) async throws -> String) {
        self.api = api
        self.token = token
    }

    /// Names a type of attributes that the app has Live Activities for; before the first `launch`.
    func shows<Attributes: LockstepAttributes>(_ type: Attributes.Type) {
        kinds.append(Cards<Attributes>(of: self))
    }

    /// At each launch, before `didFinishLaunching` returns, and each time the app comes to the foreground.
    ///
    /// - Parameter user: Whom your own sign-in knows, as `signIn(as:)` takes it; nil for nobody.
    func launch(as user: String?) {
        // Before the first unlock nothing is known: neither who is signed in, nor which phone this is.
        guard Installation.id() != nil else { return }
        if observes { return report() }
        observes = true
        // Signed in before the app had Lockstep. Said before a card appears, since nobody's are taken away.
        if memory.user == nil { memory.user = user }
        kinds.forEach { $0.observe() }
        Task { for await _ in info.activityEnablementUpdates { report() } }
        Task { for await _ in info.frequentPushEnablementUpdates { report() } }
        if let user, user != memory.user {
            // The app died between your sign-in and ours.
            Task { await signIn(as: user) }
        } else {
            report()
        }
    }

    /// Tells the phone's whole truth, and does what the answer says.
    func report() {
        guard observes, let user = memory.user else { return }
        uploads.add("report") { [self] in
            guard memory.user == user else { return }
            let answer = try await client().report(truth())
            // An answer that somebody else asked for is not for whoever holds the phone now.
            for said in answer.activities where memory.user == user {
                for kind in kinds { await kind.agree(said) }
            }
        }
    }

    private func truth() -> Report {
        let startTokens = kinds.map { kind in
            kind.startToken.map { Report.StartToken(attributesType: kind.attributesType, token: $0) }
        }
        // One that iOS hasn't given yet is not one that is gone: the list would delete it.
        let known = startTokens.contains { $0 == nil } ? nil : startTokens.compactMap { $0 }
        return Report(
            observedAtMs: now(),
            environment: PushEnvironment.current.rawValue,
            osVersion: UIDevice.current.systemVersion,
            frequentUpdates: info.frequentPushesEnabled,
            follows: follows,
            startTokens: info.areActivitiesEnabled ? known : [],
            cards: kinds.flatMap { $0.reported() }
        )
    }

    // MARK: Users

    /// After your own sign-in. What another user left on the screen goes first.
    func signIn(as user: String) async {
        if let former = memory.user, former != user {
            memory.user = nil
            follows = nil
            await endAll()
        }
        memory.user = user
        report()
    }

    /// Before your own sign-out, while `token` still answers the user's JWT.
    /// False where Lockstep couldn't be told: cards are gone; call it again when there is a network, before the next sign-in.
    func signOut() async -> Bool {
        let signedOutAtMs = now()
        return await leave("sign-out") { try await $0.signOut(observedAtMs: signedOutAtMs) }
    }

    /// Before you delete the user's account, in place of `signOut`: forgets the user on all phones. False as there.
    func forgetMe() async -> Bool {
        await leave("forget me") { try await $0.forgetMe() }
    }

    private func leave(_ name: String, _ tell: @escaping @MainActor (LockstepClient) async throws -> Void) async -> Bool {
        memory.user = nil
        follows = nil
        told = false
        await endAll()
        uploads.add(name) { [self] in
            try await tell(client())
            told = true
        }
        await uploads.done()
        return told
    }

    private func endAll() async {
        for kind in kinds { await kind.endAll() }
    }

    // MARK: Cards

    /// Starts a card inside the app, which must be in the foreground; on the activity's channel, if it has one.
    ///
    /// - Parameter asksForChannel: The card waits for that answer; false where your activities have no channels.
    func start<Attributes: LockstepAttributes>(
        _ attributes: Attributes, _ state: Attributes.ContentState, asksForChannel: Bool = true
    ) async {
        var channel: String?
        if asksForChannel {
            channel = try? await client().channel(of: attributes.activity, environment: .current)
        }
        for case let cards as Cards<Attributes> in kinds {
            cards.start(attributes, ActivityContent(state: state, staleDate: nil), channel: channel)
        }
    }

    func putStartToken(_ attributesType: String, _ token: String) {
        let registration = StartTokenRegistration(token: token, observedAtMs: now())
        add("start token of \(attributesType)") { try await $0.putStartToken(attributesType, registration) }
    }

    /// Says that a card exists, or which token it has now; `refused` where its activity is not for this user.
    func putCard(_ id: String, token: String?, refused: @escaping @MainActor () async -> Void) {
        guard let card = memory.cards[id] else { return }
        let registration = CardRegistration(activity: card.activity, run: card.run, token: token, observedAtMs: now())
        add("card \(id)") { client in
            do {
                try await client.putCard(id, registration)
            } catch LockstepError.refused(status: 403, _) {
                await refused()
            }
        }
    }

    func removeCard(_ id: String, reason: String) {
        add("card \(id)") { try await $0.removeCard(id, reason: reason) }
    }

    private func add(_ name: String, _ send: @escaping @MainActor (LockstepClient) async throws -> Void) {
        guard let user = memory.user else { return }
        uploads.add(name) { [self] in
            if memory.user == user { try await send(client()) }
        }
    }

    private func client() throws -> LockstepClient {
        guard let device = Installation.id() else { throw LockstepError.later }
        return LockstepClient(api: api, device: device, token: token)
    }

    /// The moment of an observation; no two share one.
    private func now() -> Int {
        observedAtMs = max(Int(Date().timeIntervalSince1970 * 1000), observedAtMs + 1)
        return observedAtMs
    }
}
