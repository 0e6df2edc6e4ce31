#include "web.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>

#include "commands.hpp"
#include "natkit/config/web_users.hpp"
#include "natkit/crypto/password.hpp"
#include "natkit/io/fd.hpp"

using namespace natkit;

namespace natkit_tool {
namespace {

constexpr std::size_t shortest = 8;
constexpr std::size_t longest = 1024;

tool::Exit failed(const std::string& text) {
    tool::complain(program, text);
    return tool::Exit::bad_record;
}

termios terminal_before;  ///< what a signal that ends the process puts back

extern "C" void show_typed_again(int number) {
    static_cast<void>(::tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before));
    static_cast<void>(::raise(number));  // it has its default again
}

/// While it lives, what is typed on the terminal is not shown; Ctrl-C and the like end that too.
class Unseen {
  public:
    Unseen() {
        if (::tcgetattr(STDIN_FILENO, &terminal_before) != 0) return;
        struct sigaction action{};
        action.sa_handler = show_typed_again;
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        for (std::size_t i = 0; i < ends.size(); ++i) static_cast<void>(::sigaction(ends[i], &action, &watched_[i]));
        termios unseen = terminal_before;
        unseen.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen) == 0;
    }
    ~Unseen() {
        if (!changed_) return;
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_before);
        for (std::size_t i = 0; i < ends.size(); ++i) static_cast<void>(::sigaction(ends[i], &watched_[i], nullptr));
    }
    Unseen(const Unseen&) = delete;
    Unseen& operator=(const Unseen&) = delete;

  private:
    static constexpr std::array ends = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    std::array<struct sigaction, ends.size()> watched_{};
    bool changed_ = false;
};

std::optional<std::string> read_line(const char* prompt) {
    const bool asks = ::isatty(STDIN_FILENO) != 0;
    std::string line;
    if (!asks) return std::getline(std::cin, line) ? std::optional(line) : std::nullopt;
    const Unseen unseen;
    std::fputs(prompt, stderr);
    const bool read = static_cast<bool>(std::getline(std::cin, line));
    std::fputs("\n", stderr);
    return read ? std::optional(line) : std::nullopt;
}

/// From the terminal, twice and unseen; else the first line of standard input.
Result<std::string> read_password(const std::string& user) {
    const auto password = read_line(("Password of " + user + ": ").c_str());
    if (!password) return fail(Errc::bad_input, "no password on standard input");
    if (password->size() < shortest || password->size() > longest) {
        return fail(Errc::bad_input, "a password has 8 to 1024 characters");
    }
    if (::isatty(STDIN_FILENO) != 0 && read_line("The same again: ") != password) {
        return fail(Errc::bad_input, "the two are not the same");
    }
    return *password;
}

/// Whole or not at all. The file belongs to whom its folder belongs to: natkit-web runs as that user.
Result<void> write_users(const std::string& path, const config::WebUsers& users) {
    const std::string folder = std::filesystem::path(path).parent_path().string();
    struct stat owner{};
    if (::stat(folder.c_str(), &owner) != 0) return fail_errno(folder, errno);
    const std::string fresh = path + ".new";
    ::unlink(fresh.c_str());
    const io::Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return fail_errno(fresh, errno);
    const std::string text = config::to_text(users);
    const bool written = ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                         ::fsync(file.get()) == 0 &&
                         (::geteuid() != 0 || ::fchown(file.get(), owner.st_uid, owner.st_gid) == 0) &&
                         ::rename(fresh.c_str(), path.c_str()) == 0;
    if (written) return {};
    const int error = errno;
    ::unlink(fresh.c_str());
    return fail_errno(path, error);
}

}  // namespace

tool::Exit web(const tool::CommonOptions& common, const std::string& action, const std::string& user) {
    const auto loaded = config::load_or_default(common.config.empty() ? config::default_file() : common.config);
    if (!loaded) return tool::complain(program, loaded.error());
    const std::string& path = loaded->config.web.users;
    auto users = config::load_web_users(path);
    if (!users) return failed("[web] users: " + to_string(users.error()));
    if (action == "list") {
        tool::Output output(program);
        for (const auto& [name, record] : *users) output.write(name + "\n");
        return tool::Exit::fine;
    }
    if (!config::is_web_user_name(user)) {
        tool::complain(program,
                       "web " + action + ": a name of letters, digits, \".\", \"_\", \"-\" and \"@\" expected");
        return tool::Exit::usage;
    }
    if (action == "remove") {
        if (users->erase(user) == 0) return failed("no user " + user + " in " + path);
    } else {
        const auto password = read_password(user);
        if (!password) return failed(password.error().message);
        (*users)[user] = crypto::PasswordRecord::make(*password).text();
    }
    if (const auto done = write_users(path, *users); !done) return failed("[web] users: " + to_string(done.error()));
    return tool::Exit::fine;
}

}  // namespace natkit_tool
