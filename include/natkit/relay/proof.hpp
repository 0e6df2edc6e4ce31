#pragma once

#include "natkit/base/time.hpp"

namespace natkit::relay {

/// Whether a stranger's endpoint has shown that it is the stranger's own. Whoever names a victim's address in a session
/// description must not get a stream sent there for as long as a call lasts (the "voice hammer", RFC 5245 section
/// 18.5.1): an endpoint is sent media for a while, and on only when it is proven. Pure.
class Proof {
  public:
    /// Signalling spoke: whether the party's endpoint needs to be proven. One that has been stays so, unless it is
    /// another endpoint now.
    void ask(bool unproven, bool other_endpoint, Instant now) noexcept;
    /// A packet has come from it. Whether that was news.
    bool heard(Instant now) noexcept;
    /// Whether it may be sent a packet now; the first one starts the clock. What all its unproven endpoints have had
    /// counts, or a party would get more by naming one after the other.
    [[nodiscard]] bool allows(Duration limit, Instant now) noexcept;

    [[nodiscard]] bool needed() const noexcept { return needed_; }
    /// Packets have been kept from it.
    [[nodiscard]] bool cut() const noexcept { return cut_; }

  private:
    void stop_clock(Instant now) noexcept;

    bool asked_ = false;
    bool needed_ = false;
    bool running_ = false;
    bool cut_ = false;
    Instant since_{};   ///< while running
    Duration spent_{};  ///< before that
};

}  // namespace natkit::relay
