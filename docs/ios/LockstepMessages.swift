import Foundation

/// `PUT /v1/devices/{device}`: the phone's whole truth. What is nil is left out, and stays as it was.
struct Report: Encodable {
    struct StartToken: Encodable {
        let attributesType: String
        let token: String

        enum CodingKeys: String, CodingKey {
            case token
            case attributesType = "attributes_type"
        }
    }

    struct Card: Encodable {
        let card: String
        let activity: String
        let run: Int?
        let token: String?

        enum CodingKeys: String, CodingKey {
            case card, activity, run, token
        }
    }

    let observedAtMs: Int
    let environment: String
    let osVersion: String
    let frequentUpdates: Bool
    let follows: [String]?
    let startTokens: [StartToken]?
    let cards: [Card]

    enum CodingKeys: String, CodingKey {
        case environment, follows, cards
        case observedAtMs = "observed_at_ms"
        case osVersion = "os_version"
        case frequentUpdates = "frequent_updates"
        case startTokens = "start_tokens"
    }
}

/// `PUT /v1/devices/{device}/start-tokens/{attributes_type}`
struct StartTokenRegistration: Encodable {
    let token: String
    let observedAtMs: Int

    enum CodingKeys: String, CodingKey {
        case token
        case observedAtMs = "observed_at_ms"
    }
}

/// `PUT /v1/devices/{device}/cards/{card}`
struct CardRegistration: Encodable {
    let activity: String
    let run: Int?
    let token: String?
    let observedAtMs: Int

    enum CodingKeys: String, CodingKey {
        case activity, run, token
        case observedAtMs = "observed_at_ms"
    }
}

/// What a report is answered: what this phone should show.
struct ReportAnswer: Decodable {
    let activities: [ActivityAnswer]

    enum CodingKeys: String, CodingKey {
        case activities
    }
}

struct ActivityAnswer: Decodable {
    let activity: String
    let run: Int
    let attributesType: String?
    let attributes: JSON?
    let contentState: JSON?
    let timestamp: Int
    let staleDate: Double?
    let ended: Bool
    let channel: String?

    enum CodingKeys: String, CodingKey {
        case activity, run, attributes, timestamp, ended, channel
        case attributesType = "attributes_type"
        case contentState = "content_state"
        case staleDate = "stale_date"
    }
}

/// `GET /v1/activities/{activity}/channel`
struct ChannelAnswer: Decodable {
    let channel: String

    enum CodingKeys: String, CodingKey {
        case channel
    }
}

/// What an error holds. API Gateway's own (401, a path that is none, 429) name no field.
struct Refusal: Decodable {
    let field: String?
    let message: String

    enum CodingKeys: String, CodingKey {
        case field, message
    }
}

/// Attributes and states, before we know of which type they are.
indirect enum JSON: Codable {
    case null, bool(Bool), int(Int), double(Double), string(String), array([JSON]), object([String: JSON])

    init(from decoder: Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int.self) {
            self = .int(value)
        } else if let value = try? container.decode(Double.self) {
            self = .double(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    func encode(to encoder: Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .int(let value): try container.encode(value)
        case .double(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    /// Decodes as ActivityKit does: by JSONDecoder's own strategies.
    func decoded<Value: Decodable>(as type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: JSONEncoder().encode(self))
    }
}
