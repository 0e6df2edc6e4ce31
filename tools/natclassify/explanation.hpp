#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "natclassify/text.hpp"
#include "natkit/diagnose/diagnose.hpp"

namespace natkit::natclassify {

/// What the doctor says, for people: broken calls in full, healthy ones a line each behind them, a summary at the end.
class ExplanationText {
  public:
    /// `in_full`: healthy calls too; they were asked for one by one.
    ExplanationText(const Text& text, bool in_full) : text_(text), in_full_(in_full) {}

    /// Nothing for a call that is kept for the list of healthy ones. `policy`: lines about the media proxy, or empty.
    [[nodiscard]] std::string call(const diagnose::Diagnosis& diagnosis, const std::string& policy);
    /// The list of healthy calls (1000 at most), and how many there were of each kind.
    [[nodiscard]] std::string summary() const;

  private:
    [[nodiscard]] std::string heading(const diagnose::Diagnosis& diagnosis) const;
    [[nodiscard]] std::string line(const diagnose::Diagnosis& diagnosis) const;
    [[nodiscard]] std::string whole(const diagnose::Diagnosis& diagnosis, const std::string& policy) const;
    [[nodiscard]] std::string facts(const diagnose::Diagnosis& diagnosis) const;
    [[nodiscard]] std::string phases(const diagnose::Diagnosis& diagnosis, const diagnose::StreamReport& stream) const;
    [[nodiscard]] std::string finding(const diagnose::Finding& finding) const;
    [[nodiscard]] std::string traffic(const diagnose::StreamReport& stream, const diagnose::Traffic& traffic) const;

    const Text& text_;
    bool in_full_;
    std::vector<std::string> healthy_;
    std::uint64_t calls_ = 0, registrations_ = 0, broken_ = 0, without_media_ = 0;
    std::map<std::string, std::uint64_t> by_cause_;
};

}  // namespace natkit::natclassify
