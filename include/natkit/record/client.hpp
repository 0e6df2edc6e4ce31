#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "natkit/base/error.hpp"
#include "natkit/ping/pinger.hpp"

/// The records that natpinger reads and writes (natkit-records(7)).
namespace natkit::record {

/// A `client` record: what happened, and to whom.
struct ClientChange {
    enum class Event : std::uint8_t { added, updated, removed };
    Event event = Event::added;
    ping::Client client;
};

/// Reads a `client` record. `event` may be missing (added); `removed` needs the id alone. Without an id the flow is the
/// id. `expires_ms` counts from `now`. Total; the error says which key is wrong.
[[nodiscard]] Result<ClientChange> parse_client(const nlohmann::ordered_json& record, Instant now);

/// The `ping` record of an event: `result` is sent, later, failed, connection, answered, refused, dead or expired.
[[nodiscard]] nlohmann::ordered_json ping_record(const ping::Client& client, ping::Method method,
                                                 const std::string& result, const std::string& reason);

/// {"transport","local","remote"}, and "connection" where there is one
[[nodiscard]] nlohmann::ordered_json flow_object(const ping::Client& client);

}  // namespace natkit::record
