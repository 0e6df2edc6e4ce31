#pragma once

#include <memory>
#include <optional>
#include <string>

#include "natkit/base/time.hpp"
#include "natkit/io/fd.hpp"

namespace natkit::io {

/// One Instant in a file, for the next process: setting it costs a store to memory, and what was set survives SIGKILL
/// (a shared mapping). An Instant of another boot of the machine means nothing and is not given back.
class Mark {
  public:
    /// Opens or makes the file, mode 0600.
    [[nodiscard]] static Result<std::unique_ptr<Mark>> open(const std::string& path);
    /// One that goes with the process, where there is no file to be had.
    [[nodiscard]] static std::unique_ptr<Mark> in_memory();
    ~Mark();
    Mark(const Mark&) = delete;
    Mark& operator=(const Mark&) = delete;

    /// What the process before this one set last.
    [[nodiscard]] std::optional<Instant> before() const noexcept { return before_; }
    void set(Instant value) noexcept;

  private:
    struct Page;
    Mark() = default;
    Page* page_ = nullptr;
    std::optional<Instant> before_;
};

}  // namespace natkit::io
