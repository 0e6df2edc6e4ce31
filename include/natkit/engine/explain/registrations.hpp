#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "natkit/base/recent.hpp"
#include "natkit/diagnose/facts.hpp"
#include "natkit/engine/explain/message_facts.hpp"

namespace natkit::explain {

/// What registrars answered, by address of record ("user@host"): why a user could not be called, told from the capture
/// of an hour before. Remembers 4096 users.
class Registrations {
  public:
    void on_message(const sip::Message& message, const MessageFacts& facts, const Endpoint& source, std::uint64_t frame,
                    std::int64_t time_ns);
    /// What there was of a user at that time; nothing where the capture has no REGISTER of it.
    [[nodiscard]] std::optional<diagnose::Registration> of(const std::string& user, std::int64_t now_ns) const;

  private:
    struct Known {
        std::optional<diagnose::Registration> last;  ///< that a response decided
        std::uint32_t asked = 3600;                  ///< seconds, of the request that is open
        bool remove = false, credentials = false;
        std::optional<Endpoint> contact, source;
    };
    static void on_response(Known& known, const sip::Message& message, std::uint64_t frame, std::int64_t time_ns);

    Recent<std::string, Known> users_{4096};
};

/// "user@host" of From or To, in small letters; empty where it cannot be read. At most 300 bytes.
[[nodiscard]] std::string address_of_record(const Result<sip::NameAddr>& address);

/// Where the host of a URI is an address: it, with the port that stands there or 5060.
[[nodiscard]] std::optional<Endpoint> endpoint_of(const std::optional<sip::Uri>& uri);

}  // namespace natkit::explain
