#pragma once

#include <span>
#include <string>

#include "natkit/engine/explain/captures/copies.hpp"
#include "natkit/engine/explain/compare.hpp"
#include "natkit/record/decision.hpp"
#include "natkit/record/sip.hpp"

namespace natkit::natclassify {

/// Results for people: aligned, and in colour where the terminal likes it.
class Text {
  public:
    explicit Text(bool colour) : colour_(colour) {}

    [[nodiscard]] std::string message(const record::Sip& sip, const sip::Message& message, const record::Nat& nat,
                                      std::span<const explain::PeerVerdict> peers, const explain::Copy* copy) const;
    /// A bare session description that came from `source`.
    [[nodiscard]] std::string description(const Endpoint& source, const record::Nat& nat) const;
    [[nodiscard]] std::string decision(const record::Decision& decision) const;
    /// Of that, whether a media proxy was needed and why.
    [[nodiscard]] std::string policy(const record::Decision& decision) const;
    /// For --same.
    [[nodiscard]] std::string pair(const record::Decision& decision, bool same) const;

    enum class Ink : unsigned char { bold, dim, red, green, yellow, blue };
    [[nodiscard]] std::string paint(std::string_view text, Ink ink) const;

  private:
    [[nodiscard]] std::string place(const nat::Verdict& verdict) const;
    [[nodiscard]] std::string verdict(const record::Nat& nat) const;
    [[nodiscard]] std::string party(const char* name, const record::Nat& nat) const;

    bool colour_;
};

}  // namespace natkit::natclassify
