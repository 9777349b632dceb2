import Foundation

/// What must outlive the app's process: who is signed in, which cards there were, which nobody wants back.
@MainActor
final class Memory {
    struct Card: Codable {
        let attributesType: String
        let activity: String
        /// From the attributes; else the run that Lockstep named first.
        var run: Int?
    }

    private struct Content: Codable {
        var user: String?
        var cards: [String: Card] = [:]
        var unwanted: [String] = []
    }

    private static let key = "lockstep"
    private var content: Content {
        didSet { UserDefaults.standard.set(try? JSONEncoder().encode(content), forKey: Self.key) }
    }

    init() {
        let stored = UserDefaults.standard.data(forKey: Self.key)
        content = stored.flatMap { try? JSONDecoder().decode(Content.self, from: $0) } ?? Content()
    }

    var user: String? {
        get { content.user }
        set { content.user = newValue }
    }

    var cards: [String: Card] {
        get { content.cards }
        set { content.cards = newValue }
    }

    /// Notes that a person swiped away the card of a run; nil where the app made it, and had heard of none yet.
    func dismiss(_ activity: String, run: Int?) {
        content.unwanted = Array((content.unwanted + ["\(activity) \(run ?? 0)"]).suffix(100))
    }

    /// What went before its run was known was of the first that Lockstep names, as a card that still shows is.
    func hear(of activity: String, run: Int) {
        let unknown = "\(activity) 0"
        guard content.unwanted.contains(unknown) else { return }
        content.unwanted = content.unwanted.map { $0 == unknown ? "\(activity) \(run)" : $0 }
    }

    func isUnwanted(_ activity: String, run: Int) -> Bool {
        content.unwanted.contains("\(activity) \(run)")
    }
}
