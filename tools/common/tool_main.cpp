#include "tool_main.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "natkit/base/display.hpp"
#include "natkit/base/text.hpp"
#include "words.hpp"

namespace natkit::tool {
namespace {

void write_stderr(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

int exit_for(const CLI::App& app, const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    complain(app.get_name(), usage_problem(app, error));
    return static_cast<int>(Exit::usage);
}

}  // namespace

void add_common_options(CLI::App& app, CommonOptions& options, Drawings drawings) {
    app.formatter(std::make_shared<Formatter>());  // subcommands that come later have it too
    app.set_version_flag("--version", app.get_name() + " (natkit) " + NATKIT_VERSION, "Print the version and exit");
    app.add_option("--config", options.config,
                   "Configuration file (default: $NATKIT_CONFIG, then /etc/natkit/natkit.toml if it exists)")
        ->type_name("FILE");
    std::vector<std::pair<std::string, Format>> formats = {
        {"auto", Format::automatic}, {"json", Format::json}, {"text", Format::text}};
    if (drawings == Drawings::yes) formats.insert(formats.end(), {{"dot", Format::dot}, {"svg", Format::svg}});
    if (drawings == Drawings::page) formats.emplace_back("html", Format::html);
    std::vector<std::string> words;
    words.reserve(formats.size());
    for (const auto& [word, format] : formats) words.push_back(word);
    app.add_option("--format", options.format,
                   "Output: " + listed(words) + " (auto: text on a terminal, else JSON lines)")
        ->type_name("FORMAT")
        ->transform(one_of(formats))
        ->default_str("auto");
    app.add_option("--log-level", options.log_level, "crashes, failures, major, problems, low-level or all")
        ->type_name("LEVEL")
        ->check(one_of({"crashes", "failures", "major", "problems", "low-level", "all"}));
}

CLI::App& add_serve(CLI::App& app, ServeOptions& options, const std::string& footer) {
    add_common_options(app, options.common);
    CLI::App& command = *app.add_subcommand("serve", "run in the foreground until SIGTERM (natkit starts it this way)");
    command.fallthrough();
    command.add_option("--base-dir", options.base_dir, "folder that relative paths in the configuration start from");
    command.add_option("--runtime", options.runtime_dir, "folder of the control sockets");
    app.require_subcommand(1);
    app.footer(footer);  // of the program, not of its commands
    return command;
}

std::optional<config::Config> load_config(std::string_view program, const CommonOptions& options) {
    auto loaded = config::load_or_default(options.config.empty() ? config::default_file() : options.config);
    if (!loaded) {
        for (const Error& problem : loaded.error()) complain(program, problem);
        return std::nullopt;
    }
    for (const Error& warning : loaded->warnings) complain(program, warning);
    return std::move(loaded->config);
}

bool wants_json(Format format) {
    return format == Format::json || (format == Format::automatic && ::isatty(STDOUT_FILENO) == 0);
}

bool wants_colour() {
    const char* no = std::getenv("NO_COLOR");
    const char* term = std::getenv("TERM");
    if (no != nullptr && *no != '\0') return false;
    return ::isatty(STDOUT_FILENO) != 0 && term != nullptr && std::string_view(term) != "dumb";
}

int run(CLI::App& app, int argc, char** argv, const std::function<Exit()>& body) {
    std::signal(SIGPIPE, SIG_IGN);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return exit_for(app, error);
    } catch (const std::exception& error) {
        complain(app.get_name(), error.what());
        return static_cast<int>(Exit::usage);
    }
    try {
        return static_cast<int>(body());
    } catch (const std::exception& error) {
        complain(app.get_name(), std::string("internal error: ") + error.what());
    }
    return static_cast<int>(Exit::internal);
}

void complain(std::string_view program, const Error& error) {
    complain(program, text::displayable(to_string(error)));  // one line
}

void complain(std::string_view program, std::string_view message) {
    // What others have sent may be quoted in it; a message may have lines.
    std::string text;
    for (const std::string_view line : text::split(message, '\n'))
        text += (text.empty() ? "" : "\n") + text::displayable(line);
    write_stderr(std::string(program) + ": " + text + "\n");
}

Exit complain(std::string_view program, const config::Problems& problems) {
    for (const Error& problem : problems) complain(program, problem);
    return Exit::usage;
}

void warn(std::string_view program, const config::Problems& warnings) {
    for (const Error& warning : warnings) complain(program, "warning: " + to_string(warning));
}

void Output::write(std::string_view bytes) {
    buffer_.append(bytes);
    if (buffer_.size() >= 64 * 1024) flush();
}

void Output::flush() {
    std::string_view left = buffer_;
    while (!left.empty()) {
        const ssize_t written = ::write(STDOUT_FILENO, left.data(), left.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EPIPE) std::_Exit(static_cast<int>(Exit::fine));
        if (written < 0) {
            complain(program_, fail_errno("standard output", errno).error());
            std::_Exit(static_cast<int>(Exit::internal));
        }
        left.remove_prefix(static_cast<std::size_t>(written));
    }
    buffer_.clear();
}

void show_progress(const std::string& name, double done) {
    std::fprintf(stderr, "\r%s: %3d %%", name.c_str(), static_cast<int>(done * 100));
}

void end_progress() {
    std::fprintf(stderr, "\r\x1b[K");
}

Result<std::string> read_all(const std::string& path, std::size_t limit) {
    const int fd = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno(path, errno);
    std::string content;
    std::array<char, 64 * 1024> chunk;
    Result<std::string> result;
    for (;;) {
        const ssize_t count = ::read(fd, chunk.data(), chunk.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) result = fail_errno(path, errno);
        if (count <= 0) break;
        content.append(chunk.data(), static_cast<std::size_t>(count));
        if (content.size() > limit) {
            result = fail(Errc::exhausted, path + ": more than " + std::to_string(limit) + " bytes");
            break;
        }
    }
    if (fd != STDIN_FILENO) ::close(fd);
    if (result) return content;
    return result;
}

}  // namespace natkit::tool
