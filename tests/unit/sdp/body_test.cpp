#include "natkit/sdp/body.hpp"

#include <doctest/doctest.h>

using namespace natkit;

TEST_CASE("sdp::find_descriptions: where the SDP of a body is") {
    struct Case {
        const char* why;
        const char* type;
        const char* body;
        const char* found;  ///< the descriptions, joined by "|"
        const char* sealed;
    };
    constexpr Case cases[] = {
        {"plain", "application/sdp", "v=0", "v=0", ""},
        {"case and parameters", "Application/SDP; charset=utf-8", "v=0", "v=0", ""},
        {"something else", "text/plain", "v=0", "", ""},
        {"two parts", "multipart/mixed; boundary=b",
         "pre\r\n--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\n\r\ntext\r\n--b--\r\nv=1", "v=0\r\n",
         ""},
        {"quoted boundary and bare LF", "multipart/mixed;boundary=\"a b\"",
         "--a b\nContent-Type:\n application/sdp\n\nv=0\n--a b--\n", "v=0", ""},
        {"nested", "multipart/mixed;boundary=x",
         "--x\r\nContent-Type: multipart/alternative;boundary=y\r\n\r\n--y\r\nc: "
         "application/sdp\r\n\r\nv=0\r\n--y\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--y--\r\n--x--",
         "v=0|v=1", ""},
        {"signed", "multipart/signed;boundary=x", "--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--x--", "",
         "multipart/signed@0"},
        {"signed, and no description in it", "multipart/mixed;boundary=x",
         "--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--x\r\nContent-Type: "
         "multipart/signed;boundary=y\r\n\r\n--y\r\n\r\ntext\r\n--y\r\nContent-Type: "
         "application/pkcs7-signature\r\n\r\nAAAA\r\n--y--\r\n--x--",
         "v=0", ""},
        {"encrypted inside signed", "multipart/signed;boundary=y",
         "--y\r\nContent-Type: application/pkcs7-mime\r\n\r\nAAAA\r\n--y--", "", "multipart/signed@0"},
        {"signed without a boundary", "multipart/signed", "v=0", "", "multipart/signed@0"},
        {"three levels deep, and a part after them", "multipart/mixed;boundary=a",
         "--a\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\nContent-Type: "
         "multipart/related;boundary=c\r\n\r\n--c\r\nContent-Type: "
         "application/sdp\r\n\r\nv=0\r\n--c--\r\n--b--\r\n--a\r\nContent-Type: "
         "application/sdp\r\n\r\nv=1\r\n--a--",
         "v=0|v=1", ""},
        {"encrypted part", "multipart/mixed;boundary=x",
         "--x\r\nContent-Type: application/pkcs7-mime\r\n\r\nAAAA\r\n--x--", "", "application/pkcs7-mime@45"},
        {"no closing delimiter", "multipart/mixed;boundary=x", "--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n",
         "v=0\r\n", ""},
        {"boundary that only starts like ours", "multipart/mixed;boundary=x",
         "--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--xy\r\n--x--", "v=0\r\n--xy", ""},
        {"no boundary", "multipart/mixed", "--x\r\n", "", ""},
        {"a quoted boundary with a semicolon", "multipart/mixed;boundary=\"a;b\"",
         "--a;b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--a;b--", "v=0", ""},
        {"a quoted boundary with escapes", "multipart/mixed;boundary=\"a\\\"b\"",
         "--a\"b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--a\"b--", "v=0", ""},
        {"a boundary inside another parameter is none", "multipart/mixed;x=\";boundary=y;\";boundary=z",
         "--y\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--z\r\nContent-Type: "
         "application/sdp\r\n\r\nv=0\r\n--z--",
         "v=0", ""},
        {"two boundaries", "multipart/mixed;boundary=y;boundary=z",
         "--y\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--z--", "", "multipart/mixed with two boundaries@0"},
        {"the same one twice", "multipart/mixed;boundary=y;Boundary=\"y\"",
         "--y\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--y--", "v=1", ""},
        {"quotes that never end", "multipart/mixed;boundary=\"y;x=1",
         "--y;x=1\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--y;x=1--", "v=1", ""},
        {"an inner boundary that goes on like the outer one", "multipart/mixed;boundary=b",
         "--b\r\nContent-Type: multipart/mixed;boundary=bb\r\n\r\n--bb\r\nContent-Type: "
         "application/sdp\r\n\r\nv=0\r\n--bb--\r\n--b--",
         "v=0", ""},
        {"inner and outer the same", "multipart/mixed;boundary=b",
         "--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n--b\r\nContent-Type: "
         "application/sdp\r\n\r\nv=0\r\n--b--",
         "v=0", ""},
        {"the delimiter alone", "multipart/mixed;boundary=b", "--b", "", ""},
        {"only delimiters", "multipart/mixed;boundary=b", "--b\r\n--b\r\n--b--", "", ""},
        {"a part that is encoded", "multipart/mixed;boundary=b",
         "--b\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: BASE64\r\n\r\ndj0w\r\n--b--", "",
         "application/sdp in base64@73"},
        {"one that says it is not", "multipart/mixed;boundary=b",
         "--b\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: 8bit\r\n\r\nv=0\r\n--b--", "v=0", ""},
        {"a part of two types", "multipart/mixed;boundary=b",
         "--b\r\nContent-Type: text/plain\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--", "",
         "two types at once@64"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        const std::string_view body = c.body;
        const sdp::Bodies bodies = sdp::find_descriptions(c.type, body);
        std::string found;
        std::string sealed;
        for (const sdp::Span& span : bodies.descriptions) {
            found += (found.empty() ? "" : "|") + std::string(body.substr(span.offset, span.length));
        }
        for (const sdp::Sealed& one : bodies.sealed) sealed += one.type + "@" + std::to_string(one.offset);
        CHECK(found == c.found);
        CHECK(sealed == c.sealed);
    }
}
