// This node among others: what natkit asks natkit-cluster.
#include <utility>

#include "supervisor_impl.hpp"

namespace natkit::supervise {
namespace {

using namespace std::chrono_literals;

constexpr Duration patience = 10s;
const Error nothing_to_order{Errc::refused, "", "several active edges: nothing moves by order; see natkit-cluster(7)"};

}  // namespace

void Supervisor::Impl::serve_cluster() {
    for (const char* command : {"promote", "demote"}) {
        server->on(command, [this, command](const Json&, const std::vector<io::Fd>&, const control::Reply& reply) {
            if (!config.cluster.peers.empty()) return reply.error(nothing_to_order);
            ask_cluster(command, reply);
        });
    }
    server->on(
        "cluster",
        [this](const Json&, const std::vector<io::Fd>&, const control::Reply& reply) { ask_cluster("status", reply); },
        control::Server::Repeat::run);
}

/// One that is just being started again answers when it is back: a promotion must not be lost.
void Supervisor::Impl::ask_cluster(const std::string& command, const control::Reply& reply) {
    Worker* worker = find(cluster_program);
    if (worker == nullptr)
        return reply.error({Errc::usage, "", "this node is alone; write [cluster] state, see natkit-cluster(7)"});
    worker->ask(command, patience, [reply](const Result<Json>& answer) {
        if (answer) {
            reply.ok(*answer);
        } else {
            reply.error(answer.error());
        }
    });
}

}  // namespace natkit::supervise
