#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "natkit/base/time.hpp"

namespace natkit::cluster {

/// Whether what the active node holds would survive it, and how far behind the standbys are.
class Protection {
  public:
    /// Beyond it what is not acknowledged counts as unprotected.
    static constexpr Duration promised = std::chrono::seconds(1);
    /// A standby that says nothing for so long is none; active and standby say something each second.
    static constexpr Duration silence = std::chrono::seconds(5);
    /// The lag of so long ago counts no more.
    static constexpr Duration window = std::chrono::seconds(60);

    struct Standby {
        std::optional<Duration> lag;  ///< of what it acknowledged last
        Instant heard;
        Instant since;  ///< as a standby that acknowledges
    };

    explicit Protection(Instant now) : since_(now) {}

    /// A standby says something.
    void heard(const std::string& node, Instant now);
    /// It has acknowledged: `arrivals` are the oldest moments of each batch that nobody had acknowledged before it.
    void acknowledged(const std::string& node, std::span<const Instant> arrivals, Instant now);
    /// To be called now and then; `oldest` arrived first of all that no standby has, `connected`: Redis is there.
    void update(std::optional<Instant> oldest, bool connected, Instant now);
    /// No standby, as after a promotion.
    void restart(Instant now);

    [[nodiscard]] std::optional<Duration> last_lag() const noexcept { return last_; }
    /// Of 100 batches of the last minute one was slower; nothing where there was none.
    [[nodiscard]] std::optional<Duration> lag_p99(Instant now) const;
    /// For how long something has been unprotected, or nobody has been there to protect it; 0: all is well.
    [[nodiscard]] Duration unprotected(Instant now) const;
    [[nodiscard]] const std::map<std::string, Standby>& standbys() const noexcept { return standbys_; }

  private:
    struct Sample {
        Instant at;
        Duration lag;
    };
    static constexpr std::size_t most_samples = 8192;
    static constexpr std::size_t most_standbys = 64;

    std::map<std::string, Standby> standbys_;
    std::deque<Sample> samples_;
    std::optional<Duration> last_;
    bool protected_ = false;
    Instant since_;  ///< where not protected: since when
};

}  // namespace natkit::cluster
