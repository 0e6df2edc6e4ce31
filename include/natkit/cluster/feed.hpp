#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "natkit/cluster/key_queue.hpp"

namespace natkit::cluster {

/// What a worker of a standby still has to be given. It counts how far the worker has come, so that an acknowledgement
/// can wait for that.
class Feed {
  public:
    enum class Whole : std::uint8_t { no, begin, end, begin_and_end };
    struct Piece {
        std::vector<std::string> keys;
        Whole whole = Whole::no;
    };

    /// All there is, in place of what waits: a worker that knows nothing, or has what is no longer true.
    void restart(const std::vector<std::string>& keys, Instant now);
    void add(std::string_view key, Instant now);
    /// What comes next, of at most so many bytes; nothing while `most_in_flight` pieces are on their way.
    [[nodiscard]] std::optional<Piece> take(std::size_t most_bytes,
                                            const std::function<std::size_t(const std::string&)>& size_of);
    /// The worker has accepted the oldest piece on its way.
    void accepted();
    /// The worker is gone, and with it what it had.
    void stop();

    [[nodiscard]] bool running() const noexcept { return running_; }
    /// The place of what was added last; it is through once passed() has come to it. 0 has passed where the worker has
    /// not accepted all there is since it began: of what came before that it has nothing.
    [[nodiscard]] std::uint64_t place() const noexcept { return added_ + 1; }
    [[nodiscard]] std::uint64_t passed() const noexcept { return whole() ? passed_ + 1 : 0; }
    /// The worker has accepted all there was when it began.
    [[nodiscard]] bool whole() const noexcept { return running_ && passed_ >= whole_until_; }
    [[nodiscard]] std::size_t waiting() const noexcept { return queue_.size(); }

  private:
    static constexpr std::size_t most_in_flight = 4;

    enum class Stage : std::uint8_t { follow, begin, all };
    struct OnItsWay {
        std::uint64_t place;
    };

    KeyQueue queue_;
    std::deque<OnItsWay> in_flight_;
    Stage stage_ = Stage::follow;
    std::uint64_t whole_until_ = 0;  ///< the place of the last key of all there was
    std::uint64_t added_ = 0;
    std::uint64_t taken_ = 0;
    std::uint64_t passed_ = 0;
    bool running_ = false;
};

}  // namespace natkit::cluster
