#pragma once

#include <functional>
#include <memory>
#include <string>

#include "natkit/config/config.hpp"
#include "natkit/engine/edge/settings.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::edge {

/// Where the service finds its surroundings.
struct ServiceOptions {
    std::function<Result<config::Config>()> read_again;  ///< what `reload` works by, apply_host() done
    std::string runtime_dir;  ///< sipedge.sock is made here, mediarelay.sock is expected here
    bool adopt = false;       ///< the listening sockets come by the control command `adopt`; open none
};

/// The core's settings from the configuration (apply_host() done). UDP listeners only, so far.
[[nodiscard]] Settings to_settings(const config::Config& config);
/// The same with the users file read.
[[nodiscard]] std::expected<Settings, config::Problems> complete_settings(const config::Config& config);

/// sipedge as a process: SIP sockets, control socket, state file, timers, and the connection to mediarelay, around an
/// Edge. Lives on one loop.
class Service {
  public:
    /// Opens everything; fails with the first thing that cannot be had, and leaves nothing behind then.
    [[nodiscard]] static Result<std::unique_ptr<Service>> start(io::Loop& loop, config::Config config,
                                                                ServiceOptions options);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    /// Opens the file of records of calls again, after a rotation.
    void rotate();
    /// Whether it has stopped the loop because its node is a standby now: cluster::start_again.
    [[nodiscard]] bool starts_again() const;

  private:
    struct Impl;
    explicit Service(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace natkit::edge
