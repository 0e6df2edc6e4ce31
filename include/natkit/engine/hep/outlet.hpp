#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "natkit/config/config.hpp"
#include "natkit/engine/hep/sender.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/net/dns.hpp"

namespace natkit::hep {

/// What a program sends to the collector of [hep]: knows where that is, also when its name comes to stand for another
/// address, and what was sent. Lives on one loop; the Senders are its threads'.
class Outlet {
  public:
    /// Called with each change; nothing: off.
    using OnChange = std::function<void(const std::optional<Destination>& destination)>;

    /// Off until configure().
    Outlet(io::Loop& loop, OnChange on_change);
    Outlet(const Outlet&) = delete;
    Outlet& operator=(const Outlet&) = delete;

    void configure(const config::Hep& wanted);
    [[nodiscard]] const std::shared_ptr<Counters>& counters() const noexcept { return counters_; }
    [[nodiscard]] const std::optional<Destination>& destination() const noexcept { return destination_; }
    /// For `status`: target, address, sent, dropped; null when off.
    [[nodiscard]] nlohmann::ordered_json status() const;

  private:
    void look_up();
    void ask(dns::Query::Kind kind);
    void on_answer(dns::Query::Kind kind, const dns::Answer& answer);
    void set_collector(const IpAddress& address);

    OnChange on_change_;
    std::shared_ptr<Counters> counters_ = std::make_shared<Counters>();
    config::Hep wanted_;
    std::optional<Destination> destination_;
    std::uint64_t round_ = 0;  ///< of configure(): answers to questions of an earlier one do not count
    io::Dns dns_;
    io::Timer timer_;
};

}  // namespace natkit::hep
