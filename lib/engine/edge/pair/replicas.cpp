#include "replicas.hpp"

#include <algorithm>

#include "../records/replica.hpp"
#include "natkit/record/json_text.hpp"

namespace natkit::edge {
namespace {

/// As many as are gone within some milliseconds, with their rows.
constexpr std::size_t dropped_at_once = 500;

}  // namespace

std::string refusal_text(std::string_view key, const Error& why) {
    record::ObjectText text;
    text.text("key", key);
    text.text("why", to_string(why));
    return text.close();
}

Result<void> Replicas::take(const record::ObjectView& one, Changes& changes) {
    const auto key = one.string("key").value_or("");
    if (!key.starts_with(cluster::binding_key)) return fail(Errc::bad_input, "not a key of a registration");
    const std::string id(key.substr(cluster::binding_key.size()));
    if (named_) named_->insert(id);
    const auto record = one.find("record");
    if (!record) return fail(Errc::bad_input, "missing", "record");
    if (record->text() == "null") {
        handlers_.forget(id);
        changes.removed.push_back(id);
        return {};
    }
    const auto object = record->object();
    if (!object) return fail(Errc::bad_input, "must be an object or null", "record");
    auto row = read_binding_replica(id, *object);
    if (!row) return std::unexpected(row.error());
    auto binding = handlers_.read(*row);
    if (!binding) return std::unexpected(binding.error());
    handlers_.replace(std::move(*binding));
    changes.saved.push_back(std::move(*row));
    return {};
}

void Replicas::on_request(const record::ReplicaRequest& request, const control::Reply& reply) {
    if (request.begins) named_.emplace();
    Changes changes;
    std::string refused;
    for (const record::ValueView& each : request.records) {
        const auto one = each.object();
        const auto taken = one ? take(*one, changes) : fail(Errc::bad_input, "not an object");
        if (taken) continue;
        if (!refused.empty()) refused += ',';
        refused += refusal_text(one ? one->string("key").value_or("") : "", taken.error());
    }
    handlers_.keep(changes.saved, changes.removed);
    std::string answer = "{\"refused\":[" + refused + "]}";
    if (!request.ends || !named_) return reply.ok_text(answer);
    const Named named = *std::exchange(named_, std::nullopt);
    drop_some(handlers_.ids_if([&](const sip::Binding& binding) { return !named.contains(binding.id); }),
              std::move(answer), reply, ++run_);
}

/// The rest after what else is due meanwhile.
void Replicas::drop_some(std::vector<std::string> ids, std::string answer, const control::Reply& reply, unsigned run) {
    if (run != run_) return reply.error({Errc::refused, "", "the node has become active"});
    const std::size_t first = ids.size() - std::min(ids.size(), dropped_at_once);
    const auto now = std::span(ids).subspan(first);
    for (const std::string& id : now) handlers_.forget(id);
    if (!now.empty()) handlers_.keep({}, now);
    ids.resize(first);
    if (ids.empty()) return reply.ok_text(answer);
    (void)loop_.post([this, ids = std::move(ids), answer = std::move(answer), reply, run]() mutable {
        drop_some(std::move(ids), std::move(answer), reply, run);
    });
}

void Replicas::stop() {
    named_.reset();
    ++run_;
}

}  // namespace natkit::edge
