import Foundation
import Security

/// This installation's id: random, made once, kept in the keychain of this phone alone.
enum Installation {
    private static var query: [String: Any] {
        [
            kSecClass as String: kSecClassGenericPassword,
            kSecAttrService as String: "lockstep",
            kSecAttrAccount as String: "installation",
        ]
    }

    /// Returns nil while the keychain can't be read: before the first unlock after a restart.
    static func id() -> String? {
        var found: CFTypeRef?
        let asked = query.merging([kSecReturnData as String: true]) { $1 }
        switch SecItemCopyMatching(asked as CFDictionary, &found) {
        case errSecSuccess:
            return (found as? Data).flatMap { String(data: $0, encoding: .utf8) }
        case errSecItemNotFound:
            let made = UUID().uuidString
            let item: [String: Any] = [
                kSecValueData as String: Data(made.utf8),
                // Read in the background, and not carried to another phone: two of one id would overwrite each other.
                kSecAttrAccessible as String: kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly,
            ]
            let added = SecItemAdd(query.merging(item) { $1 } as CFDictionary, nil)
            return added == errSecSuccess ? made : nil
        default:
            return nil
        }
    }
}
