#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "natkit/sip/registrar.hpp"

namespace natkit::edge {

/// A client that is registered at another node.
struct ForeignClient {
    std::string node;
    std::uint64_t epoch = 0;  ///< of that node, when it registered it
    sip::Binding binding;
};

/// The clients of the other nodes, as natkit-cluster tells them: by address of record, and by id. Bounded as a
/// registrar is. Pure.
class ForeignClients {
  public:
    ForeignClients(const sip::Registrar::Limits& limits, sip::Mac mac) : registrar_(limits, std::move(mac)) {}
    void set_limits(const sip::Registrar::Limits& limits) { registrar_.set_limits(limits); }

    /// In place of the one with its id. Errc::exhausted where it would be one too many. One that has expired is
    /// forgotten.
    [[nodiscard]] Result<void> put(ForeignClient client, WallTime now);
    void forget(std::string_view id);
    void expire(WallTime now);
    [[nodiscard]] std::optional<WallTime> next_expiry() const { return registrar_.next_expiry(); }

    /// Those of an address of record that have not expired, highest q first.
    [[nodiscard]] std::vector<ForeignClient> lookup(std::string_view aor, WallTime now) const;
    [[nodiscard]] std::optional<ForeignClient> by_id(std::string_view id) const;
    /// The epoch of the node that has it; 0: not known.
    [[nodiscard]] std::uint64_t epoch_of(std::string_view id) const { return place_of(id).epoch; }
    [[nodiscard]] std::vector<std::string> ids() const;
    [[nodiscard]] std::size_t size() const noexcept { return registrar_.size(); }
    /// For the ids of those that register here from now on.
    [[nodiscard]] const sip::Registrar& registrar() const noexcept { return registrar_; }

  private:
    struct Place {
        std::string node;
        std::uint64_t epoch = 0;
    };
    [[nodiscard]] Place place_of(std::string_view id) const;

    sip::Registrar registrar_;
    std::unordered_map<std::string, Place> places_;  ///< by id
};

/// Whether `binding` is of an earlier REGISTER than `other`, of the same id: the CSeq of one Call-ID tells (RFC 3261
/// section 10.3), else the time.
[[nodiscard]] bool is_older(const sip::Binding& binding, const sip::Binding& other);

}  // namespace natkit::edge
