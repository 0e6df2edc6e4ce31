#pragma once

#include "natkit/record/json_text.hpp"
#include "natkit/relay/party.hpp"

/// The members of a `party` object (natkit-records(7), MEDIA), written without a tree of JSON values between: by who
/// opens a leg, and by mediarelay for its journal. parse_party() reads them.
namespace natkit::record {

/// A member `party`.
void add_party(ObjectText& object, const relay::Party& party);

/// `direction` and `ssrc` of an end of a stream, where they say something.
void add_description(ObjectText& object, sdp::Direction direction, const relay::Ssrcs& ssrcs);

}  // namespace natkit::record
