#include "filter.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "common/words.hpp"
#include "natkit/base/time.hpp"
#include "natkit/engine/pinger/filter.hpp"
#include "natkit/engine/pinger/service.hpp"
#include "natkit/io/net/host.hpp"
#include "natkit/io/net/udp.hpp"

using namespace natkit;

namespace natpinger {
namespace {

constexpr std::size_t max_line = 64 * 1024;

/// Standard input or a file by lines: a regular file at once, anything else as it comes.
class Input {
  public:
    Input(int descriptor, std::function<void(std::string_view)> on_line, std::function<void()> on_end)
        : descriptor_(descriptor), on_line_(std::move(on_line)), on_end_(std::move(on_end)) {}
    ~Input() {
        if (poll_) ::fcntl(descriptor_, F_SETFL, flags_);  // a terminal is shared with the shell
    }
    Input(const Input&) = delete;
    Input& operator=(const Input&) = delete;

    void start(io::Loop& loop) {
        struct stat kind{};
        // epoll refuses regular files and /dev/null; reading them never waits.
        const bool waits = ::fstat(descriptor_, &kind) == 0 &&
                           (S_ISFIFO(kind.st_mode) || S_ISSOCK(kind.st_mode) || ::isatty(descriptor_) != 0);
        if (!waits) {
            while (read_some()) {
            }
            return;
        }
        flags_ = ::fcntl(descriptor_, F_GETFL);
        poll_ = std::make_unique<io::Poll>(loop, descriptor_, [this](bool, bool) {
            if (!read_some()) poll_->watch(false, false);
        });
        poll_->watch(true, false);
    }

  private:
    /// False at the end.
    bool read_some() {
        std::array<char, 65536> buffer;
        const ssize_t count = ::read(descriptor_, buffer.data(), buffer.size());
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return true;
        if (count <= 0) {
            if (!rest_.empty()) on_line_(rest_);
            rest_.clear();
            on_end_();
            return false;
        }
        rest_.append(buffer.data(), static_cast<std::size_t>(count));
        std::size_t from = 0;
        for (std::size_t end = 0; (end = rest_.find('\n', from)) != std::string::npos; from = end + 1) {
            on_line_(std::string_view(rest_).substr(from, end - from));
        }
        rest_.erase(0, from);
        if (rest_.size() > max_line) {
            on_line_(rest_);  // no JSON object, so it is reported
            rest_.clear();
        }
        return true;
    }

