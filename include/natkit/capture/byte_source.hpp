#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "natkit/base/error.hpp"

namespace natkit::capture {

/// The bytes of a file or of standard input, front to back, with gzip undone where the content asks for it. Reads ahead
/// by at most 64 kB, so it serves pipes and files of any size alike.
class ByteSource {
  public:
    /// "-" is standard input. Errc::system when it cannot be opened.
    [[nodiscard]] static Result<ByteSource> open(const std::string& path);
    /// The bytes of a text, for tests and fuzzing.
    [[nodiscard]] static ByteSource of(std::string bytes, std::string name = "bytes");

    ByteSource(ByteSource&&) noexcept;
    ByteSource& operator=(ByteSource&&) noexcept;
    ~ByteSource();

    /// At least one byte and at most into.size(), as soon as there are any; 0 at the end. Errc::system, or
    /// Errc::bad_input for broken gzip; what came before the failure is delivered first.
    [[nodiscard]] Result<std::size_t> read(std::span<char> into);
    /// The next bytes without taking them: `count` (at most 4096) or what is left. Valid until the next call.
    [[nodiscard]] Result<std::string_view> peek(std::size_t count);

    /// Whether read() has something to give, or the end, within 20 ms: false only where a pipe, a terminal or a socket
    /// makes us wait.
    [[nodiscard]] bool ready() const noexcept;

    /// Called every quarter of a second while read() or peek() has to wait, and when a signal comes; false: it is at
    /// its end then.
    void on_wait(std::function<bool()> wait);

    [[nodiscard]] const std::string& name() const noexcept;  ///< the path, or "stdin"
    /// How much of the file (before gzip) has been read, from 0 to 1; nothing where its size is unknown.
    [[nodiscard]] std::optional<double> progress() const noexcept;

  private:
    struct State;
    explicit ByteSource(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

}  // namespace natkit::capture
