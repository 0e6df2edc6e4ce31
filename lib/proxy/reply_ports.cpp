#include "natkit/proxy/reply_ports.hpp"

#include <algorithm>

namespace natkit::proxy {
namespace {

/// T1 of RFC 3261: who has heard nothing by then repeats its request.
constexpr std::chrono::milliseconds t1{500};
/// Repetitions that count where the client has heard answers before: one may be a lost packet.
constexpr unsigned misses_of_proved = 2;

}  // namespace

ReplyPorts::Where ReplyPorts::on_request(const Endpoint& source, std::uint16_t via_port, std::uint64_t request,
                                         Instant now) {
    const Endpoint listening{.address = source.address, .port = via_port};
    Client& client = clients_.touch(listening);
    const auto ports = [&]() -> Where {
        return client.at_source ? Where{.to = source, .also = listening} : Where{.to = listening, .also = source};
    };
    const auto before = std::ranges::find(client.requests, request, &Request::print);
    if (before == client.requests.end()) {
        if (client.newest && !client.repeated && now - *client.newest >= t1) {
            client.proved = true;
            client.misses = 0;
        }
        client.requests[client.next++ % client.requests.size()] = {.print = request, .at_source = client.at_source};
        client.newest = now;
        client.repeated = false;
        return {.to = ports().to};
    }
    client.repeated = true;
    // That it has not heard what went to the other port says nothing about this one.
    if (before->at_source != client.at_source) return ports();
    if (++client.misses < (client.proved ? misses_of_proved : 1)) return ports();
    const Endpoint was = ports().to;
    client.at_source = !client.at_source;
    client.proved = false;
    client.misses = 0;
    Where where = ports();
    where.was = was;
    return where;
}

Endpoint ReplyPorts::known(const Endpoint& source, std::uint16_t via_port) {
    const Endpoint listening{.address = source.address, .port = via_port};
    const Client* client = clients_.find(listening);
    return client != nullptr && client->at_source ? source : listening;
}

}  // namespace natkit::proxy
