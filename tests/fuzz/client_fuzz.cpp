// Client records: any JSON gives a client or an error, and what was understood is understood again from its own record.
// links: text
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "natkit/record/client.hpp"

using namespace natkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto json = nlohmann::ordered_json::parse(data, data + size, nullptr, false);
    const Instant now{std::chrono::hours(1)};
    const auto change = record::parse_client(json, now);
    if (!change || change->event == record::ClientChange::Event::removed) return 0;
    const ping::Client& client = change->client;
    if (client.id.empty() || client.remote.port == 0 || (client.expires && *client.expires < now)) std::abort();

    nlohmann::ordered_json again = {{"type", "client"}, {"id", client.id}, {"aor", client.aor}};
    again["flow"] = record::flow_object(client);
    again["place"] = nat::to_string(client.place);
    const auto second = record::parse_client(again, now);
    if (!second || second->client.id != client.id || second->client.remote != client.remote ||
        second->client.local != client.local || second->client.transport != client.transport ||
        second->client.connection != client.connection || second->client.place != client.place) {
        std::abort();
    }
    (void)record::ping_record(client, ping::Method::crlf, "sent", {})
        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return 0;
}
