#include "natkit/engine/pinger/filter.hpp"

#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/io/net/udp.hpp"
#include "natkit/record/client.hpp"
#include "runner.hpp"

namespace natkit::pinger {
namespace {

using Json = nlohmann::ordered_json;

/// Sockets opened for records; a list of bindings on more ports of one host than this is a mistake.
constexpr std::size_t max_sockets = 1024;

}  // namespace

Filter::Filter(io::Loop& loop, const ping::Options& options, LogLevel level, Handlers handlers)
    : loop_(loop),
      handlers_(std::move(handlers)),
      runner_(std::make_unique<Runner>(
          loop, options, std::nullopt, level,
          Runner::Handlers{.on_event =
                               [this](const ping::Event& event, const std::string& result, const std::string& reason) {
                                   const Json record = record::ping_record(
                                       event.client, runner_->pinger().options().method, result, reason);
                                   handlers_.on_record(record.dump(-1, ' ', false, Json::error_handler_t::replace));
                               },
                           .on_silent = {},
                           .on_served = {},
                           .may_ping = {}})) {}

Filter::~Filter() = default;

bool Filter::idle() const {
    return runner_->pinger().clients() == 0;
}

Result<void> Filter::give_socket(io::Fd socket) {
    const auto name = io::socket_name(socket);
    if (!name) return std::unexpected(name.error());
    if (name->stream) return fail(Errc::bad_config, "a TCP listener cannot ping; give a bound UDP socket");
    if (!default_local_) default_local_ = name->local;
    runner_->add_socket("udp:" + to_string(name->local), std::move(socket));
    return {};
}

Result<void> Filter::find_socket(ping::Client& client) {
    if (client.transport != ping::Transport::udp) {
        return fail(Errc::refused, "only sipedge can ping " + std::string(to_string(client.transport)) +
                                       " clients: their connections are its own");
    }
    if (client.local == Endpoint{} && default_local_) client.local = *default_local_;
    if (client.local == Endpoint{}) return fail(Errc::bad_input, "no flow.local, and no socket given");
    const std::string name = "udp:" + to_string(client.local);
    if (runner_->sockets().contains(name)) return {};
    if (runner_->sockets().size() >= max_sockets) return fail(Errc::exhausted, "more than 1024 sockets");
    auto socket = io::open_udp(client.local, {.tos = {}, .receive_buffer = 0, .packet_info = false});
    if (!socket) return std::unexpected(socket.error());
    runner_->add_socket(name, std::move(*socket));
    return {};
}

void Filter::on_line(std::string_view line) {
    line = text::trim(line);
    if (line.empty()) return;
    const Json record = Json::parse(line, nullptr, false);
    if (record.is_discarded()) return handlers_.on_problem("not a JSON object");
    auto change = record::parse_client(record, loop_.now());
    if (!change) return handlers_.on_problem(to_string(change.error()));
    if (change->event == record::ClientChange::Event::removed) return runner_->on_removed(change->client.id);
    if (change->client.place == nat::Place::far_end) {
        if (const auto found = find_socket(change->client); !found)
            return handlers_.on_problem(to_string(found.error()));
    }
    runner_->on_client(std::move(change->client));
}

}  // namespace natkit::pinger
