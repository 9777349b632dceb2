import ActivityKit

/// What Lockstep adds to the attributes of every start by push, under these very names.
protocol LockstepAttributes: ActivityAttributes {
    var activity: String { get }
    var run: Int? { get }
}

/// In the app and in the widget extension. Its name is the `attributes-type` of a start, to the letter.
struct OrderAttributes: LockstepAttributes {
    /// What each publish replaces as a whole. No Date: Swift counts it from 2001.
    struct ContentState: Codable, Hashable {
        var driver: String
        var minutes: Int
    }

    var shop: String
    var activity: String
    /// Not known where the app makes a card by itself.
    var run: Int?
}
