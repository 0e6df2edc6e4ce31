#include "natkit/config/config.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "reader.hpp"
#include "schema.hpp"

namespace natkit::config {
namespace {

/// A configuration is written by hand; more than this is some other file.
constexpr std::size_t max_file_bytes = 4 * 1024 * 1024;

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

std::expected<Loaded, Problems> finished(Draft draft) {
    if (!draft.problems.empty()) return std::unexpected(std::move(draft.problems));
    return std::move(draft.loaded);
}

Draft draft_of_file(const std::string& path, std::string base_dir) {
    const auto failed = [&path](std::string message) {
        return Draft{.loaded = {}, .problems = {{Errc::bad_config, path, std::move(message)}}, .readable = false};
    };
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return failed("is a directory; name a file");
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) return failed(fail_errno("cannot be read", errno == 0 ? EIO : errno).error().message);
    std::string text;
    text.resize(max_file_bytes + 1);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (file.bad()) return failed("cannot be read");
    if (text.size() > max_file_bytes) return failed("longer than 4 MiB; this is hardly a configuration");
    if (base_dir.empty()) base_dir = std::filesystem::absolute(path, error).parent_path().string();
    return draft(text, path, base_dir, Surroundings::of_process());
}

}  // namespace

Endpoint Control::default_metrics() {
    return {.address = IpAddress::v4(0x7f000001), .port = 9464};
}

Surroundings Surroundings::of_process() {
    Surroundings result;
    // Set by systemd for RuntimeDirectory= and StateDirectory=; of several the first.
    const std::string own_runtime = environment("RUNTIME_DIRECTORY");
    const std::string own_state = environment("STATE_DIRECTORY");
    if (!own_runtime.empty() && !own_state.empty()) {
        return {.runtime_dir = own_runtime.substr(0, own_runtime.find(':')),
                .state_dir = own_state.substr(0, own_state.find(':'))};
    }
    if (::geteuid() == 0) return result;
    const std::string runtime = environment("XDG_RUNTIME_DIR");
    result.runtime_dir = runtime.empty() ? "/tmp/natkit-" + std::to_string(::geteuid()) : runtime + "/natkit";
    const std::string state = environment("XDG_STATE_HOME");
    const std::string home = environment("HOME");
    if (!state.empty()) {
        result.state_dir = state + "/natkit";
    } else {
        result.state_dir = home.empty() ? result.runtime_dir : home + "/.local/state/natkit";
    }
    return result;
}

Draft draft(std::string_view text, std::string_view name, std::string_view base_dir, const Surroundings& surroundings) {
    Diagnostics diagnostics(name);
    try {
        const toml::table root = toml::parse(text, name);
        const Paths paths{.base_dir = std::string(base_dir), .surroundings = surroundings};
        Loaded loaded{.config = read_schema(root, paths, diagnostics), .written = {}, .warnings = {}, .places = {}};
        loaded.warnings = diagnostics.take_warnings();
        loaded.places = diagnostics.take_places();
        return {.loaded = std::move(loaded), .problems = diagnostics.take_errors()};
    } catch (const toml::parse_error& error) {
        // About syntax: everything after it would be guesswork.
        std::string message = text::printable(error.description(), 300);
        if (!message.empty()) message[0] = text::lower(message[0]);
        diagnostics.error(error.source().begin, "", "", std::move(message));
        return {.loaded = {}, .problems = diagnostics.take_errors(), .readable = false};
    }
}

std::expected<Loaded, Problems> parse(std::string_view text, std::string_view name, std::string_view base_dir,
                                      const Surroundings& surroundings) {
    return finished(draft(text, name, base_dir, surroundings));
}

std::expected<Loaded, Problems> load(const std::string& path, std::string base_dir) {
    return finished(draft_of_file(path, std::move(base_dir)));
}

void locate(std::span<Error> problems, const std::map<std::string, std::string>& places) {
    for (Error& problem : problems) {
        if (!problem.where.empty()) continue;
        // "[sip] listen: …" begins as its key's place does; the longest one that fits is meant.
        std::size_t longest = 0;
        for (const auto& [key, where] : places) {
            if (key.size() <= longest || !problem.message.starts_with(key)) continue;
            longest = key.size();
            problem.where = where;
        }
    }
}

std::string default_file() {
    if (std::string named = environment("NATKIT_CONFIG"); !named.empty()) return named;
    std::error_code error;
    const char* system_wide = "/etc/natkit/natkit.toml";
    return std::filesystem::exists(system_wide, error) ? system_wide : "";
}

std::expected<Loaded, Problems> load_or_default(const std::string& path, std::string base_dir) {
    return finished(draft_or_default(path, std::move(base_dir)));
}

Draft draft_or_default(const std::string& path, std::string base_dir) {
    if (path.empty()) return draft("", "", base_dir, Surroundings::of_process());
    return draft_of_file(path, std::move(base_dir));
}

}  // namespace natkit::config
