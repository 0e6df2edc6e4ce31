#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/error.hpp"
#include "natkit/base/log_level.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/ping/pinger.hpp"

namespace natkit::pinger {

class Runner;

/// `natpinger < clients.jsonl`: client records in, ping records out, sockets given or opened as the records name them.
class Filter {
  public:
    struct Handlers {
        std::function<void(const std::string& line)> on_record;      ///< a `ping` record without its newline
        std::function<void(const std::string& problem)> on_problem;  ///< about an input line; the rest goes on
    };

    Filter(io::Loop& loop, const ping::Options& options, LogLevel level, Handlers handlers);
    ~Filter();
    Filter(const Filter&) = delete;
    Filter& operator=(const Filter&) = delete;

    /// A bound UDP socket to ping from; the first one given also serves records without `flow.local`.
    [[nodiscard]] Result<void> give_socket(io::Fd socket);
    /// One line of input, without its newline.
    void on_line(std::string_view line);
    /// Whether anybody is left to ping.
    [[nodiscard]] bool idle() const;

  private:
    [[nodiscard]] Result<void> find_socket(ping::Client& client);

    io::Loop& loop_;
    Handlers handlers_;
    std::unique_ptr<Runner> runner_;
    std::optional<Endpoint> default_local_;
};

}  // namespace natkit::pinger
