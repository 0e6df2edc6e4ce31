#include "natkit/engine/log/record_file.hpp"

#include <syslog.h>
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cerrno>

#include "target.hpp"

namespace natkit::log {
namespace {

constexpr std::size_t longest_for_journal = std::size_t{32} << 10;

bool to_journal(std::string_view record) {
    if (record.size() > longest_for_journal) {
        errno = EMSGSIZE;
        return false;
    }
    const int done = ::sd_journal_send("MESSAGE=%s", std::string(record).c_str(), "PRIORITY=%d", LOG_INFO,
                                       "SYSLOG_IDENTIFIER=natkit-calls", nullptr);
    if (done < 0) errno = -done;
    return done >= 0;
}

}  // namespace

RecordFile::~RecordFile() {
    if (file_ >= 0) ::close(file_);
}

Result<void> RecordFile::open(const std::string& target) {
    int opened = -1;
    if (!target.empty() && target != "journal") {
        auto fd = open_target(target);
        if (!fd) {
            problem_ = fd.error().message;
            return std::unexpected(fd.error());
        }
        opened = *fd;
    }
    journal_ = target == "journal";
    if (file_ >= 0) ::close(file_);
    file_ = opened;
    target_ = target;
    problem_.clear();
    return {};
}

bool RecordFile::to_file(std::string_view record) {
    // It begins on a line of its own: the last one may be there in part.
    const std::string line = (torn_ ? "\n" : "") + std::string(record) + "\n";
    torn_ = !write_all(file_, line);
    return !torn_;
}

void RecordFile::write(std::string_view record) {
    if (!is_open()) return;
    if (journal_ ? to_journal(record) : to_file(record)) {
        problem_.clear();
        return;
    }
    const int error = errno;
    problem_ = fail_errno("write " + target_, error).error().message + ", " + std::to_string(++lost_) + " so far";
}

}  // namespace natkit::log
