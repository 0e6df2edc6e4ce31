#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/base/recent.hpp"
#include "natkit/sip/message/message.hpp"

namespace natkit::explain {

/// A moment as people name one of a capture.
struct Moment {
    enum class Kind : std::uint8_t {
        absolute,     ///< since 1970
        time_of_day,  ///< since the midnight (UTC) before the capture began
        from_start,   ///< since its first packet
    };
    Kind kind{};
    std::int64_t ns = 0;

    friend bool operator==(const Moment&, const Moment&) = default;
};

/// "2026-11-29T10:15:00.25Z" (or an offset as "+01:00"; without either it is UTC, as in records), "10:15",
/// "10:15:00.5", or seconds: "90", "90.5s". Errc::usage.
[[nodiscard]] Result<Moment> parse_moment(std::string_view text);

/// Which calls are shown. What is not said selects all.
struct Selection {
    std::string call_id;
    std::string user;     ///< user part of From, To, the request URI or P-Asserted-Identity of any of its messages
    bool faulty = false;  ///< only those with a finding that is no mere information
    std::optional<Moment> from, to;
};

/// What is asked of a call when it is known.
struct Selectable {
    std::string_view call_id;
    std::int64_t first_ns = 0, last_ns = 0;  ///< 0: its messages have no times
    bool faulty = false;
};

/// Tells which calls are to be shown. Bounded: users of 16,384 calls, 16 of each.
class Selector {
  public:
    explicit Selector(Selection selection) : selection_(std::move(selection)) {}

    /// Every message, in order; cheap where no user is asked for.
    void on_message(const sip::Message& message);
    /// A call that lasted over the beginning or the end of the time that is asked for is in it. `start_ns`: of the
    /// first packet.
    [[nodiscard]] bool wants(const Selectable& call, std::int64_t start_ns) const;

  private:
    using Users = std::vector<std::string>;

    Selection selection_;
    Recent<std::string, Users> users_{16'384};  ///< by Call-ID, as comparable() makes them
};

}  // namespace natkit::explain
