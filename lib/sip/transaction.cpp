#include "natkit/sip/transaction.hpp"

#include <algorithm>
#include <utility>

#include "natkit/base/text.hpp"
#include "natkit/nat/networks.hpp"
#include "natkit/sip/message/serialize.hpp"

namespace natkit::sip {
namespace {

constexpr std::string_view magic_cookie = "z9hG4bK";

/// RFC 3261 section 17.2.3: branch, sent-by and method (ACK and CANCEL find their INVITE by its method). Without the
/// magic cookie the branch says nothing, and the fields that RFC 2543 compared stand in for it.
std::string server_key(const Message& message, std::string_view method) {
    const auto& via = message.top_via();
    if (!via) return {};
    std::string key = std::string(method) + '\n' + text::lower(via->host) + ':' + std::to_string(via->port.value_or(0));
    if (via->branch.starts_with(magic_cookie)) return key + '\n' + via->branch;
    const auto& cseq = message.cseq();
    return key + '\n' + std::string(message.call_id()) + '\n' + message.from_tag() + '\n' +
           std::to_string(cseq ? cseq->number : 0);
}

/// Section 17.1.3: branch and method of CSeq.
std::string client_key(std::string_view branch, std::string_view method) {
    return std::string(method) + '\n' + std::string(branch);
}

/// How far each may fill the layer, in percent.
constexpr std::size_t mark(Share share) {
    constexpr std::size_t marks[] = {50, 70, 85, 100};
    return marks[static_cast<std::size_t>(share)];
}

/// Besides its texts: the entries of the maps that it is in, and of the timers.
constexpr std::size_t bare_size = 600;

/// What an address (IPv6: a /64) that has proved nothing is sent again, all transactions together.
constexpr proxy::Rate copies_a_second{.per_second = 4, .burst = 4};

}  // namespace

bool TransactionLayer::has_room(Share share, std::size_t present) const noexcept {
    return present < limits_.most * mark(share) / 100 && bytes() < limits_.bytes / 100 * mark(share);
}

void TransactionLayer::weigh(Transaction& transaction) {
    const std::size_t text = transaction.last == nullptr ? 0 : transaction.last->size();
    const std::size_t size = bare_size + transaction.key.size() + text;
    bytes_ += size - transaction.size;
    transaction.size = size;
}

/// Whether what was sent may be sent again: who is named as the source of a spoofed request gets little of it.
bool TransactionLayer::may_copy(const Transaction& transaction, Instant now) {
    if (!transaction.asker.spoofable || transaction.asker.proven) return true;
    const Endpoint address{.address = nat::source_of(transaction.flow.remote.address), .port = 0};
    return copies_.take({.remote = address, .connection = 0}, copies_a_second, now);
}

void TransactionLayer::on_message(const Message& message, const Flow& flow, Instant now, TransactionOutput& out,
                                  Asker asker) {
    if (message.is_request()) {
        on_request(message, flow, now, out, asker);
    } else {
        on_response(message, now, out);
    }
}

void TransactionLayer::on_request(const Message& message, const Flow& flow, Instant now, TransactionOutput& out,
                                  Asker asker) {
    const bool ack = message.method() == "ACK";
    std::string key = server_key(message, ack ? "INVITE" : message.method());
    if (ack) return on_ack(message, flow, key, asker, now, out);
    if (const auto known = server_keys_.find(key); known != server_keys_.end()) {
        Transaction& transaction = transactions_.at(known->second);
        // It is answered where it comes from, were it another port than before (section 18.2.2).
        if (!reliable(transaction) && flow.remote.address == transaction.flow.remote.address &&
            flow.local == transaction.flow.local && flow.transport == transaction.flow.transport)
            transaction.flow.remote.port = flow.remote.port;
        // A retransmission gets the same answer again, but a 2xx to INVITE is repeated by who sent it (RFC 6026).
        const bool answered = transaction.last != nullptr && transaction.state != State::accepted;
        if (answered && may_copy(transaction, now)) {
            out.packets.push_back({.flow = transaction.flow, .bytes = transaction.last});
        }
        return;
    }
    if (!has_room(asker.share, server_keys_.size())) {
        if (flow.transport == Transport::udp) return;  // the sender repeats it; by then there may be room
        auto busy = make_response(message, 503, reason_of(503), "busy", {{"Retry-After", "10"}});
        out.packets.push_back({.flow = flow, .bytes = std::make_shared<const std::string>(std::move(busy))});
        return;
    }
    const bool invite = message.method() == "INVITE";
    const TransactionId id = next_id_ | 1;
    next_id_ += 2;
    Transaction& transaction = transactions_[id];
    transaction.kind = invite ? Kind::invite_server : Kind::server;
    transaction.flow = flow;
    transaction.key = std::move(key);
    transaction.asker = asker;
    weigh(transaction);
    server_keys_.emplace(transaction.key, id);
    // Nobody may forget to answer: an abandoned transaction ends by itself.
    end_in(id, transaction, invite ? 2 * timers_.c : 64 * timers_.t1, now);
    out.events.emplace_back(RequestEvent{.server = id, .message = message, .flow = flow, .asker = asker});
}

void TransactionLayer::trying(const RequestEvent& event, Instant now, TransactionOutput& out) {
    const auto found = transactions_.find(event.server);
    if (found == transactions_.end() || found->second.state != State::trying) return;
    if (found->second.kind != Kind::invite_server && !found->second.asker.hurries) return;
    respond(event.server, 100, make_response(event.message, 100, reason_of(100), {}), now, out);
}

bool TransactionLayer::refuse(TransactionId server, std::string bytes, TransactionOutput& out) {
    const auto found = transactions_.find(server);
    if (found == transactions_.end() || found->second.state != State::trying) return false;
    const Transaction& transaction = found->second;
    if (!transaction.asker.spoofable) return false;
    if (may_answer(transaction.asker, bytes.size()))
        out.packets.push_back(
            {.flow = transaction.flow, .bytes = std::make_shared<const std::string>(std::move(bytes))});
    erase(server);
    return true;
}

void TransactionLayer::on_ack(const Message& message, const Flow& flow, const std::string& key, const Asker& asker,
                              Instant now, TransactionOutput& out) {
    const auto known = server_keys_.find(key);
    Transaction* transaction = known == server_keys_.end() ? nullptr : &transactions_.at(known->second);
    if (transaction == nullptr || transaction->state == State::accepted) {
        out.events.emplace_back(AckEvent{.message = message, .flow = flow, .asker = asker});
    } else if (transaction->state == State::completed) {
        transaction->state = State::confirmed;
        transaction->repeat_at.reset();
        transaction->last.reset();
        weigh(*transaction);
        end_in(known->second, *transaction, reliable(*transaction) ? std::chrono::milliseconds(0) : timers_.t4, now);
    }
}

bool TransactionLayer::respond(TransactionId server, int status, std::string bytes, Instant now,
                               TransactionOutput& out) {
    const auto found = transactions_.find(server);
    if (found == transactions_.end()) return false;
    Transaction& transaction = found->second;
    const bool invite = transaction.kind == Kind::invite_server;
    const bool late_success = invite && transaction.state == State::accepted && status >= 200 && status < 300;
    if (transaction.state != State::trying && transaction.state != State::proceeding && !late_success) return false;
    if (late_success && !may_copy(transaction, now)) return true;
    transaction.last = std::make_shared<const std::string>(std::move(bytes));
    out.packets.push_back({.flow = transaction.flow, .bytes = transaction.last});
    if (status < 200) {
        transaction.state = State::proceeding;
        // As long as anybody rings: it is timer C of those who do that decides.
        if (invite && status > 100) end_in(server, transaction, 2 * timers_.c, now);
    } else if (invite && status < 300) {
        transaction.state = State::accepted;
        transaction.last.reset();                           // who sent it repeats it
        end_in(server, transaction, 64 * timers_.t1, now);  // timer L
    } else {
        transaction.state = State::completed;
        const bool lingers = invite || !reliable(transaction);
        end_in(server, transaction, lingers ? 64 * timers_.t1 : std::chrono::milliseconds(0), now);  // timers H, J
        if (invite && !reliable(transaction)) repeat_in(server, transaction, timers_.t1, now);       // timer G
    }
    weigh(transaction);
    return true;
}

Result<TransactionId> TransactionLayer::request(const Sent& sent, const Flow& flow, Instant now, TransactionOutput& out,
                                                std::optional<std::chrono::milliseconds> patience) {
    if (!has_room(sent.share, client_keys_.size())) return fail(Errc::exhausted, "too many transactions");
    const bool invite = sent.method == "INVITE";
    const TransactionId id = next_id_ & ~TransactionId{1};
    next_id_ += 2;
    Transaction& transaction = transactions_[id];
    transaction.kind = invite ? Kind::invite_client : Kind::client;
    transaction.flow = flow;
    transaction.key = client_key(sent.branch, sent.method);
    transaction.last = sent.bytes;
    transaction.asker = {.share = sent.share, .spoofable = sent.unproven};
    transaction.hurries = patience.has_value();
    weigh(transaction);
    client_keys_.emplace(transaction.key, id);
    if (reliable(transaction)) clients_of_flow_.emplace(to_string(flow), id);
    out.packets.push_back({.flow = flow, .bytes = transaction.last});
    end_in(id, transaction, patience.value_or(64 * timers_.t1), now);         // timers B, F
    if (!reliable(transaction)) repeat_in(id, transaction, timers_.t1, now);  // timers A, E
    return id;
}

void TransactionLayer::expect_end(TransactionId client, Instant now) {
    const auto found = transactions_.find(client);
    if (found == transactions_.end() || found->second.state != State::proceeding) return;
    found->second.given_up = true;
    end_in(client, found->second, 64 * timers_.t1, now);
}

std::optional<TransactionId> TransactionLayer::find(const Message& request) const {
    const auto found = server_keys_.find(server_key(request, request.method()));
    return found == server_keys_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<TransactionId> TransactionLayer::find_cancelled(const Message& cancel) const {
    const auto found = server_keys_.find(server_key(cancel, "INVITE"));
    return found == server_keys_.end() ? std::nullopt : std::optional(found->second);
}

bool TransactionLayer::is_answer(const Message& response) const {
    const auto& via = response.top_via();
    const auto& cseq = response.cseq();
    return via && cseq && client_keys_.contains(client_key(via->branch, cseq->method));
}

void TransactionLayer::add_connections(std::unordered_set<std::uint64_t>& connections) const {
    for (const auto& [id, transaction] : transactions_) {
        // Over a connection, an answered request only waits to be forgotten; but an INVITE's failure waits for its ACK.
        const bool waits_for_ack = transaction.kind == Kind::invite_server && transaction.state == State::completed;
        const bool over = transaction.state == State::completed || transaction.state == State::confirmed;
        if (!over || waits_for_ack) connections.insert(transaction.flow.connection);
    }
}

void TransactionLayer::on_response(const Message& message, Instant now, TransactionOutput& out) {
    const auto& via = message.top_via();
    const auto& cseq = message.cseq();
    if (!via || !cseq) return;
    const auto found = client_keys_.find(client_key(via->branch, cseq->method));
    if (found == client_keys_.end()) return;
    const TransactionId id = found->second;
    Transaction& transaction = transactions_.at(id);
    if (transaction.kind == Kind::invite_client) return on_invite_response(id, transaction, message, now, out);
    if (transaction.state == State::completed) return;
    if (message.status() < 200) {
        if (std::exchange(transaction.hurries, false)) end_in(id, transaction, 64 * timers_.t1, now);
        transaction.state = State::proceeding;
        if (!reliable(transaction)) transaction.interval = timers_.t2;
    } else {
        transaction.state = State::completed;
        transaction.repeat_at.reset();
        transaction.last.reset();
        end_in(id, transaction, reliable(transaction) ? std::chrono::milliseconds(0) : timers_.t4, now);  // timer K
    }
    weigh(transaction);
    out.events.emplace_back(ResponseEvent{.client = id, .message = message});
}

void TransactionLayer::on_invite_response(TransactionId id, Transaction& transaction, const Message& message,
                                          Instant now, TransactionOutput& out) {
    const int status = message.status();
    const bool open = transaction.state == State::trying || transaction.state == State::proceeding;
    if (status >= 300) {
        if (transaction.state == State::accepted) return;
        // Section 17.1.1.3: every retransmission of the failure is acknowledged; the user hears of it once.
        if (open) {
            const auto invite = Message::parse(*transaction.last);
            transaction.last = invite ? std::make_shared<const std::string>(make_ack(*invite, message)) : nullptr;
        }
        if (transaction.last != nullptr) out.packets.push_back({.flow = transaction.flow, .bytes = transaction.last});
        if (!open) return;
        transaction.state = State::completed;
        end_in(id, transaction, reliable(transaction) ? std::chrono::milliseconds(0) : 64 * timers_.t1,
               now);  // timer D
    } else if (status >= 200) {
        if (transaction.state == State::completed) return;
        if (open) end_in(id, transaction, 64 * timers_.t1, now);  // timer M: late 2xx of forks
        transaction.state = State::accepted;
        transaction.last.reset();
    } else {
        if (!open) return;
        const bool more = transaction.state == State::trying || status > 100;
        if (more && !transaction.given_up) end_in(id, transaction, timers_.c, now);  // timer C
        transaction.state = State::proceeding;
    }
    transaction.repeat_at.reset();
    weigh(transaction);
    out.events.emplace_back(ResponseEvent{.client = id, .message = message});
}

void TransactionLayer::on_time(Instant now, TransactionOutput& out) {
    while (const auto id = deadlines_.pop_due(now)) {
        const auto found = transactions_.find(*id);
        if (found == transactions_.end()) continue;
        Transaction& transaction = found->second;
        if (transaction.end_at <= now) {
            expire(*id, transaction, now, out);
        } else if (transaction.repeat_at && *transaction.repeat_at <= now) {
            repeat(transaction, now, out);
            deadlines_.add(*transaction.repeat_at, *id);
        }
    }
}

void TransactionLayer::repeat(Transaction& transaction, Instant now, TransactionOutput& out) {
    if (may_copy(transaction, now)) out.packets.push_back({.flow = transaction.flow, .bytes = transaction.last});
    const bool doubles_on = transaction.kind == Kind::invite_client;  // timer A has no ceiling but timer B
    transaction.interval = doubles_on ? 2 * transaction.interval : std::min(2 * transaction.interval, timers_.t2);
    transaction.repeat_at = now + transaction.interval;
}

void TransactionLayer::expire(TransactionId id, Transaction& transaction, Instant now, TransactionOutput& out) {
    // Timer C (section 16.8): what the CANCEL leads to, a 487 to be acknowledged or a 200 that crosses it, is still
    // ours.
    if (transaction.kind == Kind::invite_client && transaction.state == State::proceeding && !transaction.given_up) {
        transaction.given_up = true;
        end_in(id, transaction, 64 * timers_.t1, now);
        out.events.emplace_back(TimeoutEvent{.client = id, .unreachable = false, .ringing = true});
        return;
    }
    const bool waiting = transaction.state == State::trying || transaction.state == State::proceeding;
    const bool client = transaction.kind == Kind::client || transaction.kind == Kind::invite_client;
    if (waiting && client) out.events.emplace_back(TimeoutEvent{.client = id});
    erase(id);
}

void TransactionLayer::on_flow_failed(const Flow& flow, TransactionOutput& out) {
    std::vector<TransactionId> failed;
    const auto [first, last] = clients_of_flow_.equal_range(to_string(flow));
    for (auto entry = first; entry != last; ++entry) {
        const State state = transactions_.at(entry->second).state;
        const bool waits = state == State::trying || (state == State::proceeding && flow.connection != 0);
        if (waits) failed.push_back(entry->second);
    }
    for (const TransactionId id : failed) {
        erase(id);
        out.events.emplace_back(TimeoutEvent{.client = id, .unreachable = true});
    }
}

void TransactionLayer::erase(TransactionId id) {
    const auto found = transactions_.find(id);
    auto& keys = (id & 1) != 0 ? server_keys_ : client_keys_;
    if (const auto key = keys.find(found->second.key); key != keys.end() && key->second == id) keys.erase(key);
    if ((id & 1) == 0 && reliable(found->second)) {
        const auto [first, last] = clients_of_flow_.equal_range(to_string(found->second.flow));
        const auto mine = std::find_if(first, last, [id](const auto& entry) { return entry.second == id; });
        if (mine != last) clients_of_flow_.erase(mine);
    }
    bytes_ -= found->second.size;
    transactions_.erase(found);
}

void TransactionLayer::end_in(TransactionId id, Transaction& transaction, std::chrono::milliseconds time, Instant now) {
    transaction.end_at = now + time;
    deadlines_.add(transaction.end_at, id);
}

void TransactionLayer::repeat_in(TransactionId id, Transaction& transaction, std::chrono::milliseconds time,
                                 Instant now) {
    transaction.interval = time;
    transaction.repeat_at = now + time;
    deadlines_.add(*transaction.repeat_at, id);
}

}  // namespace natkit::sip
