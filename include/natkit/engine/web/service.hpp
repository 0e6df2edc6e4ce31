#pragma once

#include <functional>
#include <memory>
#include <string>

#include "natkit/config/config.hpp"
#include "natkit/io/loop.hpp"

namespace natkit::web {

/// `natkit-web serve`: the pages. A client of the control sockets of the others, and nothing that they need.
class Service {
  public:
    struct Options {
        std::function<Result<config::Config>()> read_again;  ///< what `reload` works by
        std::string runtime_dir;                             ///< holds the control sockets
        std::string program_dir;                             ///< holds natclassify and looptrace
    };

    /// Serves natkit-web.sock, and the pages at [web] listen.
    [[nodiscard]] static Result<std::unique_ptr<Service>> start(io::Loop& loop, Options options, config::Config config);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    struct Impl;

  private:
    Service() = default;
    std::unique_ptr<Impl> impl_;
};

}  // namespace natkit::web
