import ActivityKit
import SwiftUI
import WidgetKit

/// In the widget extension, in its WidgetBundle.
struct OrderWidget: Widget {
    var body: some WidgetConfiguration {
        ActivityConfiguration(for: OrderAttributes.self) { context in
            HStack {
                Text(context.attributes.shop)
                Spacer()
                Text(context.isStale ? "…" : "\(context.state.driver), \(context.state.minutes) min")
            }
            .padding()
        } dynamicIsland: { context in
            DynamicIsland {
                DynamicIslandExpandedRegion(.leading) { Text(context.state.driver) }
                DynamicIslandExpandedRegion(.trailing) { Text("\(context.state.minutes) min") }
            } compactLeading: {
                Text(context.state.driver)
            } compactTrailing: {
                Text("\(context.state.minutes)")
            } minimal: {
                Text("\(context.state.minutes)")
            }
        }
    }
}
