#include "store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "file.hpp"
#include "natkit/base/text.hpp"

namespace natkit::settings {
namespace {

constexpr std::array states{State::found, State::pending, State::confirmed, State::undone};
constexpr std::string_view suffix = ".json";

std::int64_t milliseconds(WallTime time) {
    return time.time_since_epoch().count();
}

WallTime time_of(std::int64_t milliseconds) {
    return WallTime(std::chrono::milliseconds(milliseconds));
}

/// Whatever is in a file: an object, or nothing.
Json read_object(const std::string& path) {
    const auto text = read_file(path);
    if (!text) return {};
    Json object = Json::parse(*text, nullptr, false);
    return object.is_object() ? object : Json();
}

Json json_of(const Version& version) {
    return {{"version", version.number},  {"time_ms", milliseconds(version.time)},
            {"who", version.who},         {"client", version.client},
            {"summary", version.summary}, {"state", to_string(version.state)},
            {"hash", version.hash},       {"text", version.text}};
}

std::optional<Version> version_of(const Json& object) {
    try {
        const std::string word = object.at("state");
        const auto state = std::ranges::find_if(states, [&](State one) { return word == to_string(one); });
        if (state == states.end()) return std::nullopt;
        return Version{.number = object.at("version"),
                       .time = time_of(object.at("time_ms")),
                       .who = object.at("who"),
                       .client = object.at("client"),
                       .summary = object.at("summary"),
                       .state = *state,
                       .hash = object.at("hash"),
                       .text = object.at("text")};
    } catch (const Json::exception&) {
        return std::nullopt;  // not written by us
    }
}

}  // namespace

const char* to_string(State state) noexcept {
    switch (state) {
        case State::found: return "found";
        case State::pending: return "pending";
        case State::confirmed: return "confirmed";
        case State::undone: break;
    }
    return "undone";
}

std::string Store::why_not_writable() const {
    std::error_code error;
    std::string folder = folder_;
    while (!std::filesystem::exists(folder, error) && folder.size() > 1) {
        folder = std::filesystem::path(folder).parent_path().string();
    }
    if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return {};
    return natkit::to_string(fail_errno("versions cannot be kept in " + folder_, errno).error());
}

std::string Store::path_of(unsigned number) const {
    std::string digits = std::to_string(number);
    return folder_ + "/" + std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits + std::string(suffix);
}

std::vector<Version> Store::versions() const {
    std::vector<Version> versions;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
        const std::string name = entry.path().filename().string();
        if (!name.ends_with(suffix)) continue;
        if (!text::parse_number(std::string_view(name).substr(0, name.size() - suffix.size()), 999'999'999)) continue;
        if (auto version = version_of(read_object(entry.path().string()))) versions.push_back(std::move(*version));
    }
    std::ranges::sort(versions, std::greater(), &Version::number);
    return versions;
}

Result<Version> Store::version(unsigned number) const {
    auto version = version_of(read_object(path_of(number)));
    if (!version) return fail(Errc::not_found, "no version " + std::to_string(number) + " is kept");
    return std::move(*version);
}

Result<unsigned> Store::add(Version version) {
    const std::vector<Version> kept = versions();
    version.number = kept.empty() ? 1 : kept.front().number + 1;
    if (const auto done = write(path_of(version.number), json_of(version)); !done) return std::unexpected(done.error());
    for (std::size_t i = most - 1; i < kept.size(); ++i) ::unlink(path_of(kept[i].number).c_str());
    return version.number;
}

void Store::set_state(unsigned number, State state) {
    auto version = this->version(number);
    if (!version) return;
    version->state = state;
    static_cast<void>(write(path_of(number), json_of(*version)));
}

std::optional<Unconfirmed> Store::unconfirmed() const {
    const Json object = read_object(folder_ + "/unconfirmed.json");
    if (object.is_null()) return std::nullopt;
    try {
        return Unconfirmed{.pending = {.version = object.at("version"),
                                       .by = object.at("by"),
                                       .who = object.at("who"),
                                       .until = time_of(object.at("until_ms"))},
                           .file = object.at("file"),
                           .before = object.at("before"),
                           .hash_after = object.at("hash_after")};
    } catch (const Json::exception&) {
        return std::nullopt;
    }
}

Result<void> Store::keep(const Unconfirmed& change) {
    return write(folder_ + "/unconfirmed.json", {{"version", change.pending.version},
                                                 {"by", change.pending.by},
                                                 {"who", change.pending.who},
                                                 {"until_ms", milliseconds(change.pending.until)},
                                                 {"file", change.file},
                                                 {"before", change.before},
                                                 {"hash_after", change.hash_after}});
}

void Store::forget_unconfirmed() {
    ::unlink((folder_ + "/unconfirmed.json").c_str());
}

Result<void> Store::write(const std::string& path, const Json& record) const {
    std::error_code error;
    std::filesystem::create_directories(std::filesystem::path(folder_).parent_path(), error);
    if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(folder_, errno);
    return replace_file(path, record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace natkit::settings
