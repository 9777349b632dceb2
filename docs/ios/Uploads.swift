import UIKit
import os

/// Requests, one after another: of two that wait under one name, only the newer is made.
@MainActor
final class Uploads {
    private struct Upload {
        let name: String
        let send: @MainActor () async throws -> Void
    }

    /// Seconds between tries. What came to nothing after the last is in the next report.
    private let pauses: [UInt64] = [1, 2, 4, 8]
    private let log = Logger(subsystem: "lockstep", category: "uploads")
    private var waiting: [Upload] = []
    private var worker: Task<Void, Never>?
    private var background = UIBackgroundTaskIdentifier.invalid

    func add(_ name: String, _ send: @escaping @MainActor () async throws -> Void) {
        waiting.removeAll { $0.name == name }
        waiting.append(Upload(name: name, send: send))
        if worker == nil {
            worker = Task { await work() }
        }
    }

    /// Returns when nothing waits any more.
    func done() async {
        while let worker { await worker.value }
    }

    private func work() async {
        // iOS wakes the app for a token or a card, and suspends it within seconds: this asks for the time to say so.
        background = UIApplication.shared.beginBackgroundTask(withName: "Lockstep") { [weak self] in self?.rest() }
        while !waiting.isEmpty {
            await make(waiting.removeFirst())
        }
        worker = nil
        rest()
    }

    private func make(_ upload: Upload) async {
        for pause in pauses + [0] {
            do {
                return try await upload.send()
            } catch LockstepError.later {
                if pause == 0 || waiting.contains(where: { $0.name == upload.name }) { return }
                try? await Task.sleep(nanoseconds: pause * 1_000_000_000)
            } catch {
                // Refused, for good: the guide's table says what of it is a mistake of the app's.
                log.error("\(upload.name, privacy: .public): \(String(describing: error), privacy: .public)")
                return
            }
        }
    }

    private func rest() {
        if background != .invalid {
            UIApplication.shared.endBackgroundTask(background)
            background = .invalid
        }
    }
}
