#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "natkit/relay/event.hpp"
#include "natkit/relay/leg.hpp"
#include "natkit/relay/traffic.hpp"

namespace natkit::relay {

struct Timeouts {
    Duration silence = std::chrono::seconds(60);  ///< `timeout`: a joined stream without packets
    Duration hold = std::chrono::hours(2);        ///< `hold_timeout`: the same on hold; and a leg that nobody joins
    Duration unproven = std::chrono::seconds(5);  ///< `unproven_media`: how long an unproven endpoint is sent to

    friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

/// The legs and joins of one thread, of UDP and of TCP: who is there, who is joined with whom, and what is to be told
/// of them. What a leg does with packets or connections is the business of UdpRelay and TcpRelay. Pure.
class LegTable {
  public:
    explicit LegTable(Timeouts timeouts) : timeouts_(timeouts) {}
    LegTable(const LegTable&) = delete;
    LegTable& operator=(const LegTable&) = delete;

    /// A new leg, which stays where it is until it is erased or extracted. No other has its key.
    template <class Kind>
    Kind& add(LegKey key, Stream stream, Instant now) {
        auto leg = std::make_unique<Kind>();
        leg->key = key;
        leg->stream = stream;
        leg->changed = now;
        Kind& added = *leg;
        insert(std::move(leg), now);
        return added;
    }
    void insert(std::unique_ptr<Leg> leg, Instant now);
    /// Null when there is none.
    [[nodiscard]] Leg* find(LegKey key) noexcept;
    /// The leg, with all that it has learned and counted, for another table; null when there is none. It must not be
    /// joined.
    [[nodiscard]] std::unique_ptr<Leg> extract(LegKey key);

    /// Two legs of one kind, neither of which is joined.
    Join& join(Leg& a, Leg& b, Instant now);
    void part(Leg& leg, Instant now);

    /// Whether the moment to look for silence has come, which then comes again a second later.
    [[nodiscard]] bool take_sweep(Instant now) noexcept;
    [[nodiscard]] std::optional<Instant> next_sweep() const noexcept;
    /// Tells of a leg that nobody has joined for `hold`: once, its owner removes it.
    void tell_if_unjoined(Leg& leg, Instant now);
    [[nodiscard]] const Timeouts& timeouts() const noexcept { return timeouts_; }
    void set_timeouts(Timeouts timeouts) noexcept { timeouts_ = timeouts; }

    /// False when too many wait to be taken.
    bool tell(const Event& event);
    [[nodiscard]] bool has_events() const noexcept { return !events_.empty(); }
    /// What happened since it was last called.
    [[nodiscard]] std::vector<Event> take_events();

    /// What has been relayed in this table by all legs that are or were in it: grows, whichever of them come and go.
    /// Looks at each leg.
    [[nodiscard]] Traffic traffic() const noexcept;
    /// What its legs have counted so far is not of this process.
    void count_from_now() noexcept { elsewhere_ -= traffic(); }

    [[nodiscard]] const std::unordered_map<LegKey, std::unique_ptr<Leg>>& legs() const noexcept { return legs_; }
    [[nodiscard]] const std::vector<std::unique_ptr<Join>>& joins() const noexcept { return joins_; }

  private:
    Timeouts timeouts_;
    std::unordered_map<LegKey, std::unique_ptr<Leg>> legs_;
    std::vector<std::unique_ptr<Join>> joins_;
    std::vector<Event> events_;
    Instant next_sweep_{};
    Traffic elsewhere_;  ///< what legs have counted here that are gone, less what those that are here brought with them
};

}  // namespace natkit::relay
