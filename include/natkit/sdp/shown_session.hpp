#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace natkit::sdp {

/// What one party was last shown of a session (RFC 8866 sections 5.2 and 5.3).
struct ShownSession {
    std::string user_name;
    std::string session_id;
    std::uint64_t version = 0;
    std::string session_name;
    std::uint64_t digest = 0;  ///< of the whole description, its version apart

    friend bool operator==(const ShownSession&, const ShownSession&) = default;
};

/// What of a session is to stay as the party knows it, whatever the description that is next says.
struct SessionKeeping {
    bool user_name = false;
    bool session_id = false;
    bool session_name = false;
    bool version = false;    ///< goes up by one where anything else has changed, and only there
    bool increment = false;  ///< the version goes up by one in any case

    [[nodiscard]] bool any() const noexcept { return user_name || session_id || session_name || version || increment; }
    friend bool operator==(const SessionKeeping&, const SessionKeeping&) = default;
};

/// The description as it is to be shown, and in `shown` what the party knows from then on. The first one stays as it
/// is, and so does one without a good o=, or with words longer than 256 bytes, of which nothing is remembered.
[[nodiscard]] std::string keep_session(const std::string& description, const SessionKeeping& keeping,
                                       std::optional<ShownSession>& shown);

}  // namespace natkit::sdp
