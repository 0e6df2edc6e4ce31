#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "natkit/bpf/flow_table.hpp"
#include "natkit/engine/log/log.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/net/address_watch.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/relay/tiers.hpp"

namespace natkit::relay {

/// The flow table of this host as the relay uses it: the filter is put before each interface that packets may come by,
/// and nothing is forwarded by one whose self-test has failed. Interfaces that are made anew get it again. The control
/// thread's, but for what workers ask.
class FastPath {
  public:
    /// Says in one line of the log that it works, or why not; then on() is false.
    FastPath(io::Loop& loop, const TierChoice& choice, log::Logger log);

    [[nodiscard]] bool on() const noexcept { return table_ != nullptr; }
    /// Why nothing is forwarded; empty: something may be.
    [[nodiscard]] std::string why_not() const;

    /// Any thread. Whether what comes by this interface may leave as packets of that family.
    [[nodiscard]] bool proven(unsigned interface, Family out) const;
    /// Any thread, while on().
    [[nodiscard]] bpf::FlowTable& table() const noexcept { return *table_; }
    std::atomic<std::size_t> flows{0};                                  ///< that the workers have in it
    using LeftCounts = std::array<std::uint32_t, not_forwarded_count>;  ///< legs, by why
    /// Any thread. A worker has counted anew the legs whose RTP is not forwarded; `before` it had told.
    void count_left(const LeftCounts& before, const LeftCounts& now) noexcept;
    [[nodiscard]] LeftCounts left() const noexcept;

    /// The end of all calls: takes the filters and the pins away.
    void withdraw();

    /// What an earlier process has left in the table.
    [[nodiscard]] std::vector<bpf::FlowTable::Kept> kept() const;

  private:
    struct Proof {
        std::string name;
        bool by_family[2] = {false, false};
        std::string why_not;
    };

    void look_at_interfaces();
    [[nodiscard]] Proof prove(const io::Interface& interface);
    void tell();

    log::Logger log_;
    std::unique_ptr<bpf::FlowTable> table_;
    std::string why_not_;
    std::string told_;  ///< the last line
    Result<void> may_route_[2];
    std::unique_ptr<io::AddressWatch> watch_;
    mutable std::mutex mutex_;
    std::map<unsigned, Proof> proofs_;  ///< by interface
    std::array<std::atomic<std::uint32_t>, not_forwarded_count> left_{};
};

}  // namespace natkit::relay
