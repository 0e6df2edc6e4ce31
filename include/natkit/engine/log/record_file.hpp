#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "natkit/base/error.hpp"

namespace natkit::log {

/// Where records go that are kept, a JSON line each: a file that others may rotate, or the journal.
class RecordFile {
  public:
    RecordFile() = default;
    ~RecordFile();
    RecordFile(const RecordFile&) = delete;
    RecordFile& operator=(const RecordFile&) = delete;

    /// "journal", the path of a file (appended, mode 0640), or nothing: closed. A file that is there is opened anew, as
    /// after a rotation. The old one stays in use when the new one cannot be opened.
    Result<void> open(const std::string& target);
    [[nodiscard]] bool is_open() const noexcept { return journal_ || file_ >= 0; }
    /// `record` is the text of an object, without line end. One that the file does not take, or that is too long for
    /// the journal (32 KiB), is counted.
    void write(std::string_view record);
    /// Why records are lost: the last was, with how many were so far, or the file cannot be opened; empty: none are.
    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

  private:
    [[nodiscard]] bool to_file(std::string_view record);

    bool journal_ = false;
    int file_ = -1;
    std::string target_;
    std::string problem_;
    bool torn_ = false;  ///< the file's last line may be there in part
    std::uint64_t lost_ = 0;
};

}  // namespace natkit::log
