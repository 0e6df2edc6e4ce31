#pragma once

#include <functional>
#include <string>

#include "natkit/engine/pinger/runner.hpp"

namespace natkit::pinger {

/// `natpinger < clients.jsonl`: client records in, ping records out, sockets given or opened as the records name them.
class Filter {
  public:
    struct Handlers {
        std::function<void(const std::string& line)> on_record;      ///< a `ping` record without its newline
        std::function<void(const std::string& problem)> on_problem;  ///< about an input line; the rest goes on
    };

    Filter(io::Loop& loop, const ping::Options& options, log::Level level, Handlers handlers);

    /// A bound UDP socket to ping from; the first one given also serves records without `flow.local`.
    [[nodiscard]] Result<void> give_socket(io::Fd socket);
    /// One line of input, without its newline.
    void on_line(std::string_view line);
    /// Whether anybody is left to ping.
    [[nodiscard]] bool idle() const { return runner_.pinger().clients() == 0; }

  private:
    [[nodiscard]] Result<void> find_socket(ping::Client& client);

    io::Loop& loop_;
    Handlers handlers_;
    Runner runner_;
    std::optional<Endpoint> default_local_;
};

}  // namespace natkit::pinger
