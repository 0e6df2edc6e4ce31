#pragma once

#include <functional>
#include <memory>
#include <string>

#include "natkit/base/endpoint.hpp"
#include "natkit/io/loop.hpp"
#include "natkit/io/net/awaited.hpp"

namespace natkit::io {

/// Answers GET and POST requests, each on a connection of its own (HTTP/1.1, `Connection: close`). For a handful of
/// scrapers and scripts: at most 16 connections, heads of at most 8 KiB, bodies of at most 64 KiB, 10 s for each.
class HttpServer {
  public:
    struct Request {
        std::string method;  ///< "GET" or "POST"
        std::string path;    ///< without "?" and what follows
        std::string body;
    };
    struct Response {
        int status = 200;
        std::string content_type = "text/plain; charset=utf-8";
        std::string body;
    };
    using Respond = std::function<void(const Response&)>;
    /// Answers now or later, once; an answer that comes too late goes nowhere.
    using Handler = std::function<void(const Request& request, Respond respond)>;

    [[nodiscard]] static Result<std::unique_ptr<HttpServer>> listen(Loop& loop, const Endpoint& local, Handler handler,
                                                                    Presence address = Presence::needed);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    [[nodiscard]] Endpoint local() const;

  private:
    struct Impl;
    HttpServer() = default;
    std::shared_ptr<Impl> impl_;
};

}  // namespace natkit::io
