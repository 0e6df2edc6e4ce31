#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "natkit/engine/control/client.hpp"
#include "natkit/engine/control/server.hpp"
#include "natkit/engine/edge/edge.hpp"
#include "natkit/engine/edge/service.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/io/udp.hpp"
#include "natkit/store/bindings.hpp"
#include "natkit/store/secret.hpp"
#include "records.hpp"

/// What edge::Service is made of: service.cpp has its sockets, time and life; service_relay.cpp its talk with
/// mediarelay; service_control.cpp what it serves and tells.
namespace natkit::edge {

[[nodiscard]] inline WallTime wall_now() {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

/// What the core needs besides time, with this key for its tokens.
[[nodiscard]] Secrets secrets_with(const store::Secret& key);

struct Service::Impl {
    Impl(io::Loop& event_loop, const config::Config& config, ServiceOptions wanted, store::Bindings kept,
         const store::Secret& key, std::unique_ptr<control::Server> listening)
        : loop(event_loop),
          options(std::move(wanted)),
          log("SIPEDGE", config.sip.log_level),
          bindings(std::move(kept)),
          server(std::move(listening)),
          relay(loop, options.runtime_dir + "/mediarelay.sock", control::random_prefix()),
          timer(loop, [this] { on_timer(); }),
          edge(to_settings(config), secrets_with(key)),
          started(loop.now()) {}

    [[nodiscard]] Now now() const { return {.steady = loop.now(), .wall = wall_now()}; }

    void restore();
    void serve();
    void serve_state();
    void watch_relay();
    void take_up_calls();
    void take_up_page(std::uint64_t after);
    [[nodiscard]] Result<void> open_sockets();
    [[nodiscard]] Result<void> adopt(const Json& request, std::vector<io::Fd> sockets);
    [[nodiscard]] Result<void> reload();
    void add_socket(io::Fd fd);
    void learn_interfaces();
    void on_datagram(const io::UdpSocket& socket, const io::Datagram& datagram);
    void on_timer();
    void carry_out(Output& out);
    void ask_relay(const MediaRequest& request);
    void tell(const Event& event);
    void keep(const sip::BindingChange& change);
    [[nodiscard]] Json status() const;

    io::Loop& loop;
    ServiceOptions options;
    log::Logger log;
    store::Bindings bindings;
    std::unique_ptr<control::Server> server;
    control::Client relay;
    io::Timer timer;
    Edge edge;
    Instant started;
    std::map<Endpoint, std::unique_ptr<io::UdpSocket>> sockets;
    const std::string owner = "sipedge";  ///< of our legs, from one start to the next
    std::map<std::uint32_t, Side> sides;  ///< by interface index
};

}  // namespace natkit::edge
