#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/diagnose/facts.hpp"

namespace natkit::explain {

struct MessageSeen;

/// INVITEs of one call and their responses, to be compared with the same message behind a box that is no hop of SIP:
/// same branch, no Via more, and other bytes. A NAT alone changes no byte.
class RewriteFinder {
  public:
    /// Notes in the call what was changed, of two messages at most. Keeps four messages of 4 kB at most.
    void on_message(diagnose::Call& call, const MessageSeen& seen);
    [[nodiscard]] std::size_t bytes() const noexcept;

  private:
    struct Kept {
        std::string key, text;
        Endpoint source, destination;
        std::uint64_t frame = 0;
        std::int64_t time_ns = 0;
    };
    std::vector<Kept> kept_;  ///< oldest first
};

/// Lines of one message that the other has not, each with what stands for it there (the same header field, the same
/// kind of SDP line), in their order, and those that came anew; at most 8.
[[nodiscard]] std::vector<diagnose::Rewrite::Line> changed_lines(std::string_view before, std::string_view after);

}  // namespace natkit::explain
