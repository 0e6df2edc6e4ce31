#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "natkit/base/endpoint.hpp"
#include "natkit/io/fd.hpp"
#include "natkit/io/loop.hpp"

/// HTTP by libmicrohttpd, whose one thread is the loop's: it is asked when its descriptors are ready.
namespace natkit::web {

struct Request {
    std::string method;
    std::string path;
    std::string query;                                         ///< "id=a" of "/p?id=a": what parse_form() reads
    std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
    std::string body;
    IpAddress source;

    /// The first of that name (lower case); empty where there is none.
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
};

struct Response {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
};

class HttpServer;

/// A request's answer, due now or later. Copies stand for the same one; the first counts. One that nobody gives any
/// more is a 503.
class Responder {
  public:
    void operator()(Response response) const;
    /// An answer that goes on: server-sent events.
    class Stream;
    [[nodiscard]] std::shared_ptr<Stream> stream(Response head) const;

    struct State;

  private:
    friend class HttpServer;
    explicit Responder(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
};

class Responder::Stream {
  public:
    /// False when the other end is gone, or does not read: it is cut off then.
    bool send(std::string_view text);
    [[nodiscard]] bool open() const noexcept;
    void close();

  private:
    friend class HttpServer;
    friend class Responder;
    struct Inside;
    std::shared_ptr<Inside> inside_;
};

class HttpServer {
  public:
    struct Limits {
        unsigned connections = 3000;
        unsigned of_one_source = 1500;
        Duration idle = std::chrono::seconds(15);      ///< for a whole head to come, and between two requests
        Duration transfer = std::chrono::seconds(90);  ///< for a body to come and an answer to go
    };
    struct Options {
        io::Fd listener;
        std::string certificate;  ///< PEM text; empty: no TLS
        std::string key;
        Limits limits = {};
    };
    /// How many bytes of body are taken; or the answer, before any of it is.
    using Admission = std::variant<std::size_t, Response>;
    struct Handlers {
        std::function<Admission(const Request& head)> admit;
        std::function<void(Request request, Responder respond)> on_request;
    };

    [[nodiscard]] static Result<std::unique_ptr<HttpServer>> start(io::Loop& loop, Options options, Handlers handlers);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    [[nodiscard]] std::size_t connections() const noexcept;

    struct Impl;  ///< for the library's callbacks

  private:
    friend class Responder;
    explicit HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
    std::shared_ptr<Impl> impl_;
};

}  // namespace natkit::web
