// SIP: header lines lie in the bytes; a message that is sent on unchanged stays a message with the same fields.
// links: sip
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "../../lib/sip/message/plain.hpp"
#include "../../lib/sip/message/sofia.hpp"
#include "natkit/sip/message/controls.hpp"
#include "natkit/sip/message/message.hpp"
#include "natkit/sip/message/peek.hpp"
#include "natkit/sip/message/serialize.hpp"

using namespace natkit;

namespace {

/// Without the line ends inside a folded value: a bare LF comes in, and CRLF goes out.
std::string unfolded(std::string_view value) {
    std::string text(value);
    std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
    return text;
}

/// What the quick way reads, sofia-sip reads as the same.
void read_both_ways(std::string_view value) {
    if (const auto plain = sip::plain::read_via(value); plain && plain != sip::sofia::read_via(value)) std::abort();
    if (const auto plain = sip::plain::read_uri(value); plain && plain != sip::sofia::read_uri(value)) std::abort();
    const auto plain = sip::plain::read_name_addr(value);
    if (plain && plain != sip::sofia::read_name_addr(value)) std::abort();
    (void)sip::Via::parse(value);
    (void)sip::Uri::parse(value);
    (void)sip::NameAddr::parse(value);
}

/// What is refused for its control bytes can be answered, and the answer has none of them.
void refuse(const std::string& bytes) {
    const auto blanked = sip::Message::parse(bytes, sip::Controls::blanked);
    if (!blanked) return;
    if (!blanked->control() || sip::check(*blanked)) std::abort();
    if (blanked->is_request() && sip::find_control(sip::make_response(*blanked, 400, "no", "tag"))) std::abort();
}

/// A look at anything tells what lies in it.
void peek(std::string_view bytes) {
    (void)sip::looks_like_message(bytes);
    const std::string_view id = sip::peek_call_id(bytes);
    if (!id.empty() && (id.data() < bytes.data() || id.data() + id.size() > bytes.data() + bytes.size())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    peek(bytes);
    const auto message = sip::Message::parse(bytes);
    if (!message) {
        refuse(bytes);
        return 0;
    }
    if (sip::find_control(bytes)) std::abort();
    (void)message->top_via();
    (void)message->cseq();
    (void)message->from_tag();
    (void)message->to_tag();
    (void)message->content_type();
    for (const sip::Name name : {sip::Name::via, sip::Name::from, sip::Name::to, sip::Name::contact, sip::Name::route,
                                 sip::Name::record_route}) {
        for (const auto value : message->values(name)) read_both_ways(value);
    }
    read_both_ways(message->request_uri());
    if (!sip::check(*message)) return 0;

    if (message->is_request()) {
        const auto answer = sip::Message::parse(sip::make_response(*message, 404, "Not Found", "tag"));
        if (!answer || answer->status() != 404 || unfolded(answer->call_id()) != unfolded(message->call_id()))
            std::abort();
    }
    const std::string passed_on = sip::Edit(*message).finish();
    if (sip::find_control(passed_on)) std::abort();
    const auto again = sip::Message::parse(passed_on);
    if (!again || again->method() != message->method() || again->status() != message->status() ||
        again->body() != message->body() || again->headers().size() < message->headers().size()) {
        std::abort();
    }
    return 0;
}
