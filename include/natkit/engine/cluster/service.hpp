#pragma once

#include <functional>
#include <memory>
#include <string>

#include "natkit/config/config.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::cluster {

/// `natkit-cluster serve`: decides whether this node is active, keeps what it holds in Redis while it is, and what the
/// active one holds in the workers of this node while it is not. No call waits for it.
class Service {
  public:
    struct Options {
        std::function<Result<config::Config>()> read_again;  ///< what `reload` works by
        std::string runtime_dir;                             ///< holds the control sockets, and cluster.json
        bool sip = true;                                     ///< there is a sipedge, and so a natpinger
    };

    /// Serves natkit-cluster.sock. `config` has a [cluster] state.
    [[nodiscard]] static Result<std::unique_ptr<Service>> start(io::Loop& loop, Options options, config::Config config);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    struct Impl;

  private:
    Service() = default;
    std::unique_ptr<Impl> impl_;
};

}  // namespace natkit::cluster
