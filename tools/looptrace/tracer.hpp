#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/network_options.hpp"
#include "common/tool_main.hpp"
#include "natkit/capture/byte_source.hpp"
#include "natkit/engine/explain/captures/copies.hpp"
#include "natkit/engine/explain/captures/reader.hpp"
#include "natkit/engine/explain/passes.hpp"
#include "natkit/engine/explain/paths.hpp"

namespace natkit::looptrace {

struct Settings {
    explain::Rules rules;
    tool::Format format = tool::Format::text;  ///< any but `automatic`
    bool loops_only = false;
    bool colour = false;
    bool show_progress = false;
};

/// RTP that comes by the same place again and again.
struct Circle {
    Endpoint from, to;
    std::uint64_t packets = 0, repeats = 0;
};

/// Reads inputs and writes the paths of the calls in them.
class Tracer {
  public:
    explicit Tracer(const Settings& settings);

    void read(capture::ByteSource input);
    /// After the last input. Whether any record was bad.
    [[nodiscard]] bool finish();

  private:
    [[nodiscard]] Result<void> on_message(const record::Sip& sip, std::int64_t time_ns);
    void on_other(const std::string& line);
    void on_exchanges(const std::vector<explain::Exchange>& exchanges);
    void bad(const std::string& where, const Error& error);

    const Settings& settings_;
    tool::Output output_;
    explain::Reader reader_;
    explain::HopTracker hops_;
    explain::PassTracker passes_;
    explain::RtpStreams rtp_;
    explain::CopyFinder copies_;
    std::vector<explain::MediaPath> drawn_;  ///< of a picture, which is one document; at most 200
    tool::LanHint hint_;
    bool any_bad_ = false;
};

}  // namespace natkit::looptrace
