// links: web_engine
// What natkit-web reads of a request by itself: forms, cookies, Host, Origin, multipart bodies, records of passwords.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "engine/web/requests/requests.hpp"
#include "natkit/config/web_users.hpp"
#include "natkit/crypto/password.hpp"

using namespace natkit;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::size_t line = std::min(text.find('\n'), text.size());
    const std::string_view first = text.substr(0, line);
    const std::string_view rest = text.substr(std::min(line + 1, text.size()));
    static_cast<void>(web::parse_form(text));
    const std::string_view value = web::cookie(first, "natkit_session");
    if (value.find(';') != std::string_view::npos) std::abort();
    if (web::escaped(text).find_first_of("<>\"'") != std::string::npos) std::abort();
    if (web::host_allowed(first, {}) && first.find("evil.example") != std::string_view::npos) std::abort();
    static_cast<void>(web::same_origin(first, rest, true));
    static_cast<void>(web::find_target("GET", first));
    if (const auto part = web::part_of(rest, first, "a"); part && part->size() > rest.size()) std::abort();
    if (const auto users = config::parse_web_users(text, "f")) {
        if (config::parse_web_users(config::to_text(*users), "f") != users) std::abort();
    }
    if (const auto record = crypto::PasswordRecord::parse(first)) {
        if (crypto::PasswordRecord::parse(record->text()) != record) std::abort();
    }
    return 0;
}
