import ActivityKit
import SwiftUI
import WidgetKit

@available(iOS 16.2, *)
public struct FocusAttributes: ActivityAttributes, Sendable, Identifiable {
    public typealias FocusState = ContentState
    public struct ContentState: Codable, Hashable, Sendable {
        public var remaining: Int
        public var window: ClosedRange<Date>
        public var isPaused: Bool = false
        var timeString: String {
            let mins = remaining / 60
            return String(format: "%d:%02d", mins, remaining % 60)
        }
        public init(remaining: Int, window: ClosedRange<Date> = Date.now...Date().addingTimeInterval(60), isPaused: Bool = false) {
            self.remaining = remaining
            self.window = window
            self.isPaused = isPaused
        }
    }
    public var id: String = UUID().uuidString
    let activity: String
    let run: Int
    public var title: String
}

extension FocusAttributes {
    fileprivate static var preview: FocusAttributes { FocusAttributes(title: "World") }
}

struct FocusLiveActivity: Widget {
    @Environment(\.colorScheme) private var scheme
    let kind: String = "Focus"
    var body: some WidgetConfiguration {
        ActivityConfiguration(for: FocusAttributes.self) { context in
            VStack(alignment: .leading, spacing: 6) {
                if let title = context.attributes.title as String?, !title.isEmpty {
                    Text(title).font(.caption).foregroundStyle(.secondary)
                } else if case .some(let x) = Optional(1) {
                    Text("\(x, specifier: "%.2f") – \(context.state.timeString)")
                }
                ForEach(Array(stride(from: 0, to: 5, by: 1)), id: \.self) { i in
                    Circle().fill(i.isMultiple(of: 2) ? Color.red : .blue).opacity(0.3)
                }
                switch context.state.remaining {
                case 0: Text("now")
                case 1..<60: Text("soon")
                default: Text(timerInterval: context.state.window, countsDown: true)
                }
            }
            .activityBackgroundTint(Color.cyan)
            .padding([.leading, .trailing], 8)
        } dynamicIsland: { context in
            DynamicIsland {
                DynamicIslandExpandedRegion(.leading) { Text("L") }
                DynamicIslandExpandedRegion(.bottom) {
                    Button(intent: StopIntent(id: context.activityID)) { Label("Stop", systemImage: "stop") }
                }
            } compactLeading: { Text("L") } compactTrailing: { Text("T \(context.state.remaining)") } minimal: { Text("m") }
            .widgetURL(URL(string: "https://www.apple.com")!)
            .keylineTint(Color.red)
        }
    }
}

struct StopIntent: LiveActivityIntent {
    static let title: LocalizedStringResource = "Stop"
    @Parameter(title: "Id") var id: String
    init() {}
    init(id: String) { self.id = id }
    func perform() async throws -> some IntentResult & ReturnsValue<Int> {
        let name = if id.isEmpty { "a" } else { "b" }
        guard let url = URL(string: name) else { throw NSError(domain: "x", code: 1) }
        for await state in Activity<FocusAttributes>.activityUpdates where state.id != id { await state.end(nil, dismissalPolicy: .immediate) }
        defer { print(url) }
        try await Task.sleep(for: .seconds(1))
        let f: @Sendable (Int) async throws -> Void = { [weak self = Optional(1) as AnyObject?] x in _ = (x, self) }
        try? await f(1)
        return .result(value: 1)
    }
}

@MainActor @Observable final class Model<T: Codable & Sendable> where T: Hashable {
    var items: [T] = []
    subscript(_ i: Int) -> T { items[i] }
    func go<each U>(_ u: repeat each U) throws(MyError) -> (repeat each U) { (repeat each u) }
    static func == (l: Model, r: Model) -> Bool { l === r }
    deinit {}
    let re = /ab+c/
    var x: Int { get async throws { 1 } }
}
enum MyError: Error { case a }
@ViewBuilder func row(_ t: String) -> some View { Text(t) }
#Preview("Notification", as: .content, using: FocusAttributes.preview) {
   FocusLiveActivity()
} contentStates: {
    FocusAttributes.ContentState(remaining: 1)
}
