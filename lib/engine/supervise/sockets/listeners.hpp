#pragma once

#include <expected>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "natkit/base/error.hpp"
#include "natkit/config/config.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/net/awaited.hpp"

namespace natkit::supervise {

/// The SIP sockets of the edge. natkit opens each once and keeps it as long as it runs, so a worker's death loses no
/// port and no datagram that already came.
class Listeners {
  public:
    /// `address`: whether this host must have the addresses of what it opens.
    explicit Listeners(io::Presence address = io::Presence::needed) : presence_(address) {}

    /// Sockets that are open already (of a worker that outlived the last natkit, or from systemd). What is not wanted
    /// later is closed.
    void offer(std::string name, io::Fd socket);
    /// The same for sockets whose names are not known.
    [[nodiscard]] Result<void> offer(io::Fd socket);

    /// A set of sockets to listen on, ready to take the place of the present one. Let go, it has changed nothing.
    struct Change {
        std::vector<std::string> names;
        std::vector<std::string> waiting;     ///< for their addresses to be the host's
        std::map<std::string, io::Fd> fresh;  ///< those of `names` that were not there
    };
    /// Opens what of `wanted` is neither open nor offered; or every problem. That an address is not the host's is none:
    /// it may come.
    [[nodiscard]] std::expected<Change, std::vector<Error>> prepare(std::span<const config::Listen> wanted) const;
    /// The same where nobody is there to choose another port: what cannot be opened waits as well, and why is added to
    /// `problems`.
    [[nodiscard]] Change prepare_what_can_be(std::span<const config::Listen> wanted,
                                             std::vector<Error>& problems) const;
    /// Makes the prepared set the open one: keeps the sockets there are, takes offered ones, closes the rest. Cannot
    /// fail.
    void commit(Change change);

    /// Both. On failure every problem is given, and the sockets stay as they were.
    [[nodiscard]] std::vector<Error> open(std::span<const config::Listen> wanted);

    /// Listen strings in the order of the configuration, and copies of their descriptors in the same order.
    [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
    /// Those that could not be opened yet.
    [[nodiscard]] const std::vector<std::string>& waiting() const noexcept { return waiting_; }
    [[nodiscard]] Result<std::vector<io::Fd>> duplicates() const;

  private:
    io::Presence presence_;
    std::vector<std::string> names_;
    std::vector<std::string> waiting_;
    std::map<std::string, io::Fd> sockets_;
    std::map<std::string, io::Fd> offered_;
};

}  // namespace natkit::supervise
