#include "natkit/sip/message/serialize.hpp"

#include <doctest/doctest.h>

using namespace natkit;
using namespace natkit::sip;

namespace {

const std::string request =
    "INVITE sip:bob@example.com SIP/2.0\r\n"
    "Via:   SIP/2.0/UDP h;branch=z9hG4bKa , SIP/2.0/UDP i;branch=z9hG4bKb\r\n"
    "X-Odd :  \tas it was  \r\n"
    "Route: <sip:a;lr>,<sip:b;lr>\r\n"
    "From: <sip:alice@example.com>;tag=1\r\n"
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: 1\r\n"
    "CSeq: 7 INVITE\r\n"
    "L: 4\r\n"
    "\r\n"
    "v=0\n";

}  // namespace

TEST_CASE("Edit: nothing changed is nothing changed") {
    const Message message = Message::parse(request).value();
    CHECK(Edit(message).finish() == request);
}

TEST_CASE("Edit: bare LF is never emitted") {
    const Message message = Message::parse("OPTIONS sip:a SIP/2.0\nTo:\n <sip:a>\nL: 0\n\n").value();
    CHECK(Edit(message).finish() == "OPTIONS sip:a SIP/2.0\r\nTo:\r\n <sip:a>\r\nL: 0\r\n\r\n");
}

TEST_CASE("Edit: splices touch one field each") {
    const Message message = Message::parse(request).value();
    Edit edit(message);
    edit.set_start_line("INVITE sip:bob@192.168.1.5 SIP/2.0");
    edit.prepend(Name::via, "SIP/2.0/UDP edge;branch=z9hG4bKc");
    edit.prepend(Name::record_route, "<sip:edge;lr>");
    edit.pop_value(Name::route);
    edit.pop_value(Name::route);
    edit.set(Name::max_forwards, "70");
    edit.set_body("v=0\r\no=x\r\n");
    CHECK(edit.finish() ==
          "INVITE sip:bob@192.168.1.5 SIP/2.0\r\n"
          "Via: SIP/2.0/UDP edge;branch=z9hG4bKc\r\n"
          "Record-Route: <sip:edge;lr>\r\n"
          "Via:   SIP/2.0/UDP h;branch=z9hG4bKa , SIP/2.0/UDP i;branch=z9hG4bKb\r\n"
          "X-Odd :  \tas it was  \r\n"
          "From: <sip:alice@example.com>;tag=1\r\n"
          "To: <sip:bob@example.com>\r\n"
          "Call-ID: 1\r\n"
          "CSeq: 7 INVITE\r\n"
          "L: 10\r\n"
          "Max-Forwards: 70\r\n"
          "\r\n"
          "v=0\r\no=x\r\n");
}

TEST_CASE("Edit::pop_values: over several fields, part of one, more than there are") {
    const auto routes = [](std::size_t taken_before, std::size_t count) {
        const Message message =
            Message::parse(
                "BYE sip:a SIP/2.0\r\nRoute: <sip:a,1;lr>, \"b, c\" <sip:b>\r\nRoute: <sip:c>,<sip:d>\r\n\r\n")
                .value();
        Edit edit(message);
        edit.pop_values(Name::route, taken_before);
        edit.pop_values(Name::route, count);
        std::string left;
        const Message after = Message::parse(edit.finish()).value();
        for (const std::string_view value : after.values(Name::route)) (left += value) += ' ';
        return left;
    };
    CHECK(routes(0, 0) == "<sip:a,1;lr> \"b, c\" <sip:b> <sip:c> <sip:d> ");
    CHECK(routes(0, 1) == "\"b, c\" <sip:b> <sip:c> <sip:d> ");
    CHECK(routes(1, 1) == "<sip:c> <sip:d> ");
    CHECK(routes(0, 3) == "<sip:d> ");
    CHECK(routes(2, 1) == "<sip:d> ");
    CHECK(routes(0, 9).empty());
}

TEST_CASE("make_response, make_ack, make_cancel: what each copies") {
    const Message message = Message::parse(request).value();
    const std::string response = make_response(message, 486, "Busy Here", "t2", {{"Retry-After", "5"}});
    const Message busy = Message::parse(response).value();
    CHECK(busy.values(Name::via).size() == 2);
    CHECK(busy.to_tag() == "t2");
    CHECK(check(busy).has_value());
    const Message ack = Message::parse(make_ack(message, busy)).value();
    CHECK(ack.method() == "ACK");
    CHECK(ack.request_uri() == "sip:bob@example.com");
    CHECK(ack.values(Name::via).size() == 1);
    CHECK(ack.values(Name::route).size() == 2);
    CHECK(ack.to_tag() == "t2");
    CHECK(ack.cseq()->number == 7);
    const Message cancel = Message::parse(make_cancel(message)).value();
    CHECK(cancel.cseq()->method == "CANCEL");
    CHECK(cancel.to_tag().empty());
    CHECK(check(cancel).has_value());
    CHECK(cancel.value(Name::reason).empty());
    const Message told = Message::parse(make_cancel(message, "SIP;cause=200")).value();
    CHECK(told.value(Name::reason) == "SIP;cause=200");
    CHECK(check(told).has_value());
}
