#pragma once

#include <string>

#include "natkit/base/error.hpp"

/// The folder of a bpffs where maps are kept while no process has them open.
namespace natkit::bpf {

/// A descriptor that is closed with it.
class OwnFd {
  public:
    explicit OwnFd(int fd) noexcept : fd_(fd) {}
    OwnFd(OwnFd&& other) noexcept;
    OwnFd& operator=(OwnFd&& other) noexcept;
    OwnFd(const OwnFd&) = delete;
    OwnFd& operator=(const OwnFd&) = delete;
    ~OwnFd();
    [[nodiscard]] int get() const noexcept { return fd_; }

  private:
    int fd_ = -1;
};

/// Makes FOLDER/VERSION where it is not there, and takes it for this process alone, as long as what is returned lives.
/// Errc::not_found where FOLDER is not on a bpffs, Errc::refused where another process has it.
[[nodiscard]] Result<OwnFd> take_pins(const std::string& folder, const char* version);

/// How many entries the map that is pinned there has room for; 0: none is.
[[nodiscard]] unsigned pinned_capacity(const std::string& path);

/// Errc::refused while a process has the folder.
[[nodiscard]] Result<void> pins_are_free(const std::string& folder);

/// Removes the pins of all versions, and the folder where that is allowed.
[[nodiscard]] Result<void> remove_pins(const std::string& folder);

}  // namespace natkit::bpf
