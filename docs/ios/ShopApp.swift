import SwiftUI
import UIKit

/// Your own sign-in; here, only what Lockstep needs of it.
enum Session {
    /// Who is signed in, also in the background; nil where nobody is, and from a sign-out on, though you keep the JWT for it.
    static var user: String? {
        fatalError("ask your identity provider")
    }

    /// Returns the user's JWT; a new one where the last one was refused.
    static func token(fresh: Bool) async throws -> String {
        fatalError("ask your identity provider")
    }

    /// Once your own sign-in is done.
    @MainActor
    static func signedIn() async {
        if let user { await AppDelegate.lockstep.signIn(as: user) }
    }

    /// Before your own sign-out. False: Lockstep was not told, so keep the JWT, and ask again when there is a network.
    @MainActor
    static func signingOut() async -> Bool {
        await AppDelegate.lockstep.signOut()
    }
}

final class AppDelegate: NSObject, UIApplicationDelegate {
    static let lockstep = Lockstep(api: URL(string: "https://abc123.execute-api.eu-central-1.amazonaws.com")!, token: Session.token)

    /// iOS calls it at each launch, also when a push has started a card and nobody sees the app.
    func application(
        _ application: UIApplication,
        didFinishLaunchingWithOptions launchOptions: [UIApplication.LaunchOptionsKey: Any]? = nil
    ) -> Bool {
        Self.lockstep.shows(OrderAttributes.self)
        Self.lockstep.launch(as: Session.user)
        return true
    }
}

@main
struct ShopApp: App {
    @UIApplicationDelegateAdaptor(AppDelegate.self) private var delegate
    @Environment(\.scenePhase) private var phase

    var body: some Scene {
        WindowGroup {
            Text("Shop")
        }
        .onChange(of: phase) { _, phase in
            if phase == .active { AppDelegate.lockstep.launch(as: Session.user) }
        }
    }
}
