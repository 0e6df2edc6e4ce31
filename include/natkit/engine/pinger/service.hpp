#pragma once

#include <functional>
#include <memory>
#include <string>

#include "natkit/base/error.hpp"
#include "natkit/config/config.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/ping/pinger.hpp"

namespace natkit::pinger {

/// `natpinger serve`: pings the far-end clients that sipedge knows, from the very sockets they registered to. The
/// sockets come by `adopt` (control protocol); they are sent on, never read and never changed. In a cluster
/// (natkit-cluster(7)) a standby pings nobody.
class Service {
  public:
    struct Options {
        std::function<Result<config::Config>()> read_again;  ///< what `reload` works by
        std::string runtime_dir;                             ///< holds natpinger.sock, natpinger.mark and sipedge.sock
    };

    /// Serves natpinger.sock; errors when another natpinger does. `config` is what it works by at first.
    [[nodiscard]] static Result<std::unique_ptr<Service>> start(io::Loop& loop, const Options& options,
                                                                const config::Config& config);
    ~Service();
    /// Whether it has stopped the loop because its node is a standby now: cluster::start_again.
    [[nodiscard]] bool starts_again() const;
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

  private:
    struct Impl;
    Service() = default;
    std::unique_ptr<Impl> impl_;
};

/// The part of the configuration that the pinger works by.
[[nodiscard]] ping::Options options_of(const config::Pinger& config);

}  // namespace natkit::pinger
