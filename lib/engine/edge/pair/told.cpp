#include "told.hpp"

#include <algorithm>
#include <utility>

#include "../records/replica.hpp"
#include "replicas.hpp"

namespace natkit::edge {

Result<void> ToldClients::take(const record::ObjectView& one, std::chrono::milliseconds ahead, std::string_view node) {
    const auto key = one.string("key").value_or("");
    if (!key.starts_with(cluster::binding_key)) return fail(Errc::bad_input, "not a key of a registration", "key");
    const std::string id(key.substr(cluster::binding_key.size()));
    const auto record = one.find("record");
    if (!record) return fail(Errc::bad_input, "missing", "record");
    if (record->text() == "null") {
        handlers_.forget(id);
        return {};
    }
    const auto object = record->object();
    if (!object) return fail(Errc::bad_input, "must be an object or null", "record");
    auto row = read_binding_replica(id, *object);
    if (!row) return std::unexpected(row.error());
    auto binding = handlers_.read(*row, ahead);
    if (!binding) return std::unexpected(binding.error());
    const auto owner = one.string("node").value_or("");
    if (owner.empty()) return fail(Errc::bad_input, "missing", "node");
    if (owner == node) return handlers_.take_over(std::move(*binding));
    if (named_) named_->insert(id);
    const auto epoch = one.find("epoch");
    const std::int64_t number = epoch ? epoch->whole_number().value_or(0) : 0;
    return handlers_.set_foreign({.node = std::string(owner),
                                  .epoch = static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0)),
                                  .binding = std::move(*binding)});
}

std::string ToldClients::on_request(const record::ReplicaRequest& request, std::string_view node) {
    if (request.begins) named_.emplace();
    std::string refused;
    for (const record::ValueView& each : request.records) {
        const auto one = each.object();
        const auto taken = one ? take(*one, request.ahead, node) : fail(Errc::bad_input, "not an object");
        if (taken) continue;
        if (!refused.empty()) refused += ',';
        refused += refusal_text(one ? one->string("key").value_or("") : "", taken.error());
    }
    if (request.ends && named_) {
        const auto named = *std::exchange(named_, std::nullopt);
        for (const std::string& id : handlers_.foreign_ids()) {
            if (!named.contains(id)) handlers_.forget(id);
        }
    }
    return "{\"refused\":[" + refused + "]}";
}

}  // namespace natkit::edge
