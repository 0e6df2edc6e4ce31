#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "common/tool_main.hpp"
#include "natkit/capture/byte_source.hpp"
#include "natkit/engine/explain/input.hpp"
#include "natkit/engine/explain/rewrite_message.hpp"
#include "natkit/engine/rewrite/relay.hpp"
#include "natkit/engine/rewrite/targets.hpp"

namespace natkit::sdprewrite {

struct Settings {
    std::vector<rewrite::To> to;
    sdp::Options sdp;
    bool explain = false;
    bool records = false;  ///< JSON records whatever the form of the input
};

/// Copies an input to standard output, its session descriptions rewritten.
class Rewriter {
  public:
    /// With a `relay` it gives the targets, and `settings.to` nothing.
    Rewriter(capture::ByteSource& source, const Settings& settings, rewrite::Relay* relay)
        : source_(source), settings_(settings), relay_(relay), output_("sdprewrite") {}

    [[nodiscard]] tool::Exit run();

  private:
    [[nodiscard]] Result<void> copy_messages();
    [[nodiscard]] Result<void> copy_lines();
    [[nodiscard]] Result<void> copy_description();
    [[nodiscard]] Result<void> copy_rest(std::string_view read_already);
    [[nodiscard]] bool asks_for_something() const;
    [[nodiscard]] std::string rewrite_line(const explain::Piece& piece);
    [[nodiscard]] Result<explain::RewrittenMessage> rewrite_sip(const std::string& bytes,
                                                                const rewrite::Sender& sender);
    void put(const std::string& original, std::size_t line, Result<explain::RewrittenMessage> rewritten,
             bool bare = false);
    void tell_edits(const std::string& where, std::size_t first_line, const std::vector<sdp::Edit>& edits);
    void bad(const std::string& where, const Error& error);

    capture::ByteSource& source_;
    const Settings& settings_;
    rewrite::Relay* relay_;
    tool::Output output_;
    bool any_bad_ = false;
};

}  // namespace natkit::sdprewrite
