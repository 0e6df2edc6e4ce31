#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "natkit/sdp/rewrite.hpp"
#include "natkit/sip/message/message.hpp"

namespace natkit::explain {

/// Says where the streams of a description are to point: one entry per m= line. `index` counts the descriptions of one
/// message.
using ChooseTargets = std::function<Result<std::vector<std::optional<sdp::MediaTarget>>>(const sdp::Document& document,
                                                                                         std::size_t index)>;

struct RewrittenMessage {
    std::string bytes;
    std::vector<sdp::Edit> edits;  ///< line and offset counted in the whole text; Content-Length is not among them
    bool has_description = false;  ///< false: there was nothing to rewrite
};

/// Points the session descriptions of a message at relays; Content-Length follows, every other byte stays.
///
/// Errc::refused, with "line N" or "sdp:N" of the message, where that would damage it: signed or encrypted parts, a
/// compressed body, an Authorization with qop=auth-int, an Identity that signs the body (RFC 4474), a Content-Length
/// that does not match; and what sdp::rewrite() refuses. Errc::bad_input for a description that cannot be read.
[[nodiscard]] Result<RewrittenMessage> rewrite_message(const sip::Message& message, const ChooseTargets& choose,
                                                       const sdp::Options& options);

/// Why the body of a message must stay as it is: the refusals above that do not depend on the description.
[[nodiscard]] std::optional<Error> why_untouchable(const sip::Message& message);

/// The same for a bare session description.
[[nodiscard]] Result<RewrittenMessage> rewrite_description(std::string_view text, const ChooseTargets& choose,
                                                           const sdp::Options& options);

}  // namespace natkit::explain
