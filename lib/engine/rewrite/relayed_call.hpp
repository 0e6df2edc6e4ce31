#pragma once

#include <string>
#include <vector>

#include "call_legs.hpp"
#include "control_link.hpp"

namespace natkit::rewrite {

/// The legs of one call at mediarelay, and what is done to them. Legs are read by load() and written one by one, each
/// with what is kept with it. Where another process has changed one since, nothing is done, outdated() is true, and the
/// message in hand is to be read anew from load() on.
class RelayedCall {
  public:
    RelayedCall(ControlLink& link, std::string call_id) : link_(link), call_id_(std::move(call_id)) {}

    [[nodiscard]] Result<void> load();
    [[nodiscard]] bool outdated() const noexcept { return outdated_; }
    [[nodiscard]] Call& call() noexcept { return call_; }

    /// Opens a leg for that stream and side. `params`: of mediarelay's open.
    [[nodiscard]] Result<void> open(std::size_t stream, std::size_t side, relay::Stream kind,
                                    const std::string& exchange, Json params);
    /// After the last open(): of legs that two processes opened for the same end the older ones stay.
    [[nodiscard]] Result<void> confirm_opened();
    /// Frees what was opened since load(), where not all could be.
    void undo_opened();

    /// An offer or answer of `exchange` is about to change the leg.
    static void note_change(Leg& leg, const std::string& exchange);
    /// Writes what is kept with the leg, where that has changed, together with `changes`: keys of mediarelay's update.
    [[nodiscard]] Result<void> write(Leg& leg, Json changes);
    [[nodiscard]] Result<void> join(Leg& a, Leg& b);
    /// They go with the next save().
    void discard_stream(std::size_t stream);
    void discard_all();
    /// Those of a stream that an open offer brought, and that are not of that kind.
    void discard_offered(std::size_t stream, relay::Stream unless);

    /// Its offer is answered: what it replaced goes.
    void accept(const std::string& exchange);
    /// The call is answered by `exchange`: what earlier ones came to is agreed.
    void establish(const std::string& exchange);
    /// Its offer was refused: what it brought goes, what it changed is as before.
    [[nodiscard]] Result<void> roll_back(const std::string& exchange);

    /// Writes what is kept, the state of the call with it, and frees what was discarded.
    [[nodiscard]] Result<void> save();

  private:
    template <class Predicate>
    void discard(Predicate predicate);
    [[nodiscard]] Result<void> list();
    [[nodiscard]] Result<void> free(const std::vector<std::string>& legs);
    void choose_carrier();

    ControlLink& link_;
    std::string call_id_;
    Call call_;
    std::vector<std::string> discarded_;
    std::vector<std::string> opened_;
    bool outdated_ = false;
};

}  // namespace natkit::rewrite
