#include "natkit/engine/control/pages.hpp"
#include "service_impl.hpp"

/// `clients`: who is registered here; and what natkit-cluster tells of whose clients are whose.
namespace natkit::edge {
namespace {

constexpr std::size_t users_at_once = 1000;

}  // namespace

void Service::Impl::on_clients(const record::ObjectView& request, const control::Reply& reply) {
    if (!request.contains("records") && !request.contains("whole"))
        return list_clients(std::string(request.string("after").value_or("")), reply);
    if (!standing || !edge.settings().peers)
        return reply.error({Errc::refused, "", "there is no [cluster.peers]: no other edge is active"});
    if (standby) return reply.error({Errc::refused, "", "this node is not active"});
    const auto told = record::parse_replica_request(request);
    if (!told) return reply.error(told.error());
    reply.ok_text(told_clients.on_request(*told, edge.settings().peers->own.node));
}

/// Those of one address of record are on one page.
void Service::Impl::list_clients(const std::string& after, const control::Reply& reply) const {
    control::Page page("clients");
    std::string last;
    std::size_t users = 0;
    for (const auto& one : edge.registrar().page(after, users_at_once)) {
        if (one.aor != last && page.full()) return reply.ok(page.close(last));
        users += one.aor != last ? 1 : 0;
        last = one.aor;
        page.add(client_record(one, "present", wall()));
    }
    reply.ok(users == users_at_once ? page.close(last) : page.close());
}

ToldClients::Handlers Service::Impl::told_handlers() {
    return {
        .read = [this](store::BindingRow& row, std::chrono::milliseconds before) { return binding_of(row, before); },
        .set_foreign =
            [this](ForeignClient client) {
                Output out;
                auto done = edge.set_foreign(std::move(client), now(), out);
                carry_out(out);
                return done;
            },
        .take_over =
            [this](sip::Binding binding) {
                Output out;
                auto done = edge.take_over(std::move(binding), now(), out);
                carry_out(out);
                return done;
            },
        .forget = [this](const std::string& id) { edge.forget_foreign(id); },
        .foreign_ids = [this] { return edge.foreign().ids(); }};
}

}  // namespace natkit::edge
