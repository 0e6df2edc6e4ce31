#include "natkit/config/users.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "natkit/base/text.hpp"

namespace natkit::config {
namespace {

constexpr std::size_t most_bytes = 16 << 20;
constexpr std::string_view instead = "; write user:realm:HA1, and :md5 or :sha-256 after it if you like";

bool is_hex(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (text::lower(c) >= 'a' && text::lower(c) <= 'f'); });
}

Result<User> parse_user(std::string_view line) {
    const auto fields = text::split(line, ':');
    // What stands in the line is not quoted in messages: it may be a password.
    if (fields.size() < 3 || fields.size() > 4) return fail(Errc::bad_config, "not a user" + std::string(instead));
    User user{.name = std::string(text::trim(fields[0])),
              .realm = std::string(text::trim(fields[1])),
              .ha1 = text::lower(text::trim(fields[2]))};
    if (user.name.empty() || user.realm.empty()) {
        return fail(Errc::bad_config, "no user or no realm" + std::string(instead));
    }
    if (user.realm.find_first_of("\"\\") != std::string::npos) {
        return fail(Errc::bad_config, "a realm with quotes or backslashes; write a name such as example.com");
    }
    if (!is_hex(user.ha1) || (user.ha1.size() != 32 && user.ha1.size() != 64)) {
        return fail(Errc::bad_config,
                    "HA1 is not 32 (MD5) or 64 (SHA-256) hexadecimal digits; it is the digest of user:realm:password");
    }
    user.sha256 = user.ha1.size() == 64;
    if (fields.size() == 4) {
        const std::string word = text::lower(text::trim(fields[3]));
        const bool known = word == "md5" || word == "sha-256";
        if (!known) return fail(Errc::bad_config, "unknown algorithm; write md5 or sha-256");
        if ((word == "sha-256") != user.sha256) {
            return fail(Errc::bad_config, "HA1 has not the length of " + word + "; md5 has 32 digits, sha-256 has 64");
        }
    }
    return user;
}

}  // namespace

std::expected<std::vector<User>, Problems> parse_users(std::string_view text, std::string_view name) {
    std::vector<User> users;
    Problems problems;
    std::set<std::string> seen;
    std::size_t number = 0;
    for (const std::string_view raw : text::split(text, '\n')) {
        ++number;
        const std::string_view line = text::trim(raw);
        if (line.empty() || line.front() == '#') continue;
        const std::string where = std::string(name) + ":" + std::to_string(number);
        auto user = parse_user(line);
        if (!user) {
            problems.push_back({.code = Errc::bad_config, .where = where, .message = user.error().message});
        } else if (!seen.insert(user->name + ':' + user->realm + (user->sha256 ? ":s" : ":m")).second) {
            problems.push_back({.code = Errc::bad_config,
                                .where = where,
                                .message = "'" + text::printable(user->name, 60) + "' is there twice; keep one line"});
        } else {
            users.push_back(std::move(*user));
        }
    }
    if (!problems.empty()) return std::unexpected(std::move(problems));
    return users;
}

std::expected<std::vector<User>, Problems> load_users(const std::string& path) {
    const auto failed = [&](std::string why) {
        return std::unexpected(Problems{{.code = Errc::bad_config, .where = path, .message = std::move(why)}});
    };
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return failed(std::string("[registrar] users: ") + std::strerror(errno) +
                      "; write the path of a file of user:realm:HA1 lines");
    std::ostringstream content;
    content << file.rdbuf();
    if (file.bad() || content.view().size() > most_bytes)
        return failed("[registrar] users: cannot be read, or is above 16 MB");
    return parse_users(content.view(), path);
}

}  // namespace natkit::config
