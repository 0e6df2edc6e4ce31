#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/diagnose/diagnose.hpp"
#include "natkit/engine/explain/html/markup.hpp"
#include "natkit/engine/explain/paths.hpp"

namespace natkit::html {

/// What the doctor found in captures, as one HTML file for a ticket: it asks for nothing from anywhere and has no
/// script. Broken calls come first and whole, the others a line each. What it holds of calls is bounded, whatever is
/// added: at most 200 broken ones whole and 16 MB of them, then a line each; at most 5000 lines.
class Report {
  public:
    void add_input(std::string_view name);  ///< that is read; at most 32 are named
    /// `paths`: of its media, where they are known.
    void add(const diagnose::Diagnosis& diagnosis, const diagnose::CallFacts& facts,
             const std::vector<explain::MediaPath>& paths);
    /// Whether a call with this diagnosis is to be shown whole, and needs its paths.
    [[nodiscard]] bool shows_whole(const diagnose::Diagnosis& diagnosis) const;

    /// After the last call: gives the page to `out`, piece by piece.
    void write(const std::function<void(std::string_view)>& out) const;

  private:
    /// A call that is shown: whole, or by its line alone.
    struct Shown {
        std::int64_t first_ns = 0;
        std::uint64_t frame = 0;
        Markup line;
        Markup whole = {};
    };

    [[nodiscard]] Markup head() const;
    [[nodiscard]] std::string title() const;                  ///< "2 of 7 calls broken"
    [[nodiscard]] std::string noun(std::size_t count) const;  ///< "calls", "calls and registrations"
    [[nodiscard]] Markup summary() const;
    [[nodiscard]] Markup contents(const std::vector<const Shown*>& broken) const;

    std::vector<std::string> inputs_;
    std::size_t inputs_unnamed_ = 0;
    std::vector<Shown> broken_, healthy_;
    std::array<std::size_t, 2> unshown_ = {};  ///< lines that are not there: of broken calls, of healthy ones
    std::size_t whole_ = 0, bytes_ = 0;        ///< of calls that are shown whole
    std::size_t calls_ = 0, registrations_ = 0, broken_count_ = 0;
    std::map<diagnose::Cause, std::size_t> causes_;  ///< broken calls, by what is the root of it
    std::int64_t first_ns_ = 0, last_ns_ = 0;
};

}  // namespace natkit::html
