#include "natkit/crypto/tls.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <fstream>
#include <utility>

namespace natkit::crypto {
namespace {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};

using Ctx = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, Deleter<SSL_free>>;

/// The oldest error of this thread's queue, which is emptied.
std::string last_error(const char* otherwise) {
    const unsigned long code = ::ERR_get_error();
    ::ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ::ERR_reason_error_string(code);
    return reason == nullptr ? otherwise : reason;
}

Ctx new_context() {
    Ctx context(::SSL_CTX_new(::TLS_method()));
    if (!context) return context;
    ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    ::SSL_CTX_set_options(context.get(),
                          SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    ::SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

/// What a file holds that should hold the other: the usual mistake.
std::string swapped(const std::string& file, const std::string& which) {
    std::ifstream in(file, std::ios::binary);
    std::string text(std::size_t{64} << 10, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    const bool key = text.find("PRIVATE KEY-----") != std::string::npos;
    const bool certificate = text.find("BEGIN CERTIFICATE-----") != std::string::npos;
    if (which == "certificate" && key && !certificate) return "holds a private key and no certificate";
    if (which == "key" && certificate && !key) return "holds a certificate and no private key";
    return {};
}

std::unexpected<Error> bad_file(const std::string& file, const char* which) {
    std::string why = swapped(file, which);
    const std::string said = last_error("cannot be read");
    return fail(Errc::bad_config, file + ": " + (why.empty() ? said : why), which);
}

/// Names of subjectAltName that a host can have.
std::vector<std::string> names_of(X509* certificate) {
    std::vector<std::string> names;
    auto* list = static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; i < sk_GENERAL_NAME_num(list); ++i) {
        int kind = 0;
        const void* value = ::GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(list, i), &kind);
        const auto* text = static_cast<const ASN1_STRING*>(value);
        const std::string bytes = kind == GEN_DNS || kind == GEN_IPADD
                                      ? std::string(reinterpret_cast<const char*>(::ASN1_STRING_get0_data(text)),
                                                    static_cast<std::size_t>(::ASN1_STRING_length(text)))
                                      : std::string();
        if (kind == GEN_DNS) names.push_back(bytes);
        if (kind == GEN_IPADD && bytes.size() == 4) {
            std::string address;
            for (const char c : bytes)
                address += (address.empty() ? "" : ".") + std::to_string(static_cast<std::uint8_t>(c));
            names.push_back(address);
        }
    }
    ::GENERAL_NAMES_free(list);
    return names;
}

std::chrono::sys_seconds time_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (::ASN1_TIME_to_tm(time, &parts) != 1) return {};
    return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace

struct TlsContext::Impl {
    Ctx server;  ///< null without a certificate
    Ctx client;
    bool roots_due = false;

    /// The system's roots are some hundred certificates: read when somebody is to be verified by them, not at each
    /// start.
    void load_roots() {
        if (std::exchange(roots_due, false)) ::SSL_CTX_set_default_verify_paths(client.get());
    }
};

TlsContext::TlsContext() : impl_(std::make_unique<Impl>()) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const TlsFiles& files) {
    ::ERR_clear_error();
    std::shared_ptr<TlsContext> context(new TlsContext);
    Impl& impl = *context->impl_;
    impl.client = new_context();
    if (!impl.client) return fail(Errc::system, "TLS: " + last_error("no context"));
    ::SSL_CTX_set_verify(impl.client.get(), SSL_VERIFY_PEER, nullptr);
    impl.roots_due = files.ca.empty();
    if (!impl.roots_due && ::SSL_CTX_load_verify_locations(impl.client.get(), files.ca.c_str(), nullptr) != 1) {
        return bad_file(files.ca, "ca");
    }
    if (files.certificate.empty()) return context;
    impl.server = new_context();
    if (!impl.server) return fail(Errc::system, "TLS: " + last_error("no context"));
    for (SSL_CTX* each : {impl.server.get(), impl.client.get()}) {  // a server may ask for our certificate too
        if (::SSL_CTX_use_certificate_chain_file(each, files.certificate.c_str()) != 1) {
            return bad_file(files.certificate, "certificate");
        }
        if (::SSL_CTX_use_PrivateKey_file(each, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
            return bad_file(files.key, "key");
        if (::SSL_CTX_check_private_key(each) != 1) return bad_file(files.key, "key");
    }
    constexpr std::array<unsigned char, 6> session_id = {'n', 'a', 't', 'k', 'i', 't'};
    ::SSL_CTX_set_session_id_context(impl.server.get(), session_id.data(), session_id.size());
    return context;
}

Result<Certificate> read_certificate(const std::string& path, const std::vector<std::string>& asked) {
    ::ERR_clear_error();
    const std::unique_ptr<BIO, Deleter<BIO_free>> file(::BIO_new_file(path.c_str(), "r"));
    const std::unique_ptr<X509, Deleter<X509_free>> read(
        file ? ::PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr);
    if (!read) return bad_file(path, "certificate");
    Certificate certificate{.not_before = time_of(::X509_get0_notBefore(read.get())),
                            .not_after = time_of(::X509_get0_notAfter(read.get())),
                            .names = names_of(read.get()),
                            .not_for = {}};
    for (const std::string& name : asked) {
        const bool host = ::X509_check_host(read.get(), name.c_str(), name.size(), 0, nullptr) == 1;
        if (!host && ::X509_check_ip_asc(read.get(), name.c_str(), 0) != 1) certificate.not_for.push_back(name);
    }
    return certificate;
}

struct TlsSession::Impl {
    std::shared_ptr<const TlsContext> context;
    Ssl ssl;
    BIO* in = nullptr;   ///< owned by ssl
    BIO* out = nullptr;  ///< owned by ssl
    std::string waiting;

    Result<void> flush() {
        while (!waiting.empty() && ::SSL_is_init_finished(ssl.get()) == 1) {
            const int count = ::SSL_write(ssl.get(), waiting.data(), static_cast<int>(waiting.size()));
            if (count <= 0) return fail(Errc::system, "TLS: " + last_error("write"));
            waiting.erase(0, static_cast<std::size_t>(count));
        }
        return {};
    }
};

TlsSession::TlsSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsSession::~TlsSession() = default;
TlsSession::TlsSession(TlsSession&& other) noexcept = default;
TlsSession& TlsSession::operator=(TlsSession&& other) noexcept = default;

Result<TlsSession> TlsSession::accept(std::shared_ptr<const TlsContext> context) {
    if (!context->impl_->server) return fail(Errc::bad_config, "TLS without a certificate");
    auto impl = std::make_unique<Impl>();
    impl->ssl.reset(::SSL_new(context->impl_->server.get()));
    if (!impl->ssl) return fail(Errc::exhausted, "TLS: " + last_error("no session"));
    impl->context = std::move(context);
    impl->in = ::BIO_new(::BIO_s_mem());
    impl->out = ::BIO_new(::BIO_s_mem());
    ::SSL_set_bio(impl->ssl.get(), impl->in, impl->out);
    ::SSL_set_accept_state(impl->ssl.get());
    return TlsSession(std::move(impl));
}

Result<TlsSession> TlsSession::connect(std::shared_ptr<const TlsContext> context, const std::string& name) {
    auto impl = std::make_unique<Impl>();
    context->impl_->load_roots();
    impl->ssl.reset(::SSL_new(context->impl_->client.get()));
    if (!impl->ssl) return fail(Errc::exhausted, "TLS: " + last_error("no session"));
    impl->context = std::move(context);
    impl->in = ::BIO_new(::BIO_s_mem());
    impl->out = ::BIO_new(::BIO_s_mem());
    SSL* ssl = impl->ssl.get();
    ::SSL_set_bio(ssl, impl->in, impl->out);
    ::SSL_set_connect_state(ssl);
    if (::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), name.c_str()) != 1) {
        ::ERR_clear_error();
        ::SSL_set_tlsext_host_name(ssl, name.c_str());
        ::SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_WILDCARDS);  // RFC 5922 section 7.2
        if (::SSL_set1_host(ssl, name.c_str()) != 1) return fail(Errc::bad_input, "TLS: not a host name");
    }
    ::SSL_do_handshake(ssl);  // writes the first message
    ::ERR_clear_error();
    return TlsSession(std::move(impl));
}

