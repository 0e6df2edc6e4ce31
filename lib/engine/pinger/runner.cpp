#include "runner.hpp"

#include <cstring>
#include <random>

#include "natkit/base/text.hpp"

namespace natkit::pinger {
namespace {

using ping::Event;
using ping::SendOutcome;

std::uint64_t random_secret() {
    std::random_device device;
    return static_cast<std::uint64_t>(device()) << 32 | device();
}

/// "sip:bob@example.com at 198.51.100.7:40001"
std::string name_of(const ping::Client& client) {
    const std::string& who = client.aor.empty() ? client.id : client.aor;
    return text::printable(who, 120) + " at " + to_string(client.remote);
}

SendOutcome outcome_of(io::SharedSend status) {
    switch (status) {
        case io::SharedSend::sent: return SendOutcome::sent;
        case io::SharedSend::later: return SendOutcome::later;
        case io::SharedSend::unable: return SendOutcome::unable;
        case io::SharedSend::failed: return SendOutcome::failed;
    }
    return SendOutcome::later;
}

const char* word_of(Event::Kind kind) {
    switch (kind) {
        case Event::Kind::send: return "sent";
        case Event::Kind::connection: return "connection";
        case Event::Kind::answered: return "answered";
        case Event::Kind::refused: return "refused";
        case Event::Kind::silent:
        case Event::Kind::dead: return "dead";
        case Event::Kind::expired: return "expired";
    }
    return "sent";
}

}  // namespace

Runner::Runner(io::Loop& loop, const ping::Options& options, std::optional<Instant> missed_since, log::Level level,
               Handlers handlers)
    : loop_(loop),
      handlers_(std::move(handlers)),
      log_("NATPING", level),
      pinger_(options, random_secret(), missed_since),
      timer_(loop, [this] { on_time(); }) {}

void Runner::on_client(ping::Client client) {
    if (log_.on(log::Level::low_level)) log_.low_level("client " + name_of(client));
    handle(pinger_.on_client(std::move(client), loop_.now()));
    restart_timer();
}

void Runner::on_removed(const ping::ClientId& id) {
    pinger_.on_removed(id, loop_.now());
    restart_timer();
}

void Runner::on_snapshot_end() {
    pinger_.end_snapshot(loop_.now());
    restart_timer();
}

void Runner::on_answer(const std::string& branch, const Endpoint& source) {
    handle(pinger_.on_answer(branch, source));
}

void Runner::on_silence_confirmed(const ping::ClientId& id) {
    handle(pinger_.confirm_silence(id, loop_.now()));
    restart_timer();
}

void Runner::on_connection_pinged(const ping::ClientId& id) {
    handle(pinger_.on_sent(id, SendOutcome::sent, {}, loop_.now()));
}

void Runner::on_connection_failed(const ping::ClientId& id, const std::string& reason) {
    handle(pinger_.on_sent(id, SendOutcome::failed, reason, loop_.now()));
}

void Runner::reload(const ping::Options& options) {
    handle(pinger_.reload(options, loop_.now()));
    restart_timer();
}

void Runner::set_sockets(std::map<std::string, io::Fd> sockets) {
    sockets_ = std::move(sockets);
    // What could not send is told again only if it is another socket's name.
    std::erase_if(unable_, [this](const std::string& name) { return !sockets_.contains(name); });
}

void Runner::add_socket(const std::string& name, io::Fd socket) {
    sockets_[name] = std::move(socket);
}

void Runner::on_time() {
    if (!may_ping()) return;
    const Instant now = loop_.now();
    handle(pinger_.on_time(now));
    if (handlers_.on_served) handlers_.on_served(pinger_.served_until(now));
    restart_timer();
}

void Runner::stop() {
    stopped_ = true;
    timer_.stop();
}

void Runner::restart_timer() {
    if (stopped_) return;
    if (const auto next = pinger_.next_deadline()) {
        timer_.start_at(*next);
    } else {
        timer_.stop();
    }
}

void Runner::handle(const std::vector<Event>& events) {
    if (stopped_) return;
    for (const Event& event : events) {
        const bool is_ping = event.kind == Event::Kind::send || event.kind == Event::Kind::connection;
        if (is_ping && !may_ping()) {
            handle(pinger_.on_sent(event.client.id, SendOutcome::later, {}, loop_.now()));
        } else if (event.kind == Event::Kind::send) {
            send(event);
        } else if (event.kind == Event::Kind::silent) {
            if (handlers_.on_silent) handlers_.on_silent(event.client.id);
        } else {
            report_event(event, word_of(event.kind), event.text);
        }
    }
}

void Runner::send(const Event& event) {
    const std::string name = std::string(to_string(event.client.transport)) + ":" + to_string(event.client.local);
    const auto socket = sockets_.find(name);
    SendOutcome outcome = SendOutcome::later;
    std::string reason;
    if (socket == sockets_.end()) {
        reason = "no socket " + name;
        log_.problems(reason + " to ping " + name_of(event.client));
    } else {
        const io::SharedSendResult result = io::send_shared(socket->second, event.client.remote, event.text);
        outcome = outcome_of(result.status);
        if (outcome != SendOutcome::sent) reason = std::strerror(result.error_number);
        report_socket_state(name, result, reason);
    }
    constexpr const char* words[] = {"sent", "later", "later", "failed"};
    if (log_.on(log::Level::all))
        log_.all(std::string("ping ") + words[static_cast<int>(outcome)] + ": " + name_of(event.client));
    report_event(event, words[static_cast<int>(outcome)], reason);
    handle(pinger_.on_sent(event.client.id, outcome, reason, loop_.now()));
}

void Runner::report_socket_state(const std::string& socket, const io::SharedSendResult& result,
                                 const std::string& reason) {
    if (result.status == io::SharedSend::unable) {
        if (unable_.insert(socket).second) {
            log_.failures(socket + " cannot send: " + reason + "; its clients are kept, and pinged once it can again");
        }
    } else if (!unable_.empty() && result.status == io::SharedSend::sent && unable_.erase(socket) > 0) {
        log_.major(socket + " can send again");
    }
}

void Runner::report_event(const Event& event, const std::string& result, const std::string& reason) {
    switch (event.kind) {
        case Event::Kind::refused: log_.major("not pinged: " + name_of(event.client) + ": " + reason); break;
        case Event::Kind::dead: log_.major("dead: " + name_of(event.client) + ": " + reason); break;
        case Event::Kind::expired:
        case Event::Kind::answered:
            if (log_.on(log::Level::low_level)) log_.low_level(result + ": " + name_of(event.client));
            break;
        case Event::Kind::send:
        case Event::Kind::silent:
        case Event::Kind::connection: break;
    }
    if (result == "failed") log_.problems("ping failed: " + name_of(event.client) + ": " + reason);
    if (handlers_.on_event) handlers_.on_event(event, result, reason);
}

}  // namespace natkit::pinger
