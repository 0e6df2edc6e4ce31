#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "natkit/base/error.hpp"

namespace natkit::crypto {

/// Where a program's certificate is, and whom it trusts; PEM files, empty: none.
struct TlsFiles {
    std::string certificate;  ///< with the chain up to, but without, the root
    std::string key;
    std::string ca;  ///< roots that servers' certificates must come from; empty: the system's, read when first needed
};

/// What a certificate says of itself.
struct Certificate {
    std::chrono::sys_seconds not_before;
    std::chrono::sys_seconds not_after;
    std::vector<std::string> names;    ///< whom it is for: the DNS names and addresses of subjectAltName (RFC 5280)
    std::vector<std::string> not_for;  ///< of the names asked about those that it is not for (RFC 6125)
};
/// The first certificate of a PEM file.
[[nodiscard]] Result<Certificate> read_certificate(const std::string& path, const std::vector<std::string>& asked);

/// What all TLS connections of a program share, for one thread. TLS 1.2 and 1.3.
class TlsContext {
  public:
    /// Fails with `bad_config` and the file's name when one cannot be read or does not fit the other; `where` says
    /// which one it is: "certificate", "key" or "ca".
    [[nodiscard]] static Result<std::shared_ptr<const TlsContext>> load(const TlsFiles& files);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

  private:
    friend class TlsSession;
    struct Impl;
    TlsContext();
    std::unique_ptr<Impl> impl_;
};

/// One end of a TLS connection, without the connection: encrypted bytes in and out, plain bytes out and in (OpenSSL
/// over memory BIOs).
class TlsSession {
  public:
    static constexpr std::size_t max_waiting = std::size_t{256} << 10;  ///< plain bytes before the handshake is done

    /// The end that was connected to.
    [[nodiscard]] static Result<TlsSession> accept(std::shared_ptr<const TlsContext> context);
    /// The end that connects: the other's certificate must be valid, and for `name`, a host name or an address.
    [[nodiscard]] static Result<TlsSession> connect(std::shared_ptr<const TlsContext> context, const std::string& name);
    ~TlsSession();
    TlsSession(TlsSession&& other) noexcept;
    TlsSession& operator=(TlsSession&& other) noexcept;

    /// Takes what came from the other end, and gives what it says. A failure ends the connection; outgoing() may hold
    /// the reason for the other end.
    [[nodiscard]] Result<std::string> receive(std::string_view encrypted);
    /// Says something to the other end; before the handshake is done it waits. Fails when too much waits.
    [[nodiscard]] Result<void> send(std::string_view plain);
    /// What is to be sent to the other end now.
    [[nodiscard]] std::string outgoing();
    [[nodiscard]] bool established() const noexcept;

  private:
    struct Impl;
    explicit TlsSession(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace natkit::crypto
