#pragma once

#include <cstdint>

#include "../output.hpp"

namespace natkit::edge {

/// Asks for the places of names. Each question has a ticket of its own, by which its answer is known.
class Lookups {
  public:
    [[nodiscard]] std::uint64_t ask(const sip::Uri& uri, const sip::Abilities& abilities, Output& out) {
        out.lookups.push_back({.ticket = next_, .uri = uri, .abilities = abilities});
        return next_++;
    }

  private:
    std::uint64_t next_ = 1;
};

}  // namespace natkit::edge
