#include "peer.hpp"

#include "natkit/record/client_row.hpp"

namespace natkit::cluster {
namespace {

constexpr Duration most_writing = std::chrono::seconds(5);

}  // namespace

std::string_view id_of(std::string_view key) {
    return key.substr(binding_key.size());
}

std::string key_of(std::string_view id) {
    return std::string(binding_key) + std::string(id);
}

Peer::Peer(State& node, const std::string& group, const std::string& name, Clients::Slot slot, io::Dns& dns,
           redis::Session::Options options, Handlers handlers)
    : state_(node.loop, node.log, Names::of_several(group, name), name), slot_(slot) {
    reader_ = std::make_unique<Reader>(
        state_, dns, std::move(options),
        Reader::Handlers{.on_joined = [this, on_joined = std::move(handlers.on_joined)] { on_joined(*this); },
                         .on_replica = [this, on_replica = std::move(handlers.on_replica)](
                                           std::string_view key) { on_replica(*this, key); },
                         .on_entry = [](StreamId) {},
                         .on_acknowledged = [](const std::string&, StreamId) {},
                         .on_change = std::move(handlers.on_change)});
}

void Peer::set_clock(const State& node) {
    state_.clock_ms = node.clock_ms;
    state_.clock_known = node.clock_known;
}

void Peer::read_anew() {
    told_ = false;
    reader_->follow(std::nullopt);
}

void Peer::on_owner(const Result<std::optional<Owner>>& owner) {
    told_ = true;
    readable_ = owner && *owner;
    state_key_ = readable_ ? (*owner)->state : std::string();
    if (!readable_ || !(*owner)->state.empty()) {
        writes_since_.reset();
    } else if (!writes_since_) {
        writes_since_ = state_.loop.now();
    }
    if (!owner) {
        state_.troubles.set("owner",
                            state_.names.owner + " in Redis: " + to_string(owner.error()) + "; it is not read");
        return reader_->follow(std::nullopt);
    }
    state_.troubles.clear("owner");
    reader_->follow(*owner);
}

/// Who has died while it wrote, or waits for us as we wait for it, must not keep us from beginning.
bool Peer::read() const {
    if (!told_) return false;
    const bool silent = writes_since_ && state_.loop.now() - *writes_since_ > most_writing;
    return !readable_ || silent || reader_->joined() || reader_->state_gone() || state_.troubles.has("format");
}

std::optional<ClientRow> Peer::row(std::string_view key) {
    const Replica* replica = state_.table.find(key);
    if (replica == nullptr) return std::nullopt;
    auto row = record::parse_client_row(replica->record, replica->clock_ms, parser_);
    if (row) return std::move(*row);
    if (++bad_ == 1)
        state_.log.major("a registration of " + state_.node + " in Redis cannot be read: " + to_string(row.error()));
    return std::nullopt;
}

Clients::Rows Peer::rows() {
    Clients::Rows rows;
    rows.reserve(state_.table.count(Kind::binding));
    state_.table.for_each([&](const std::string& key, const Replica&) {
        if (kind_of(key) != Kind::binding) return;
        if (auto row = this->row(key)) rows.emplace_back(id_of(key), std::move(*row));
    });
    return rows;
}

}  // namespace natkit::cluster
