#pragma once

#include <functional>
#include <memory>
#include <string>

#include "natkit/base/error.hpp"
#include "natkit/engine/daemon/daemon.hpp"
#include "natkit/io/loop.hpp"

/// `natkit run`: starts, watches and restarts the other programs.
namespace natkit::supervise {

class Supervisor {
  public:
    struct Options {
        daemon::Configuration source;    ///< read again at a reload
        std::string program_dir;         ///< folder of the other programs
        std::function<void()> on_ready;  ///< once, when all workers run
        /// Becomes the natkit that is installed now; `token` is its Options::renewal. Returns only on failure.
        std::function<Error(const std::string& token)> on_renew;
        /// Not empty: this natkit has just taken the place of an older one and replaces the workers too, one by one.
        std::string renewal;
    };

    /// Takes the control socket, the SIP sockets (those of an earlier natkit's surviving workers, of systemd, or new
    /// ones), and starts or takes over the workers. `loaded` is what the source read. On failure every problem is
    /// given and nothing is left behind. Runs the loop while it waits for survivors.
    [[nodiscard]] static std::expected<std::unique_ptr<Supervisor>, config::Problems> start(io::Loop& loop,
                                                                                            Options options,
                                                                                            config::Loaded loaded);
    ~Supervisor();
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    /// Reads the configuration again; a bad file keeps the old one.
    void reload();
    /// The workers open their log files again.
    void rotate_logs();
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