    int descriptor_;
    std::function<void(std::string_view)> on_line_;
    std::function<void()> on_end_;
    std::unique_ptr<io::Poll> poll_;
    int flags_ = 0;
    std::string rest_;
};

/// The configured pinger with the command line's wishes.
Result<config::Pinger> pinger_config(config::Pinger pinger, const FilterOptions& options) {
    if (options.interval) {
        const auto interval = parse_duration(*options.interval);
        if (!interval || *interval < std::chrono::milliseconds(100)) {
            return fail(Errc::usage, "--interval: not a time of 100ms or more: '" + *options.interval + "'");
        }
        pinger.udp_interval = *interval;
    }
    if (options.method)
        pinger.method = *options.method == "options" ? config::PingMethod::options : config::PingMethod::crlf;
    if (options.limit) pinger.clients_limit = *options.limit;
    return pinger;
}

/// The sockets named on the command line.
Result<void> give_sockets(pinger::Filter& filter, const FilterOptions& options) {
    for (const int number : options.descriptors) {
        const io::Fd mine(::fcntl(number, F_DUPFD_CLOEXEC, 3));
        if (!mine) return fail_errno("--fd " + std::to_string(number), errno);
        auto copy = mine.duplicate();
        if (!copy) return std::unexpected(copy.error());
        if (const auto given = filter.give_socket(std::move(*copy)); !given) return given;
    }
    for (io::Fd& socket : io::take_listen_fds()) {
        if (const auto given = filter.give_socket(std::move(socket)); !given) return given;
    }
    for (const std::string& name : options.from) {
        const auto local = Endpoint::parse(name);
        if (!local) return fail(Errc::usage, "--from: " + local.error().message);
        auto socket = io::open_udp(*local, {.tos = {}, .receive_buffer = 0, .packet_info = false});
        if (!socket) return std::unexpected(socket.error());
        if (const auto given = filter.give_socket(std::move(*socket)); !given) return given;
    }
    return {};
}

/// The named file; no descriptor for standard input. What is no file may have been meant for a command.
Result<io::Fd> open_input(const std::string& file) {
    if (file == "-") return io::Fd();
    io::Fd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat kind{};
    if (!opened) {
        const bool a_word = errno == ENOENT && file.find('/') == std::string::npos;
        auto failed = fail_errno(file, errno);
        if (a_word) failed.error().message += ", and no command of that name: there is 'serve'";
        return failed;
    }
    if (::fstat(opened.get(), &kind) == 0 && S_ISDIR(kind.st_mode)) return fail_errno(file, EISDIR);
    return opened;
}

}  // namespace

void add_filter_options(CLI::App& app, FilterOptions& options) {
    app.add_option("FILE", options.file, "Client records; - or nothing is standard input")->type_name("");
    app.add_option("--fd", options.descriptors, "Ping from this bound UDP socket (an open descriptor)")->type_name("N");
    app.add_option("--from", options.from, "Open and ping from this address and port")->type_name("ADDRESS:PORT");
    app.add_option("--interval", options.interval,
                   "Time between two pings of a client (default: [pinger] udp_interval)")
        ->type_name("TIME");
    app.add_option("--method", options.method, "crlf or options (default: [pinger] method)")
        ->type_name("METHOD")
        ->check(tool::one_of({"crlf", "options"}));
    app.add_option("--limit", options.limit, "Most clients to ping (default: [pinger] clients_limit)")->type_name("N");
}

tool::Exit run_filter(const config::Config& config, const FilterOptions& options) {
    const auto pinger = pinger_config(config.pinger, options);
    if (!pinger) {
        tool::complain("natpinger", pinger.error());
        return tool::Exit::usage;
    }
    const auto opened = open_input(options.file);
    if (!opened) {
        tool::complain("natpinger", opened.error());
        return tool::Exit::usage;
    }
    io::Loop loop;
    tool::Output output("natpinger");
    bool bad = false;
    bool ended = false;
    std::size_t line_number = 0;
    std::optional<pinger::Filter> filter;
    const auto stop_when_idle = [&] {
        if (ended && filter->idle()) loop.stop();
    };
    filter.emplace(loop, pinger::options_of(*pinger), pinger->log_level,
                   pinger::Filter::Handlers{.on_record =
                                                [&](const std::string& record) {
                                                    output.write(record + "\n");
                                                    output.flush();
                                                    stop_when_idle();
                                                },
                                            .on_problem =
                                                [&](const std::string& problem) {
                                                    bad = true;
                                                    tool::complain("natpinger", (*opened ? options.file : "stdin") +
                                                                                    ":" + std::to_string(line_number) +
                                                                                    ": " + problem);
                                                }});
    if (const auto given = give_sockets(*filter, options); !given) {
        tool::complain("natpinger", given.error());
        return tool::Exit::usage;
    }
    Input input(
        *opened ? opened->get() : STDIN_FILENO,
        [&](std::string_view line) {
            ++line_number;
            filter->on_line(line);
        },
        [&] {
            ended = true;
            stop_when_idle();
        });
    const io::SignalWatch terminate(loop, SIGTERM, [&loop](int) { loop.stop(); });
    const io::SignalWatch interrupt(loop, SIGINT, [&loop](int) { loop.stop(); });
    input.start(loop);
    if (!ended || !filter->idle()) loop.run();
    return bad ? tool::Exit::bad_record : tool::Exit::fine;
}

}  // namespace natpinger
