#pragma once

#include <functional>
#include <string_view>

#include "natkit/engine/explain/captures/call_facts.hpp"
#include "natkit/engine/explain/hops.hpp"
#include "natkit/engine/explain/html/report.hpp"

namespace natkit::natclassify {

/// What the doctor says, as one HTML file: gathers while the inputs are read, and is written at the end.
class Page {
  public:
    void add_input(std::string_view name) { report_.add_input(name); }
    void on_message(const explain::MessageSeen& seen) { hops_.on_message(seen); }
    void on_call(const diagnose::Diagnosis& diagnosis, const diagnose::CallFacts& facts, const explain::RtpStreams& rtp,
                 const explain::Rules& rules);
    void write(const std::function<void(std::string_view)>& out) const { report_.write(out); }

  private:
    html::Report report_;
    explain::HopTracker hops_;
};

}  // namespace natkit::natclassify
