#include "natkit/sip/message/identity.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace natkit;

TEST_CASE("identity fields: by any spelling, and no others") {
    for (const auto& field : sip::identity_fields()) CHECK(sip::identity_field(field.name) == &field);
    for (const char* name : {"history-INFO", "P-ASSERTED-IDENTITY", "p-charging-vector"}) {
        CHECK(sip::identity_field(name) != nullptr);
    }
    for (const char* name : {"", "P-", "Privacy", "From", "P-Asserted-Identity2", "Identity", "Reply-To"}) {
        CHECK(sip::identity_field(name) == nullptr);
    }
}

TEST_CASE("Privacy: what goes to nobody who is not trusted") {
    struct Case {
        const char* why;
        const char* asked;  ///< the Privacy fields, a line each
        const char* field;
        const char* value;
        bool withheld;
    };
    constexpr Case cases[] = {
        {"nobody asks", "", "P-Asserted-Identity", "<sip:a@b>", false},
        {"RFC 3325 section 9.3", "id", "P-Asserted-Identity", "<sip:a@b>", true},
        {"in any case, among others", "critical; USER ;ID", "p-asserted-identity", "<sip:a@b>", true},
        {"in the second field", "header\nid", "P-Asserted-Identity", "<sip:a@b>", true},
        {"parted by commas, as some do", "user,id", "P-Asserted-Identity", "<sip:a@b>", true},
        {"RFC 3325 section 7: must not be removed", "none", "P-Asserted-Identity", "<sip:a@b>", false},
        {"what the service is to hide elsewhere", "user;header;session", "P-Asserted-Identity", "<sip:a@b>", false},
        {"a word that only begins so", "identity;ids;;", "P-Asserted-Identity", "<sip:a@b>", false},
        {"the others that say who calls", "id", "Remote-Party-ID", "<sip:a@b>", true},
        {"what a network knows of the caller", "id", "P-Access-Network-Info", "3GPP-UTRAN-TDD", true},
        {"the receiver's own", "id", "P-Called-Party-ID", "<sip:receiver@b>", false},
        {"the receiver's own", "id;history", "P-Associated-URI", "<sip:receiver@b>", false},
        {"Remote-Party-ID's own word", "", "Remote-Party-ID", "<sip:a@b>;party=calling;privacy=full", true},
        {"and its opposite", "", "Remote-Party-ID", "<sip:a@b>;privacy=off", false},
        {"quoted, in any case", "", "Diversion", "<sip:a@b>;reason=user-busy;Privacy=\"Full\"", true},
        {"RFC 5806: only the name", "", "Diversion", "<sip:a@b>;privacy=name", true},
        {"RFC 5806: nothing", "", "Diversion", "<sip:a@b>;privacy=no", false},
        {"Diversion, for all", "id", "Diversion", "<sip:a@b>", true},
        {"RFC 7044 section 10.1.1", "history", "History-Info", "<sip:a@b>;index=1", true},
        {"RFC 7044 section 10.1.1", "session", "History-Info", "<sip:a@b>;index=1", true},
        {"RFC 7044 section 10.1.1", "header", "History-Info", "<sip:a@b>;index=1", true},
        {"of an entry alone", "", "History-Info", "<sip:a@b?Privacy=history>;index=1", true},
        {"an entry that may be told", "", "History-Info", "<sip:a@b?Privacy=none>;index=1", false},
        {"not by the end of a value", "", "Diversion", "<sip:a@b>;privacy=", false},
    };
    for (const Case& c : cases) {
        CAPTURE(c.why);
        CAPTURE(c.value);
        sip::Privacy privacy;
        std::string_view lines = c.asked;
        while (!lines.empty()) {
            const std::size_t end = std::min(lines.find('\n'), lines.size());
            privacy.add(lines.substr(0, end));
            lines.remove_prefix(std::min(end + 1, lines.size()));
        }
        const sip::IdentityField* field = sip::identity_field(c.field);
        REQUIRE(field != nullptr);
        CHECK(privacy.withholds(*field, c.value) == c.withheld);
    }
}
