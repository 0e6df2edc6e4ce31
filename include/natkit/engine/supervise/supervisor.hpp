#pragma once

#include <functional>
#include <memory>
#include <string>

#include "natkit/base/error.hpp"
#include "natkit/config/config.hpp"
#include "natkit/io/loop.hpp"

/// `natkit run`: starts, watches and restarts the other programs.
namespace natkit::supervise {

class Supervisor {
  public:
    struct Options {
        std::string config_file;         ///< read again at a reload; empty: built-in defaults
        std::string base_dir;            ///< where relative paths of the configuration start
        std::string program_dir;         ///< folder of the other programs
        std::string log_level;           ///< of every program; empty: as configured
        std::function<void()> on_ready;  ///< once, when all workers run
    };

    /// Takes the control socket, the SIP sockets (those of an earlier natkit's surviving workers, of systemd, or new
    /// ones), and starts or takes over the workers. `config` is complete (apply_host()). On failure every problem is
    /// given and nothing is left behind. Runs the loop while it waits for survivors.
    [[nodiscard]] static std::expected<std::unique_ptr<Supervisor>, config::Problems> start(io::Loop& loop,
                                                                                            Options options,
                                                                                            config::Config config);
    ~Supervisor();
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    /// Reads the configuration again; a bad file keeps the old one.
    void reload();
    /// Ends all workers, then the loop.
    void stop();
    /// False when a worker could not be used at all: the exit status is 2 then.
    [[nodiscard]] bool good() const noexcept;

  private:
    struct Impl;
    Supervisor() = default;
    std::unique_ptr<Impl> impl_;
};

}  // namespace natkit::supervise
