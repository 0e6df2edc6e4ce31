#include "natkit/record/client.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/record/json_members.hpp"

namespace natkit::record {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t max_id = 512;

std::unexpected<Error> wrong(const char* key, std::string_view value) {
    return fail(Errc::bad_input, std::string(key) + ": '" + text::printable(value, 80) + "'");
}

Result<void> read_flow(const Json& record, ping::Client& client) {
    const auto flow = record.find("flow");
    if (flow == record.end() || !flow->is_object()) return fail(Errc::bad_input, "no flow");
    const std::string transport = text_of(*flow, "transport");
    if (!transport.empty()) {
        const auto known = parse_transport(transport);
        if (!known) return wrong("flow.transport", transport);
        client.transport = *known;
    }
    const auto remote = Endpoint::parse(text_of(*flow, "remote"));
    if (!remote || remote->port == 0) return wrong("flow.remote", text_of(*flow, "remote"));
    client.remote = *remote;
    if (const auto connection = flow->find("connection"); connection != flow->end()) {
        if (!connection->is_number_unsigned()) return fail(Errc::bad_input, "flow.connection: not a whole number");
        client.connection = connection->get<std::uint64_t>();
    }
    const std::string local = text_of(*flow, "local");
    if (local.empty()) return {};  // the one socket of a pinger by itself
    const auto bound = Endpoint::parse(local);
    if (!bound) return wrong("flow.local", local);
    client.local = *bound;
    return {};
}

Result<nat::Place> read_place(const Json& record) {
    const std::string place = text_of(record, "place");
    if (place.empty() || place == "far-end") return nat::Place::far_end;
    if (place == "lan") return nat::Place::lan;
    if (place == "wan") return nat::Place::wan;
    return wrong("place", place);
}

}  // namespace

Result<ClientChange> parse_client(const Json& record, Instant now) {
    if (!record.is_object()) return fail(Errc::bad_input, "not a JSON object");
    if (text_of(record, "type") != "client") return fail(Errc::bad_input, "not a client record");
    ClientChange change;
    const std::string event = text_of(record, "event");
    if (event == "removed") {
        change.event = ClientChange::Event::removed;
    } else if (event == "updated") {
        change.event = ClientChange::Event::updated;
    } else if (!event.empty() && event != "added" && event != "present") {
        return wrong("event", event);
    }
    ping::Client& client = change.client;
    client.id = text_of(record, "id");
    client.aor = text_of(record, "aor");
    if (client.id.size() > max_id || client.aor.size() > max_id)
        return fail(Errc::bad_input, "id: longer than 512 bytes");
    if (change.event != ClientChange::Event::removed || client.id.empty()) {
        if (const auto flow = read_flow(record, client); !flow) return std::unexpected(flow.error());
    }
    const auto place = read_place(record);
    if (!place) return std::unexpected(place.error());
    client.place = *place;
    if (const auto reached = record.find("reached"); reached != record.end()) {
        if (!reached->is_boolean()) return fail(Errc::bad_input, "reached: not true or false");
        client.reached = reached->get<bool>();
    }
    if (const auto taken = record.find("taken"); taken != record.end()) {
        if (!taken->is_boolean()) return fail(Errc::bad_input, "taken: not true or false");
        client.taken = taken->get<bool>();
    }
    if (client.id.empty()) {
        client.id =
            std::string(to_string(client.transport)) + ":" + to_string(client.local) + "-" + to_string(client.remote);
    }
    const auto expires = record.find("expires_ms");
    if (expires != record.end()) {
        if (!expires->is_number_integer()) return fail(Errc::bad_input, "expires_ms: not a whole number");
        constexpr std::int64_t longest = std::int64_t{365} * 24 * 3600 * 1000;
        const auto ms = std::clamp<std::int64_t>(expires->get<std::int64_t>(), 0, longest);
        client.expires = now + std::chrono::milliseconds(ms);
    }
    return change;
}

Json flow_object(const ping::Client& client) {
    Json flow = {{"transport", to_string(client.transport)},
                 {"local", to_string(client.local)},
                 {"remote", to_string(client.remote)}};
    if (client.connection != 0) flow["connection"] = client.connection;
    return flow;
}

Json ping_record(const ping::Client& client, ping::Method method, const std::string& result,
                 const std::string& reason) {
    Json record = {{"type", "ping"}, {"id", client.id}};
    if (!client.aor.empty()) record["aor"] = client.aor;
    record["flow"] = flow_object(client);
    record["method"] = client.transport == ping::Transport::udp ? ping::to_string(method) : "crlf";
    record["result"] = result;
    if (!reason.empty()) record["reason"] = reason;
    return record;
}

}  // namespace natkit::record
