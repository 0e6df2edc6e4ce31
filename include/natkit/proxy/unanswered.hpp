#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "natkit/base/ip.hpp"

namespace natkit::proxy {

/// Calls of strangers that nobody has answered yet. Each holds media ports at every place that rings, for minutes; so
/// there may be so many from one address, and so many in all, and never more. Pure, bounded by its limits.
class Unanswered {
  public:
    struct Limits {
        std::size_t source = 100;  ///< places that ring for one address, IPv6: one /64 (nat::source_of)
        std::size_t all = 1000;    ///< places that ring for strangers
    };
    enum class Verdict : std::uint8_t {
        pass,
        source,  ///< refused: too many from this address
        all,     ///< too many from all strangers together
    };

    Unanswered() = default;
    explicit Unanswered(const Limits& limits) : limits_(limits) {}

    /// A call is about to ring at that many places. `call` is the caller's number for it, used once.
    [[nodiscard]] Verdict admit(std::uint64_t call, const IpAddress& address, std::size_t places);
    /// It has its final answer. Nothing happens for a call that was not admitted.
    void done(std::uint64_t call);
    [[nodiscard]] std::size_t size() const noexcept { return all_; }

  private:
    struct Call {
        IpAddress source;
        std::size_t places = 0;
    };
    struct Hash {
        std::size_t operator()(const IpAddress& address) const noexcept;
    };

    Limits limits_;
    std::size_t all_ = 0;
    std::unordered_map<std::uint64_t, Call> calls_;
    std::unordered_map<IpAddress, std::size_t, Hash> of_source_;
};

}  // namespace natkit::proxy
