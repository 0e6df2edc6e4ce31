#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/log_level.hpp"
#include "natkit/engine/relay/engine.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/ng/listen.hpp"

/// mediarelay for proxies that speak rtpengine's ng protocol or rtpproxy's: [ng] and [rtpproxy] of natkit.toml.
namespace natkit::ng {

struct ServiceOptions {
    std::vector<Listen> listen;
    std::vector<Listen> rtpproxy_listen;                  ///< the same for rtpproxy's protocol
    std::map<std::string, Side, std::less<>> interfaces;  ///< names of `direction=`
    std::chrono::seconds delete_delay{0};
    std::size_t max_calls = 0;  ///< 0: as many as there are ports
    LogLevel log_level = LogLevel::major;
};

/// Who is told of each call that is over, as a `call` record.
using OnEnded = std::function<void(const relay::Json& record)>;

class Service {
  public:
    /// Takes up the calls that a process before this one has left with its legs; where the engine is a standby's,
    /// requests are refused in the words on which a proxy takes another node. The engine outlives it. Errors: those of
    /// the sockets.
    [[nodiscard]] static Result<std::unique_ptr<Service>> start(io::Loop& loop, relay::Engine& engine,
                                                                ServiceOptions options);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    /// Listens where the options say from now on.
    [[nodiscard]] Result<void> reconfigure(ServiceOptions options);
    /// The engine is no standby's any more: takes up the calls of the other node.
    void activated();
    /// No call begins any more; those that there are go on.
    void drain();
    /// Tells of each call that has ended; where nobody wants to know (`wanted`), the records are not made.
    void on_ended(OnEnded tell, std::function<bool()> wanted);
    /// A `call` record for each (natkit-records(7)).
    [[nodiscard]] relay::Json records(const std::string& after) const;

  private:
    struct Impl;
    explicit Service(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace natkit::ng
