#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "call_legs.hpp"
#include "control_link.hpp"

namespace natkit::rewrite {

/// The legs of one call at mediarelay, and what is done to them. Legs are read by load() and written by save(). Where
/// another process has changed one since, outdated() is true, and the message in hand is to be read anew from load()
/// on.
class RelayedCall {
  public:
    RelayedCall(ControlLink& link, std::string call_id) : link_(link), call_id_(std::move(call_id)) {}

    [[nodiscard]] Result<void> load();
    [[nodiscard]] bool outdated() const noexcept { return outdated_; }
    [[nodiscard]] Call& call() noexcept { return call_; }
    /// The error for what another process has changed; outdated() is true from then on.
    [[nodiscard]] std::unexpected<Error> changed_elsewhere();

    /// Opens a leg for its stream and side. `params`: of mediarelay's open.
    [[nodiscard]] Result<void> open(CallLeg leg, Json params);
    /// After the last open(): of legs that two processes opened for the same end the older ones stay.
    [[nodiscard]] Result<void> confirm_opened();
    /// Frees what was opened since load(), where not all could be.
    void undo_opened();

    // All that follows is done at mediarelay by save().

    /// An offer or answer of `exchange` is about to change the leg.
    static void note_change(CallLeg& leg, std::uint64_t exchange);
    /// Of `changes`, keys of mediarelay's update, those that it would change nothing by.
    static void drop_known(const CallLeg& leg, Json& changes);
    static void change(CallLeg& leg, const Json& changes);
    void join(const CallLeg& a, const CallLeg& b);
    void discard_stream(std::size_t stream);
    void discard_all();
    /// Those of a stream that an open offer brought, and that are not of that kind.
    void discard_offered(std::size_t stream, relay::Stream unless);

    /// Its offer is answered: what it replaced goes.
    void accept(std::uint64_t exchange);
    /// The call is answered by `exchange`: what earlier ones came to is agreed.
    void establish(std::uint64_t exchange);
    /// Its offer was refused: what it brought goes, what it changed is as before.
    void roll_back(std::uint64_t exchange);

    /// Tells each leg what has changed, together with what is kept with it; that of the state of the call last, as it
    /// says that all was done. Then joins, and frees what was discarded.
    [[nodiscard]] Result<void> save();
    /// Index of the m= line whose leg save() failed with, where it was one's.
    [[nodiscard]] std::optional<std::size_t> failed_stream() const noexcept { return failed_stream_; }

  private:
    template <class Predicate>
    void discard(Predicate predicate);
    [[nodiscard]] Result<void> list();
    [[nodiscard]] Result<void> free(const std::vector<std::string>& legs);
    [[nodiscard]] Result<void> write(CallLeg& leg);
    [[nodiscard]] Result<void> write_all();
    [[nodiscard]] Result<void> write_joins();
    void choose_carrier();

    ControlLink& link_;
    std::string call_id_;
    Call call_;
    std::vector<std::string> discarded_;
    std::vector<std::string> opened_;
    std::vector<std::pair<std::string, std::string>> joins_;
    std::optional<std::size_t> failed_stream_;
    bool outdated_ = false;
};

}  // namespace natkit::rewrite