Result<std::string> TlsSession::receive(std::string_view encrypted) {
    ::ERR_clear_error();
    SSL* ssl = impl_->ssl.get();
    if (::BIO_write(impl_->in, encrypted.data(), static_cast<int>(encrypted.size())) !=
        static_cast<int>(encrypted.size())) {
        return fail(Errc::exhausted, "TLS: no memory");
    }
    std::string plain;
    std::array<char, 16384> chunk;
    for (;;) {
        const int count = ::SSL_read(ssl, chunk.data(), static_cast<int>(chunk.size()));
        if (count > 0) {
            plain.append(chunk.data(), static_cast<std::size_t>(count));
            continue;
        }
        const int why = ::SSL_get_error(ssl, count);
        if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) break;
        if (why == SSL_ERROR_ZERO_RETURN) {
            if (!plain.empty()) break;  // its end is met again with the next bytes, or with the connection's end
            return fail(Errc::not_found, "the other end closed the connection");
        }
        if (!plain.empty()) break;
        if (const long verified = ::SSL_get_verify_result(ssl); verified != X509_V_OK) {
            ::ERR_clear_error();
            return fail(Errc::refused,
                        std::string("TLS: its certificate: ") + ::X509_verify_cert_error_string(verified));
        }
        return fail(Errc::bad_input, "TLS: " + last_error("broken"));
    }
    if (auto flushed = impl_->flush(); !flushed) return std::unexpected(flushed.error());
    return plain;
}

Result<void> TlsSession::send(std::string_view plain) {
    if (impl_->waiting.size() + plain.size() > max_waiting) return fail(Errc::exhausted, "TLS: too much waits");
    ::ERR_clear_error();
    impl_->waiting += plain;
    return impl_->flush();
}

std::string TlsSession::outgoing() {
    char* data = nullptr;
    const long size = ::BIO_get_mem_data(impl_->out, &data);
    std::string bytes(data, size > 0 ? static_cast<std::size_t>(size) : 0);
    static_cast<void>(BIO_reset(impl_->out));
    return bytes;
}

bool TlsSession::established() const noexcept {
    return ::SSL_is_init_finished(impl_->ssl.get()) == 1;
}

}  // namespace natkit::crypto
