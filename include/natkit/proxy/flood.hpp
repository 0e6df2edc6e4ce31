#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "natkit/base/endpoint.hpp"
#include "natkit/base/time.hpp"
#include "natkit/proxy/authorise.hpp"
#include "natkit/proxy/rates.hpp"

namespace natkit::proxy {

/// How many requests may come. A source is an address, and for IPv6 its /64 (nat::source_of()).
struct FloodLimits {
    Rate flow{.per_second = 100, .burst = 200};         ///< of one flow
    Rate source{.per_second = 300, .burst = 600};       ///< of one source, all flows that nobody is registered by
    Rate strangers{.per_second = 1000, .burst = 2000};  ///< of all flows that nobody is registered by
    Rate server{.per_second = 1000, .burst = 2000};     ///< of one server, of one LAN address; of one source, all
                                                        ///< flows that somebody is registered by
    std::size_t remembered = 20'000;                    ///< flows, and as many sources

    friend bool operator==(const FloodLimits&, const FloodLimits&) = default;
};

/// Whose requests are looked at: no flow, no source and not all strangers together can take more than their share, so
/// that what others need is left: transactions above all, which are bounded. Nobody is without a limit: a server's
/// address can be spoofed, and a LAN phone can be anybody's. Pure, bounded; O(1) a request.
class FloodGate {
  public:
    enum class Verdict : std::uint8_t {
        pass,
        flow,       ///< refused: too many from this flow
        source,     ///< too many from this source
        strangers,  ///< too many from all strangers together
    };

    explicit FloodGate(const FloodLimits& limits = {});

    /// One request. `sender`: `user` where somebody is registered by this flow.
    [[nodiscard]] Verdict admit(const Endpoint& remote, std::uint64_t connection, Sender sender, Instant now);
    /// One that admit() has refused, inside a dialog of its sender's: as many again, and the other strangers do not
    /// count. So a flood in the name of a source does not keep it from ending its calls.
    [[nodiscard]] Verdict admit_in_dialog(const Endpoint& remote, std::uint64_t connection, Sender sender, Instant now);

    /// Other limits from now on; what was taken stays taken.
    void set_limits(const FloodLimits& limits) { limits_ = limits; }

    /// True for the first refusal of a source in a minute: time for a line in the log.
    [[nodiscard]] bool first_refusal(const IpAddress& address, Instant now);
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

  private:
    /// Each of the senders that share an address has buckets of its own there.
    struct Kind {
        Buckets flows;
        Buckets sources;
    };

    [[nodiscard]] Verdict take(Kind& kind, const Endpoint& remote, std::uint64_t connection, Sender sender,
                               Instant now) const;

    FloodLimits limits_;
    Kind registered_, strange_, servers_, dialogs_;
    std::optional<Bucket> strangers_;
    std::unordered_map<Endpoint, Instant, EndpointHash> told_;
    std::uint64_t refused_ = 0;
};

[[nodiscard]] const char* to_string(FloodGate::Verdict verdict) noexcept;  ///< "pass", "flow", "source", "strangers"

}  // namespace natkit::proxy
