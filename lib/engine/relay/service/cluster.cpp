// What natkit-cluster asks for: this node's role, what it holds for another node, and what another node holds.
#include <nlohmann/json.hpp>

#include "natkit/base/text.hpp"
#include "natkit/engine/control/pages.hpp"
#include "natkit/engine/relay/service.hpp"
#include "natkit/record/json_text.hpp"
#include "natkit/record/replica.hpp"
#include "requests.hpp"

namespace natkit::relay {
namespace {

/// One member of `records`.
Result<void> put_one(Engine& engine, const record::ObjectView& replica, Duration ahead) {
    const std::string key(replica.string("key").value_or(""));
    if (!key.starts_with(cluster::leg_key)) return fail(Errc::bad_input, "not the key of a leg", "key");
    const std::string leg = key.substr(cluster::leg_key.size());
    const auto record = replica.find("record");
    const auto object = record ? record->object() : std::nullopt;
    if (object) return engine.put_replica(leg, *object, ahead);
    if (!record || record->text() != "null") return fail(Errc::bad_input, "must be an object or null", "record");
    engine.drop_replica(leg);
    return {};
}

}  // namespace

std::string replica_line(const std::string& leg, const std::string* text) {
    record::ObjectText line;
    line.text("type", "replica");
    line.text("key", std::string(cluster::leg_key) + leg);
    line.raw("record", text == nullptr ? "null" : *text);
    return line.close();
}

Service::Answer Service::role(const Json& request) {
    auto wanted = cluster::parse_standing(request);
    if (!wanted) return std::unexpected(wanted.error());
    if (!standing_) return fail(Errc::usage, "there is no [cluster] that this node is of");
    const bool changes = wanted->role != standing_->role;
    standing_ = std::move(*wanted);
    Json reply = Json::object();
    cluster::add_standing(reply, *standing_);
    if (!changes) return reply;
    if (standing_->role == cluster::Role::active) {
        engine_->activate();
        if (hooks_.activated) hooks_.activated();
    } else {
        engine_->fall_silent();
        if (hooks_.stepped_down) hooks_.stepped_down();
    }
    return reply;
}

Service::Answer Service::replicas(const Json& request) {
    const auto after = request.value("after", std::uint64_t{0});
    control::Page page("replicas");
    std::uint64_t last = 0;
    for (const auto& [order, leg] : engine_->legs()) {
        if (order <= after) continue;
        if (page.full()) return page.close(last);
        page.add({{"key", std::string(cluster::leg_key) + leg->id},
                  {"record", Json::parse(record::journal_text(*leg), nullptr, false)}});
        last = order;
    }
    return page.close();
}

void Service::replica(const View& request, const control::Reply& reply) {
    if (!engine_->standby()) return reply.error({Errc::refused, {}, "this node is the active one"});
    const auto asked = record::parse_replica_request(request);
    if (!asked) return reply.error(asked.error());
    if (!batch_) batch_.emplace(*engine_);
    if (asked->begins) engine_->begin_whole();
    Json refused = Json::array();
    for (const record::ValueView& each : asked->records) {
        const auto replica = each.object();
        const auto put = replica ? put_one(*engine_, *replica, asked->ahead)
                                 : Result<void>(fail(Errc::bad_input, "must be an object", "records"));
        if (put) continue;
        const std::string_view key = replica ? replica->string("key").value_or("") : std::string_view();
        refused.push_back({{"key", text::printable(key, 80)}, {"why", to_string(put.error())}});
    }
    if (asked->ends) {
        if (const auto ended = engine_->end_whole(); !ended) return reply.error(ended.error());
    }
    reply.ok({{"refused", std::move(refused)}});
}

void Service::add_cluster_commands() {
    using control::Server;
    const auto add = [this](const char* name, Command command, Server::Repeat repeat) {
        server_->on(
            name,
            [this, command](const Json& request, std::vector<io::Fd>, const control::Reply& reply) {
                if (!batch_) batch_.emplace(*engine_);
                const Answer answer = (this->*command)(request);
                answer ? reply.ok(*answer) : reply.error(answer.error());
            },
            repeat);
    };
    add("role", &Service::role, Server::Repeat::remember);
    add("replicas", &Service::replicas, Server::Repeat::run);
    server_->on_view(
        "replica", [this](const View& request, const control::Reply& reply) { replica(request, reply); },
        Server::Repeat::run);
    server_->on_view(
        "replica-members", [](const View&, const control::Reply& reply) { reply.ok({{"leg", record::leg_members}}); },
        Server::Repeat::run);
}

}  // namespace natkit::relay
