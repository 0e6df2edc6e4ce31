#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "natkit/dialog/exchange.hpp"
#include "natkit/dialog/stream.hpp"

namespace natkit::dialog {

/// What is to be done with the legs that streams name.
struct LegChanges {
    bool counts = false;                ///< the exchange had an answer
    std::vector<std::uint64_t> ended;   ///< they are not needed any more
    std::vector<std::uint64_t> agreed;  ///< they are as the exchange left them, for good
    std::vector<std::uint64_t> undone;  ///< they are to be as before the exchange

    friend bool operator==(const LegChanges&, const LegChanges&) = default;
};

/// What an answer does with one of its m= lines.
struct AnsweredLine {
    bool refused = false;                     ///< it is not there, or its port is 0
    std::size_t carrier = 0;                  ///< the stream whose legs carry it: itself, or another (BUNDLE)
    std::optional<std::size_t> same_as = {};  ///< the line before it that answers for that carrier

    friend bool operator==(const AnsweredLine&, const AnsweredLine&) = default;
};

/// The streams of a dialog, or of a branch that may become one, through offers and answers (RFC 3264): which of them
/// have legs of their own, and which legs go when an exchange is over. What an open exchange changes is pending, and a
/// failure takes it back. Legs are named by numbers that who has them gives. Pure.
class Call {
  public:
    /// By m= line.
    [[nodiscard]] std::vector<Stream>& streams() noexcept { return streams_; }
    [[nodiscard]] const std::vector<Stream>& streams() const noexcept { return streams_; }
    /// Of an open exchange: as they were before it.
    [[nodiscard]] const std::vector<Stream>& before() const noexcept { return before_; }
    [[nodiscard]] const Exchange& exchange() const noexcept { return exchange_; }

    /// An offer begins an exchange: Exchange::may_open() has said that it may.
    void open(const Offer& offer);
    /// Its description has so many m= lines.
    void offer_lines(std::size_t lines);
    /// The stream is to have legs of its own. False: it has none, or those of another kind, which live on until the
    /// exchange is closed: new ones are to be named.
    [[nodiscard]] bool offer(std::size_t line, const Described& described);
    /// Another one's legs carry it. What it had of its own goes when the exchange is closed.
    void offer_bundled(std::size_t line, std::size_t carrier, const Sending& sending);

    /// The lines of an answer, one for each stream. A preview may refuse what the answer that counts takes: a stream
    /// goes when the exchange is closed.
    [[nodiscard]] std::vector<AnsweredLine> answer_lines(const sdp::Document& answer);
    /// The open offer has an answer.
    void answered() noexcept { exchange_.answer(); }
    /// The stream whose legs carry a line of a description: itself, or by BUNDLE another. An answer may put a stream on
    /// another's port though it was offered with one of its own, and it keeps to what the offer put together.
    [[nodiscard]] std::size_t carrier_of(const sdp::Media& media, std::size_t line) const;

    /// The exchange is over. With an answer it counts; without, it is as if it had been refused.
    [[nodiscard]] LegChanges close();
    /// Its offer was refused.
    [[nodiscard]] LegChanges refuse();
    /// It is given up, and everything stays as it is: the offer will come again.
    void suspend();
    /// The stream is over, whatever becomes of an open exchange. The legs that go.
    [[nodiscard]] std::vector<std::uint64_t> lose(std::size_t line);
    /// All are.
    [[nodiscard]] std::vector<std::uint64_t> lose_all();

  private:
    [[nodiscard]] LegChanges take_back();
    [[nodiscard]] std::uint64_t legs_before(std::size_t line) const noexcept {
        return line < before_.size() ? before_[line].legs : 0;
    }

    Exchange exchange_;
    std::vector<Stream> streams_;
    std::vector<Stream> before_;
};

}  // namespace natkit::dialog
