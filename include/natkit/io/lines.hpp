#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/io/acceptor.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"

/// Lines of text over Unix stream sockets, with descriptors beside them (SCM_RIGHTS). Everything is bounded: a line,
/// what waits to be written, the descriptors that came and were not taken.
namespace natkit::io {

inline constexpr std::size_t max_line = std::size_t{1} << 20;     ///< bytes, without the newline
inline constexpr std::size_t max_queued = std::size_t{16} << 20;  ///< bytes waiting to be written per connection
inline constexpr std::size_t max_descriptors = 253;               ///< per line (SCM_MAX_FD)

/// One end of a connection. Closed when destroyed.
class LineConnection {
  public:
    struct Handlers {
        /// A line without its newline, valid during the call.
        std::function<void(std::string_view line)> on_line;
        /// The other end closed, a bound was broken, or the system failed; the last call of this connection.
        std::function<void(const Error& why)> on_close;
        /// The lines that came together are through, or their answers are too many to wait for the last one: what was
        /// sent meanwhile leaves after this call.
        std::function<void()> before_answers = {};
    };

    LineConnection(Loop& loop, Fd socket, Handlers handlers);
    ~LineConnection();
    LineConnection(const LineConnection&) = delete;
    LineConnection& operator=(const LineConnection&) = delete;

    /// Sends `line` and a newline; `descriptors` travel with its first byte and stay the caller's. False when the
    /// connection is closed or more than max_queued bytes wait: the line is not sent.
    bool send(std::string_view line, std::span<const Fd> descriptors = {});

    /// The same without haste: it leaves with what is sent next, or some milliseconds later. To wake the other end
    /// costs more than most lines are worth.
    bool send_later(std::string_view line);

    /// Until flush(), what is sent is gathered, to leave with one write.
    void gather();
    void flush();

    /// The next `count` descriptors that came, in order; those of a line have arrived before its on_line. Refused when
    /// fewer are there. How many belong to a line is for the line to say.
    [[nodiscard]] Result<std::vector<Fd>> take_descriptors(std::size_t count);

    /// Bytes that wait to be written.
    [[nodiscard]] std::size_t queued() const noexcept;
    [[nodiscard]] bool open() const noexcept;
    /// Closes without on_close.
    void close();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

/// Listens on a path with mode 0600. A socket file left by a dead process is replaced; when a live one serves the path,
/// listen() is refused. A lock file PATH.lock beside it decides.
class LineServer {
  public:
    using OnConnection = std::function<void(Fd socket)>;

    [[nodiscard]] static Result<std::unique_ptr<LineServer>> listen(Loop& loop, const std::string& path,
                                                                    OnConnection on_connection);
    /// Removes the socket file.
    ~LineServer();
    LineServer(const LineServer&) = delete;
    LineServer& operator=(const LineServer&) = delete;

  private:
    LineServer() = default;

    std::string path_;
    Fd lock_;
    Fd socket_;
    std::unique_ptr<Acceptor> acceptor_;
};

/// Connects a Unix stream socket, once. The error names the path.
[[nodiscard]] Result<Fd> connect_unix(const std::string& path);

/// Keeps a connection to a path: connects at once, and after a loss again with back-off (20 ms doubling to 1 s).
class LineClient {
  public:
    struct Handlers {
        std::function<void()> on_connected;
        std::function<void(std::string_view line)> on_line;
        std::function<void(const Error& why)> on_lost;  ///< also for a first attempt that failed
    };

    LineClient(Loop& loop, std::string path, Handlers handlers);
    ~LineClient();
    LineClient(const LineClient&) = delete;
    LineClient& operator=(const LineClient&) = delete;

    bool send(std::string_view line, std::span<const Fd> descriptors = {});
    /// As of LineConnection; nothing without a connection.
    bool send_later(std::string_view line);
    void gather();
    void flush();
    [[nodiscard]] Result<std::vector<Fd>> take_descriptors(std::size_t count);
    [[nodiscard]] bool connected() const noexcept;
    /// Gives the connection up and makes a new one by the usual back-off.
    void reconnect();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace natkit::io
