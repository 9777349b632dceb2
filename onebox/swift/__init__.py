"""Swift's attributes as JSON Schema: read by tree-sitter, translated as the compiler would synthesize their `Decodable`."""
