import Foundation

enum LockstepError: Error {
    /// The API said no, and will say so again.
    case refused(status: Int, Refusal?)
    /// No network, no answer, too many requests, or a bad moment of the API's: worth another try.
    case later
}

/// Lockstep's HTTPS API, for one app on one phone.
struct LockstepClient {
    let api: URL
    let device: String
    /// Returns the user's JWT; a new one where the last one was refused.
    let token: @Sendable (_ fresh: Bool) async throws -> String

    func report(_ report: Report) async throws -> ReportAnswer {
        let answer = try await send("PUT", "/v1/devices/\(device)", body: report)
        return try JSONDecoder().decode(ReportAnswer.self, from: answer)
    }

    func putStartToken(_ attributesType: String, _ registration: StartTokenRegistration) async throws {
        _ = try await send("PUT", "/v1/devices/\(device)/start-tokens/\(attributesType)", body: registration)
    }

    func putCard(_ card: String, _ registration: CardRegistration) async throws {
        _ = try await send("PUT", "/v1/devices/\(device)/cards/\(card)", body: registration)
    }

    func removeCard(_ card: String, reason: String) async throws {
        _ = try await send("DELETE", "/v1/devices/\(device)/cards/\(card)", query: "reason=\(reason)")
    }

    func signOut(observedAtMs: Int) async throws {
        _ = try await send("DELETE", "/v1/devices/\(device)", query: "observed_at_ms=\(observedAtMs)")
    }

    /// Forgets the user on all phones: for an account that is deleted.
    func forgetMe() async throws {
        _ = try await send("DELETE", "/v1/me")
    }

    /// Returns the channel to subscribe to; nil where the activity has none.
    func channel(of activity: String, environment: PushEnvironment) async throws -> String? {
        do {
            let query = "environment=\(environment.rawValue)"
            let answer = try await send("GET", "/v1/activities/\(activity)/channel", query: query)
            return try JSONDecoder().decode(ChannelAnswer.self, from: answer).channel
        } catch LockstepError.refused(status: 404, _) {
            return nil
        }
    }

    private func send(_ method: String, _ path: String, query: String? = nil) async throws -> Data {
        try await send(method, path, query, Data?.none)
    }

    private func send<Body: Encodable>(_ method: String, _ path: String, body: Body) async throws -> Data {
        try await send(method, path, nil, JSONEncoder().encode(body))
    }

    private func send(_ method: String, _ path: String, _ query: String?, _ body: Data?) async throws -> Data {
        var answer = try await once(method, path, query, body, fresh: false)
        if answer.status == 401 {
            answer = try await once(method, path, query, body, fresh: true)
        }
        switch answer.status {
        case 200..<300: return answer.data
        case 429, 500...: throw LockstepError.later
        default: throw LockstepError.refused(status: answer.status, try? JSONDecoder().decode(Refusal.self, from: answer.data))
        }
    }

    private func once(
        _ method: String, _ path: String, _ query: String?, _ body: Data?, fresh: Bool
    ) async throws -> (status: Int, data: Data) {
        guard var address = URLComponents(url: api, resolvingAgainstBaseURL: false) else { throw LockstepError.later }
        address.path = path
        address.query = query
        guard let url = address.url else { throw LockstepError.later }
        var request = URLRequest(url: url, timeoutInterval: 10)
        request.httpMethod = method
        request.httpBody = body
        if body != nil {
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        }
        do {
            let jwt = try await token(fresh)
            request.setValue("Bearer \(jwt)", forHTTPHeaderField: "Authorization")
            let (data, response) = try await URLSession.shared.data(for: request)
            return ((response as? HTTPURLResponse)?.statusCode ?? 0, data)
        } catch {
            throw LockstepError.later
        }
    }
}
